import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { GatewayError } from '../errors.ts'
import { randomId, randomSecret } from './random.ts'

/**
 * The secret in a key file, made at first use: 256 random bits, mode 600, in a folder of mode 700.
 *
 * @throws GatewayError `config_invalid` when the file is readable by others, empty, or cannot be read or made.
 */
export function readOrMakeKeyFile(path: string): { readonly secret: string; readonly made: boolean } {
  if (existsSync(path)) return { secret: readKeyFile(path), made: false }
  const secret = randomSecret(32)
  if (makeKeyFile(path, secret)) return { secret, made: true }
  return { secret: readKeyFile(path), made: false }
}

/** False when another process was first. */
function makeKeyFile(path: string, secret: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const unfinished = `${path}.${randomId(8)}`
    try {
      writeWhole(unfinished, `${secret}\n`)
      // A link appears whole, and only where nothing is: nobody meets an empty file, of two that start at once one wins.
      linkSync(unfinished, path)
    } finally {
      rmSync(unfinished, { force: true })
    }
    return true
  } catch (error) {
    if (isExists(error)) return false
    throw unusable(path, 'cannot be made', error)
  }
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** The secret in an existing key file; the same errors as `readOrMakeKeyFile`. */
export function readKeyFile(path: string): string {
  let text: string
  let mode: number
  try {
    text = readFileSync(path, 'utf8').trim()
    mode = statSync(path).mode
  } catch (error) {
    throw unusable(path, 'cannot be read', error)
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw unusable(path, `is readable by others: run chmod 600 ${path}`)
  if (text === '') throw unusable(path, 'is empty')
  return text
}

function unusable(path: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError('config_invalid', `The key file ${path} ${what}.`, { cause })
}

function isExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}

import { chmodSync, closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GatewayError } from '../errors.ts'
import type { Log } from './log.ts'
import type { SecurityEvent } from './security-event.ts'
import type { SecuritySink } from './security-log.ts'

const FLUSH_MS = 250
const WAITING_BYTES_MAX = 4_000_000
/** A link in the place of the file would lead our lines, and the mode we set, to another one. */
const APPEND = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW

export interface SecurityFileOptions {
  readonly path: string
  /** A file that would grow past this is put aside first, by its size on the disk. */
  readonly bytesMax: number
  /** Files, the current one included: `path`, `path.1` (the newest of the old) and so on. */
  readonly filesMax: number
  readonly log: Pick<Log, 'error'>
}

/**
 * JSON lines in a file that only its owner may read. It is opened for every batch, so it may also be moved away from outside.
 *
 * @throws GatewayError `config_invalid` when the file cannot be written now.
 */
export function openSecurityFile(options: SecurityFileOptions): SecuritySink {
  const { path, log } = options
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    closeSync(openSync(path, APPEND, 0o600))
    chmodSync(path, 0o600)
  } catch (cause) {
    throw new GatewayError('config_invalid', `securityLogging.logFilePath: ${path} cannot be written.`, { cause })
  }
  let waiting: string[] = []
  let waitingBytes = 0
  let lost = 0
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()
  let isFailing = false

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(writeWaiting)
    return writing
  }

  async function writeWaiting(): Promise<void> {
    const lines = waiting
    waiting = []
    waitingBytes = 0
    if (lines.length === 0) return
    try {
      await append(lines, options)
      if (isFailing) log.error('the security log is written again', { lost })
      else if (lost > 0) log.error('too many security events came at once, some are lost', { lost })
      isFailing = false
      lost = 0
    } catch (error) {
      lost += lines.length
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
      if (!isFailing) log.error('the security log cannot be written, lines are lost', { code })
      isFailing = true
    }
  }

  return {
    take(event: SecurityEvent) {
      const line = `${JSON.stringify(event)}\n`
      if (waitingBytes + line.length > WAITING_BYTES_MAX) {
        lost += 1
        return
      }
      waiting.push(line)
      waitingBytes += line.length
      timer ??= setTimeout(() => void flush(), FLUSH_MS).unref()
    },
    close: flush,
  }
}

/** Takes the lines that it has written out of the list. */
async function append(lines: string[], { path, bytesMax, filesMax }: SecurityFileOptions): Promise<void> {
  while (lines.length > 0) {
    const file = await open(path, APPEND, 0o600)
    try {
      const { fitting, size } = await whatFits(file, lines, bytesMax)
      // A line that is longer than a whole file still goes into one.
      const count = fitting === 0 && size === 0 ? 1 : fitting
      if (count > 0) await appendWhole(file, lines.slice(0, count).join(''), size)
      lines.splice(0, count)
    } finally {
      await file.close()
    }
    if (lines.length > 0) await putAside(path, filesMax)
  }
}

/** All of the text, or none: on a disk that is full half a line would stay, and spoil the next one too. */
async function appendWhole(file: FileHandle, text: string, size: number): Promise<void> {
  try {
    await file.appendFile(text)
  } catch (error) {
    // Where even this fails, the first failure is the one to tell of.
    await file.truncate(size).catch(() => undefined)
    throw error
  }
}

async function whatFits(file: FileHandle, lines: readonly string[], bytesMax: number) {
  const { size, mode } = await file.stat()
  if ((mode & 0o777) !== 0o600) await file.chmod(0o600)
  let room = bytesMax - size
  let fitting = 0
  for (const line of lines) {
    room -= Buffer.byteLength(line)
    if (room < 0) break
    fitting += 1
  }
  return { fitting, size }
}

async function putAside(path: string, filesMax: number): Promise<void> {
  if (filesMax === 1) return rm(path)
  await rm(`${path}.${filesMax - 1}`, { force: true })
  for (let number = filesMax - 2; number >= 1; number -= 1) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  await rename(path, `${path}.1`)
}

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROGRAM = new URL('../../../bin/gatehouse.js', import.meta.url)

/** A folder of a test with its own configuration, data and keys. */
export interface Home extends AsyncDisposable {
  readonly folder: string
  /** Writes `gatehouse.yaml` with a free port, and data and keys in this folder; JSON is YAML too. */
  configure(config: Readonly<Record<string, unknown>> | string): Promise<void>
  /** Writes a file beside it. */
  write(name: string, text: string): Promise<void>
}

/** Makes one; `await using` removes it. */
export async function makeHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-process-'))
  return {
    folder,
    configure(config) {
      const own = { port: 0, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys') }
      const text = typeof config === 'string' ? config : JSON.stringify({ ...own, ...config })
      return writeFile(join(folder, 'gatehouse.yaml'), text)
    },
    write: (name, text) => writeFile(join(folder, name), text),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A `gatehouse` process. */
export interface GatehouseProcess extends AsyncDisposable {
  readonly stdout: () => string
  readonly stderr: () => string
  /** The exit code, or undefined when a signal ended it. */
  readonly exit: Promise<number | undefined>
  /** The URL that it says it listens on; undefined when it ends without one. */
  readonly listening: Promise<string | undefined>
  /** Asks it to stop, as Ctrl-C does, and waits for the end. */
  stop(): Promise<void>
}

/** Runs `gatehouse` with these arguments in the folder; of this process's environment it gets only PATH and HOME. */
export function runGatehouse(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): GatehouseProcess {
  const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, ...env }
  const child = spawn(process.execPath, [PROGRAM.pathname, ...args], { cwd: folder, env: environment })
  let stdout = ''
  let stderr = ''
  const listening = Promise.withResolvers<string | undefined>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const found = /Listening on (http:\/\/[^\s"]+)/.exec(stdout)
    if (found !== null) listening.resolve(found[1])
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exit = new Promise<number | undefined>((resolve, reject) => {
    child.once('error', reject)
    // 'close' comes after both streams have ended: what it said is complete.
    child.once('close', (code) => {
      listening.resolve(undefined)
      resolve(code ?? undefined)
    })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await exit
  }
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    exit,
    listening: listening.promise,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

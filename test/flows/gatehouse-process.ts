import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The `gatehouse` of this clone. */
export const PROGRAM = join(import.meta.dirname, '../../bin/gatehouse.js')

/** Nothing here takes this long, on the slowest machine. */
const DEADLINE_MS = 30_000

/** How a command ended and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Nothing of this process's environment is handed on. */
  readonly env?: Readonly<Record<string, string>>
  /** Default: the `gatehouse` of this clone. */
  readonly program?: string
}

/** A temporary folder that is also the home of every `gatehouse` run in it. */
export class Folder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'gatehouse-flow-')))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(this.file(name), text)
  }

  /** Starts the command without waiting for anything. */
  spawn(args: readonly string[], { env = {}, program = PROGRAM }: RunOptions = {}): GatehouseProcess {
    const home = { HOME: this.path, XDG_CONFIG_HOME: this.file('config'), TMPDIR: this.path }
    return new GatehouseProcess(
      spawn(process.execPath, [program, ...args], { cwd: this.path, env: { ...home, ...env }, stdio: 'pipe' }),
    )
  }

  /** Runs the command to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    await using command = this.spawn(args, options)
    return await command.ended
  }

  /** Runs `gatehouse start` until it listens. */
  async start(args: readonly string[] = [], options: RunOptions = {}): Promise<Started> {
    const command = this.spawn(['start', '--port', '0', ...args], options)
    try {
      const [, url = ''] = await command.sees(/Listening on (http:\S+)/)
      return Object.assign(command, { url })
    } catch (error) {
      await command[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

/** A gateway that listens at `url`. */
export type Started = GatehouseProcess & { readonly url: string }

/** A running command. It is killed at the latest when it goes out of scope. */
export class GatehouseProcess implements AsyncDisposable {
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  #isOver = false
  readonly #watchers = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#tell()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#tell()
    })
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      // 'close' comes when both streams are read to their end, too.
      child.once('close', (code, signal) => {
        this.#isOver = true
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
        this.#tell()
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Resolves with the first match in what it prints, to standard output unless told; rejects when it ends without one, or takes too long. */
  sees(pattern: RegExp, where: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      let isLate = false
      const look = () => {
        const found = pattern.exec(this[where])
        if (found === null && !this.#isOver && !isLate) return
        this.#watchers.delete(look)
        clearTimeout(timer)
        if (found !== null) resolve(found)
        else reject(new Error(`It never printed ${pattern}:\n${this.stdout}${this.stderr}`))
      }
      const timer = setTimeout(() => {
        isLate = true
        look()
      }, DEADLINE_MS)
      this.#watchers.add(look)
      look()
    })
  }

  /** Gives it this as the end of its standard input. */
  endInput(text: string): void {
    this.#child.stdin?.end(text)
  }

  /** Nobody reads its standard output any more, as after `| head`. */
  closeOutput(): void {
    this.#child.stdout?.destroy()
  }

  /** Nobody reads its standard error any more. */
  closeErrors(): void {
    this.#child.stderr?.destroy()
  }

  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.#child.kill(signal)
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  #tell(): void {
    for (const look of this.#watchers) look()
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { tokenFields } from '../../src/oauth/token-endpoint.test-support.ts'
import { RedisServer } from '../redis/redis-server.ts'

const ENGINES = ['store', 'file', 'redis'] as const
export type Engine = (typeof ENGINES)[number]

export interface KillOptions {
  readonly engine: Engine
  readonly kills: number
  /** Clients that refresh at the same time, each with a session of its own. */
  readonly sessions: number
  readonly onProgress?: (report: KillReport) => void
}

/** What became of the refreshes that were under way at a kill. */
export interface KillReport {
  readonly kills: number
  /** Sessions that could not be refreshed afterwards. */
  readonly lost: number
  /** The library had not answered yet. */
  readonly early: number
  /** The library had answered, and the client got nothing: before, in or after the commit. */
  readonly between: number
  /** The client had its answer. */
  readonly late: number
}

const CHILD = join(import.meta.dirname, 'support/refresh-child.ts')
const DEADLINE_MS = 30_000
/** Kills come within this part of the time that a refresh takes. */
const MOMENTS = 1.3
/** The part that comes after the library has answered. */
const COMMIT_PART = 0.5

/**
 * Kills a real provider over a real storage at random moments of a refresh, starts it again, and looks whether every client can
 * still refresh with the token that it has.
 */
export async function runRefreshKills({ engine, kills, sessions, onProgress }: KillOptions): Promise<KillReport> {
  await using place = await placeFor(engine)
  const report = { kills: 0, lost: 0, early: 0, between: 0, late: 0 }
  const start = () => new Provider(engine, place.path)
  let provider = start()
  let next = start()
  try {
    let tokens = await provider.begin(sessions)
    let durationMs = 0
    for (; report.kills < kills; report.kills += 1) {
      // Whoever was killed last: every session goes on with the token that its client has kept.
      const asked = performance.now()
      const recovered = await Promise.all(tokens.map((token) => provider.refresh(token)))
      durationMs = report.kills === 0 ? performance.now() - asked : durationMs * 0.9 + (performance.now() - asked) * 0.1
      report.lost += recovered.filter((token) => token === undefined).length
      tokens = recovered.map((token, index) => token ?? tokens[index] ?? '')
      const isMade = provider.watch()
      const refreshed = tokens.map((token) => provider.refresh(token))
      // Half of them anywhere, half of them where it is dangerous: while what was made is kept and answered.
      const isAnywhere = report.kills % 2 === 0
      if (!isAnywhere) await Promise.race([isMade, Promise.all(refreshed)])
      await spin(fraction() * durationMs * (isAnywhere ? MOMENTS : COMMIT_PART))
      await provider.kill()
      const answers = await Promise.all(refreshed)
      const answered = answers.filter((token) => token !== undefined).length
      report.late += answered
      report.between += Math.max(0, provider.made - answered)
      report.early += sessions - Math.max(provider.made, answered)
      tokens = tokens.map((token, index) => answers[index] ?? token)
      provider = next
      next = start()
      await provider.begin(0)
      onProgress?.({ ...report })
    }
    const last = await Promise.all(tokens.map((token) => provider.refresh(token)))
    report.lost += last.filter((token) => token === undefined).length
    return report
  } finally {
    await provider.kill()
    await next.kill()
  }
}

async function placeFor(engine: Engine): Promise<AsyncDisposable & { readonly path: string }> {
  if (engine === 'redis') {
    const server = await RedisServer.start()
    return { path: server.socketPath, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-kills-'))
  const path = engine === 'file' ? join(folder, 'sessions.json') : folder
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** A process with a provider; it loads at once, and opens the storage at `begin`. */
class Provider {
  /** Answers that the library has made since `watch`. */
  made = 0
  #onMade: () => void = () => {}
  readonly #child: ChildProcess
  readonly #tokens: string[] = []
  readonly #listens = Promise.withResolvers<string>()
  readonly #closed: Promise<unknown>
  #url = ''

  constructor(engine: Engine, path: string) {
    this.#child = spawn(process.execPath, [CHILD, engine, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#closed = once(this.#child, 'close')
    this.#child.stdin?.on('error', () => {})
    this.#child.once('exit', () => this.#listens.reject(new Error('The provider has ended before it listened.')))
    this.#listens.promise.catch(() => {})
    const { stdout } = this.#child
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#take(line))
  }

  /** Opens the storage and makes so many sessions. Gives their refresh tokens. */
  async begin(sessions: number): Promise<readonly string[]> {
    this.#child.stdin?.write(`${sessions}\n`)
    const timer = setTimeout(() => this.#listens.reject(new Error('The provider takes too long.')), DEADLINE_MS)
    this.#url = await this.#listens.promise.finally(() => clearTimeout(timer))
    return this.#tokens
  }

  /** The next refresh token; undefined when there was no answer, or another one. */
  async refresh(token: string): Promise<string | undefined> {
    const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'app', refresh_token: token })
    try {
      const signal = AbortSignal.timeout(DEADLINE_MS)
      const response = await fetch(`${this.#url}/token`, { method: 'POST', body, signal })
      return tokenFields(await response.json()).refreshToken || undefined
    } catch {
      // The process was killed.
      return undefined
    }
  }

  /** Counts from now on. Resolves at the first answer that the library has made. */
  watch(): Promise<void> {
    this.made = 0
    return new Promise((resolve) => {
      this.#onMade = resolve
    })
  }

  /** Resolves when it is dead and all that it has said was read. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  #take(line: string): void {
    const [what, value = ''] = line.split(' ')
    if (what === 'made') {
      this.made += 1
      this.#onMade()
    }
    if (what === 'session') this.#tokens.push(value)
    if (what === 'listens') this.#listens.resolve(value)
  }
}

function fraction(): number {
  return randomInt(1_000_000) / 1_000_000
}

/** Timers count in whole milliseconds, in which much of a refresh happens. */
async function spin(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
}

/** `node test/faults/refresh-kills.ts --engine store --kills 1000 --sessions 4` */
async function main(): Promise<void> {
  const options = { engine: { type: 'string' }, kills: { type: 'string' }, sessions: { type: 'string' } } as const
  const { values } = parseArgs({ options })
  const engine = ENGINES.find((name) => name === (values.engine ?? 'store'))
  if (engine === undefined) throw new Error(`--engine takes ${ENGINES.join(', ')}.`)
  const tell = (report: KillReport) => process.stdout.write(`${engine}: ${JSON.stringify(report)}\n`)
  const report = await runRefreshKills({
    engine,
    kills: Number(values.kills ?? 1_000),
    sessions: Number(values.sessions ?? 4),
    onProgress: (soFar) => (soFar.kills + 1) % 50 === 0 && tell(soFar),
  })
  tell(report)
  process.exitCode = report.lost === 0 ? 0 : 1
}

if (import.meta.main) await main()

import { BenchConnection } from './connection.ts'
import type { Offer } from './contender.ts'
import { createHistogram } from './histogram.ts'
import { type TokenSigner, tokenMaker } from './token-signer.ts'

const GRACE_MS = 10_000
const TICK_MS = 1

/** How to load one contender. */
export interface LoadOrder {
  readonly offer: Offer
  readonly connections: number
  readonly seconds: number
  /** Calls begin at this rate whatever the answers do; undefined: each connection sends its next call after its answer. */
  readonly callsPerSecond?: number | undefined
  /** Latencies count of calls that were due later than so many seconds after the start. Default 0. */
  readonly leadInSeconds?: number | undefined
  /** Every call gets a token of its own. */
  readonly signer?: TokenSigner | undefined
}

/** What came of it. Times are in microseconds. */
export interface LoadResult {
  /** Answers with status 200 and the expected words in them. */
  readonly calls: number
  /** Any other answer, and every connection that broke or stayed silent. */
  readonly errors: number
  /** Of a constant rate: calls that should have begun and found no free connection until the end. */
  readonly late: number
  /** From the first request to the last answer. */
  readonly elapsedMs: number
  readonly p50: number
  readonly p99: number
  /** CPU that the load generator itself took. */
  readonly cpuMicros: number
}

/** Loads the contender for the time given, with one request at a time on each connection. */
export async function runLoad(order: LoadOrder): Promise<LoadResult> {
  const url = new URL(order.offer.url)
  const connections = await Promise.all(Array.from({ length: order.connections }, () => BenchConnection.open(url)))
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const giveUp = setTimeout(
    () => {
      for (const connection of connections) void connection.close()
    },
    order.seconds * 1000 + GRACE_MS,
  )
  const load = new Load(requestMaker(url, order), order, startedAt)
  for (const connection of connections) load.use(connection)
  await Promise.all(connections.map((connection) => connection.closed))
  clearTimeout(giveUp)
  const elapsedMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpuBefore)
  return { ...load.result(), elapsedMs, cpuMicros: user + system }
}

class Load {
  readonly #request: () => Buffer | string
  readonly #order: LoadOrder
  readonly #startedAt: number
  readonly #until: number
  readonly #countsFrom: number
  readonly #latencies = createHistogram()
  /** Connections without a call, each with what sends its next one. */
  #idle: ((dueAt: number) => void)[] = []
  #begun = 0
  #calls = 0
  #errors = 0
  #timer: NodeJS.Timeout | undefined

  constructor(request: () => Buffer | string, order: LoadOrder, startedAt: number) {
    this.#request = request
    this.#order = order
    this.#startedAt = startedAt
    this.#until = startedAt + order.seconds * 1000
    this.#countsFrom = startedAt + (order.leadInSeconds ?? 0) * 1000
  }

  use(connection: BenchConnection): void {
    let dueAt = 0
    const send = (due: number) => {
      dueAt = due
      connection.send(this.#request())
    }
    const next = () => {
      const now = performance.now()
      if (now >= this.#until) void connection.close()
      else if (this.#order.callsPerSecond === undefined) send(now)
      else this.#sendWhenDue(now, send, connection)
    }
    connection.onAnswer = (answer) => {
      if (answer?.status === 200 && answer.body.includes(this.#order.offer.expects)) {
        this.#calls += 1
        if (dueAt >= this.#countsFrom) this.#latencies.add((performance.now() - dueAt) * 1000)
      } else {
        this.#errors += 1
      }
      if (answer !== undefined) next()
    }
    next()
  }

  result() {
    clearTimeout(this.#timer)
    const { callsPerSecond, seconds } = this.#order
    return {
      calls: this.#calls,
      errors: this.#errors,
      late: callsPerSecond === undefined ? 0 : Math.max(0, Math.floor(callsPerSecond * seconds) - this.#begun),
      p50: this.#latencies.percentile(0.5),
      p99: this.#latencies.percentile(0.99),
    }
  }

  /** Latency counts from when the call was due, not from when a connection was free for it: waiting is part of it. */
  #sendWhenDue(now: number, send: (dueAt: number) => void, connection: BenchConnection): void {
    const dueAt = this.#nextDueAt()
    if (dueAt <= now) {
      this.#begun += 1
      send(dueAt)
      return
    }
    this.#idle.push((due) => (due < this.#until ? send(due) : void connection.close()))
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS)
  }

  #tick(): void {
    this.#timer = undefined
    const now = performance.now()
    const idle = this.#idle
    this.#idle = []
    for (const use of idle) {
      const dueAt = this.#nextDueAt()
      if (now >= this.#until) use(this.#until)
      else if (dueAt <= now) {
        this.#begun += 1
        use(dueAt)
      } else this.#idle.push(use)
    }
    if (this.#idle.length > 0) this.#timer = setTimeout(() => this.#tick(), TICK_MS)
  }

  #nextDueAt(): number {
    return this.#startedAt + (this.#begun * 1000) / (this.#order.callsPerSecond ?? 1)
  }
}

function requestMaker(url: URL, { offer, signer }: LoadOrder): () => Buffer | string {
  if (signer === undefined) {
    const bytes = Buffer.from(requestText(url, offer, offer.headers))
    return () => bytes
  }
  const nextToken = tokenMaker(signer)
  return () => requestText(url, offer, { ...offer.headers, authorization: `Bearer ${nextToken()}` })
}

function requestText(url: URL, { body }: Offer, headers: Offer['headers']): string {
  const all = { host: url.host, ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

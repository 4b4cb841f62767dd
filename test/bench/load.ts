import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { findAnswer } from './answer.ts'
import { type Offer, UPSTREAM_MARKER } from './contender.ts'
import { createHistogram, type Histogram } from './histogram.ts'

const GRACE_MS = 10_000

/** How to load one contender. */
export interface LoadOrder {
  readonly offer: Offer
  readonly connections: number
  readonly seconds: number
}

/** What came of it. Times are in microseconds. */
export interface LoadResult {
  /** Answers with status 200 and the upstream's own words in them. */
  readonly calls: number
  /** Any other answer, and every connection that broke or stayed silent. */
  readonly errors: number
  /** From the first request to the last answer. */
  readonly elapsedMs: number
  readonly p50: number
  readonly p99: number
  /** CPU that the load generator itself took. */
  readonly cpuMicros: number
}

/** Keeps each connection busy with one request at a time for the time given. Bare sockets: a client library would cost more than some contenders do. */
export async function runLoad({ offer, connections, seconds }: LoadOrder): Promise<LoadResult> {
  const url = new URL(offer.url)
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(url)))
  const tally = { calls: 0, errors: 0, latencies: createHistogram() }
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  const giveUp = setTimeout(
    () => {
      for (const socket of sockets) socket.destroy()
    },
    seconds * 1000 + GRACE_MS,
  )
  await Promise.all(sockets.map((socket) => keepBusy(socket, { request: requestBytes(url, offer), until, tally })))
  clearTimeout(giveUp)
  const elapsedMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpuBefore)
  const { calls, errors, latencies } = tally
  return {
    ...{ calls, errors, elapsedMs, cpuMicros: user + system },
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
  }
}

interface Tally {
  calls: number
  errors: number
  readonly latencies: Histogram
}

async function open(url: URL): Promise<Socket> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
  await once(socket, 'connect')
  return socket
}

function requestBytes(url: URL, { headers, body }: Offer): Buffer {
  const all = { host: url.host, ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

function keepBusy(
  socket: Socket,
  { request, until, tally }: { request: Buffer; until: number; tally: Tally },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let sentAt = 0
  let received = ''
  let isWaiting = false
  const send = () => {
    isWaiting = true
    sentAt = performance.now()
    socket.write(request)
  }
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    received = received === '' ? part : received + part
    const answer = findAnswer(received)
    if (!answer) return
    received = ''
    isWaiting = false
    const now = performance.now()
    if (answer.status === 200 && answer.body.includes(UPSTREAM_MARKER)) {
      tally.calls += 1
      tally.latencies.add((now - sentAt) * 1000)
    } else {
      tally.errors += 1
    }
    if (now < until) send()
    else socket.destroy()
  })
  // Destroying follows, and 'close' counts it.
  socket.on('error', () => {})
  socket.on('close', () => {
    if (isWaiting) tally.errors += 1
    resolve()
  })
  send()
  return promise
}

import { setTimeout as wait } from 'node:timers/promises'
import { hmacSha256 } from '../crypto/hash.ts'
import { randomId } from '../crypto/random.ts'
import type { Egress } from '../egress/egress.ts'
import { toGatewayError } from '../errors.ts'
import type { Log } from './log.ts'
import { reaches, type SecurityEvent, type SecurityLevel } from './security-event.ts'
import type { SecuritySink } from './security-log.ts'

const WAITING_MAX = 10_000
const BATCH_MAX = 500
const TIMEOUT_MS = 10_000
const CLOSE_MS_MAX = 3_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000
const TRIES_MAX = 20

export interface SecurityWebhookOptions {
  readonly url: string
  /** Without it deliveries are not signed. */
  readonly secret: string | undefined
  readonly minLevel: SecurityLevel
  readonly batchMs: number
  readonly egress: Egress
  readonly log: Pick<Log, 'error'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Before a delivery is tried again, milliseconds. Default: 1 s, doubled up to 60 s. */
  readonly firstWaitMs?: number | undefined
}

/**
 * POSTs events as JSON, `{ "events": […] }`, in order and in batches. A delivery that fails, or is answered 408, 429 or 5xx, is tried
 * again with the same `X-Gatehouse-Delivery`; any other refusal loses it, which is logged. At most 10,000 events wait.
 */
export function openSecurityWebhook(options: SecurityWebhookOptions): SecuritySink {
  const { minLevel, batchMs, log } = options
  const closing = new AbortController()
  let waiting: SecurityEvent[] = []
  let lost = 0
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined

  const begin = () => {
    clearTimeout(timer)
    timer = undefined
    sending ??= sendAll().finally(() => {
      sending = undefined
      if (waiting.length > 0 && !closing.signal.aborted) schedule()
    })
    return sending
  }
  const schedule = () => {
    timer ??= setTimeout(() => void begin(), batchMs).unref()
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const events = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      if (lost > 0) log.error('too many security events waited for the webhook', { lost })
      lost = 0
      await deliver(events, options, closing.signal)
    }
  }

  return {
    take(event) {
      if (!reaches(event.level, minLevel)) return
      if (waiting.length >= WAITING_MAX) lost += 1
      else waiting.push(event)
      schedule()
    },
    async close() {
      const deadline = setTimeout(() => closing.abort(), CLOSE_MS_MAX)
      await sending
      await begin()
      clearTimeout(deadline)
      closing.abort()
    },
  }
}

async function deliver(
  events: readonly SecurityEvent[],
  options: SecurityWebhookOptions,
  signal: AbortSignal,
): Promise<void> {
  const { log, firstWaitMs = FIRST_WAIT_MS } = options
  const body = JSON.stringify({ events })
  const delivery = randomId(16)
  let waitMs = firstWaitMs
  for (let tries = 1; ; tries += 1) {
    const refused = await post(body, delivery, options, signal)
    if (refused === undefined) return
    if (!refused.isPassing || tries >= TRIES_MAX || signal.aborted) {
      log.error('security events are lost: the webhook does not take them', {
        why: refused.why,
        events: events.length,
      })
      return
    }
    await wait(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
  }
}

/** Undefined: it was taken. */
async function post(
  body: string,
  delivery: string,
  { url, secret, egress, now }: SecurityWebhookOptions,
  signal: AbortSignal,
): Promise<{ readonly why: string; readonly isPassing: boolean } | undefined> {
  const { origin, pathname, search } = new URL(url)
  const headers = { 'content-type': 'application/json', 'x-gatehouse-delivery': delivery }
  try {
    const { status } = await egress.send({
      method: 'POST',
      origin,
      path: pathname + search,
      headers:
        secret === undefined ? headers : { ...headers, 'x-gatehouse-signature': signatureOf(secret, body, now()) },
      body,
      reach: 'operator',
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: 100_000,
      calledAs: 'The webhook',
      signal,
    })
    if (status < 300) return undefined
    return { why: `answered ${status}`, isPassing: status === 408 || status === 429 || status >= 500 }
  } catch (error) {
    const { code } = toGatewayError(error)
    return { why: code, isPassing: code !== 'egress_refused' && code !== 'unsafe_value' }
  }
}

/**
 * `t=<seconds>,v1=<hex>`: HMAC-SHA-256 over `<seconds>.<body>`, as payment providers sign theirs. A receiver that refuses an
 * old `t` cannot be shown a delivery again.
 */
export function signatureOf(secret: string, body: string, at: number): string {
  const seconds = Math.floor(at / 1000)
  const mac = hmacSha256(new TextEncoder().encode(secret), `${seconds}.${body}`)
  return `t=${seconds},v1=${Buffer.from(mac, 'base64url').toString('hex')}`
}

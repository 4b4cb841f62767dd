import type { Egress, OutgoingResponse, Reach } from '../egress/egress.ts'
import { networkCodeOf } from '../egress/failure.ts'
import { GatewayError } from '../errors.ts'
import type { CauseCode } from './causes.ts'

/** What the probes stand on. */
export interface World {
  readonly egress: Egress
  /** How far the addresses may reach that the doctor is given and led to. */
  readonly reach: Reach
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Ends every probe: the deadline of the whole examination. */
  readonly signal?: AbortSignal | undefined
  /** Takes the token out of what comes back: a server can repeat what it was sent, and a text that is cut later still shows a part. */
  readonly conceal?: ((text: string) => string) | undefined
}

/** What came of one request. */
export type Answer = Answered | Unanswered

export interface Answered {
  readonly ok: true
  readonly status: number
  /** A header's value; repeated ones are joined with `, `. `name` is lower-case. */
  readonly header: (name: string) => string | undefined
  readonly text: string
  /** The body as JSON, from the first event where it is a stream of them; undefined when it is none. */
  readonly json: unknown
  /** When it was asked and answered, milliseconds since the epoch. */
  readonly askedAt: number
  readonly answeredAt: number
}

export interface Unanswered {
  readonly ok: false
  readonly cause: CauseCode
  /** The failure in words, without its address. */
  readonly detail: string
}

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'OPTIONS' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

export const PROBE_TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 512 * 1024

/** Sends one request and takes whatever comes as a fact: never throws for what the other side does. Follows no redirect. */
export async function ask(world: World, url: URL, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = asking
  const askedAt = world.now()
  try {
    const response = await world.egress.send({
      method,
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { 'user-agent': 'gatehouse-doctor', ...(body === undefined ? {} : JSON_BODY), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      reach: world.reach,
      timeoutMs: PROBE_TIMEOUT_MS,
      responseBytesMax: ANSWER_BYTES_MAX,
      signal: world.signal,
    })
    return answered(response, { askedAt, answeredAt: world.now(), conceal: world.conceal ?? ((text) => text) })
  } catch (error) {
    return unanswered(error)
  }
}

const JSON_BODY = { 'content-type': 'application/json' } as const

interface Hearing extends Pick<Answered, 'askedAt' | 'answeredAt'> {
  readonly conceal: (text: string) => string
}

function answered({ status, headers, body }: OutgoingResponse, hearing: Hearing): Answered {
  const { conceal, askedAt, answeredAt } = hearing
  const text = conceal(body.toString('utf8'))
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return value === undefined ? undefined : conceal(typeof value === 'string' ? value : value.join(', '))
  }
  const isStream = (header('content-type') ?? '').startsWith('text/event-stream')
  const json = parsed(isStream ? (/^data: ?(\{.*)$/m.exec(text)?.[1] ?? '') : text)
  return { ok: true, status, header, text, json, askedAt, answeredAt }
}

/** The failure of an outgoing request as a fact. @throws what is no failure of the network: a defect of ours. */
export function unanswered(error: unknown): Unanswered {
  if (!(error instanceof GatewayError)) throw error
  return { ok: false, cause: causeOf(error), detail: error.message }
}

function causeOf(error: GatewayError): CauseCode {
  switch (error.code) {
    case 'upstream_timeout':
    case 'cancelled':
      return 'connect_timeout'
    case 'egress_refused':
      return 'address_forbidden'
    // A page of this size is no answer to a small question.
    case 'upstream_too_large':
      return 'not_mcp'
    case 'unsafe_value':
      return 'url_invalid'
    default:
      return causeOfCode(networkCodeOf(error))
  }
}

const BY_CODE: Readonly<Record<string, CauseCode>> = {
  ENOTFOUND: 'dns_unknown',
  EAI_AGAIN: 'dns_unknown',
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'network_unreachable',
  ENETUNREACH: 'network_unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  CERT_HAS_EXPIRED: 'tls_expired',
  CERT_NOT_YET_VALID: 'tls_expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_wrong_name',
}

function causeOfCode(code: string): CauseCode {
  const known = BY_CODE[code]
  if (known !== undefined) return known
  if (code.startsWith('HPE_')) return 'not_http'
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return 'tls_untrusted'
  if (/SSL|TLS|EPROTO/.test(code)) return 'tls_failed'
  return 'connection_dropped'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON is a fact like any other.
    return undefined
  }
}

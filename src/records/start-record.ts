import { GatewayError, toGatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Outcome, RecordLine, WriteRecord } from './record.ts'
import { redactText } from './redact.ts'

const SESSION_LENGTH_MAX = 100
/** Enough to tell sessions apart, too little to take one over. */
const PROTOCOL_SESSION_LENGTH = 8
const CAUSES_MAX = 3
const DETAIL_LENGTH_MAX = 500

/** What a record needs to know of the request. */
export type RecordedExchange = Pick<Exchange, 'requestId' | 'startedAt' | 'clientAddress' | 'method' | 'header'>

/** The line of a request that is still running. */
export interface RecordInProgress {
  /** To be filled until the end. Nothing that came from outside goes in unredacted. */
  readonly line: OpenLine
  /** Notes why the request failed. Nothing that came from outside reaches the line unredacted. */
  fail(error: unknown): void
  /** Writes the line, once: later calls do nothing. `status` is that of our answer, undefined when there was none. */
  end(status: number | undefined): void
}

/** Starts the one line that a request leaves in the log. `now` gives milliseconds since the epoch. */
export function startRecord(exchange: RecordedExchange, write: WriteRecord, now: () => number): RecordInProgress {
  return new RequestRecord(exchange, write, now)
}

/** A line whose request is still running. */
export type OpenLine = { -readonly [Field in keyof RecordLine]: RecordLine[Field] }

/** A class, since it has a life, and every request makes one: three closures would be four objects more. */
class RequestRecord implements RecordInProgress {
  readonly line: OpenLine
  readonly #write: WriteRecord
  readonly #now: () => number
  readonly #isPost: boolean
  #hasEnded = false

  constructor(exchange: RecordedExchange, write: WriteRecord, now: () => number) {
    this.line = emptyLine(exchange)
    this.#write = write
    this.#now = now
    this.#isPost = exchange.method === 'POST'
  }

  fail(error: unknown): void {
    Object.assign(this.line, failureFields(error))
  }

  end(status: number | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { line } = this
    line.status = status
    line.durationMs = Math.max(0, this.#now() - line.at)
    if (line.code === undefined && line.outcome === 'ok' && status !== undefined && status >= 400) {
      line.outcome = outcomeOfStatus(status, this.#isPost)
    }
    this.#write(line)
  }
}

/** All fields from the start and in one order: the object keeps one shape on the hot path. */
function emptyLine(exchange: RecordedExchange): OpenLine {
  return {
    requestId: exchange.requestId,
    kind: 'request',
    at: exchange.startedAt,
    durationMs: 0,
    outcome: 'ok',
    code: undefined,
    detail: undefined,
    workspaceId: undefined,
    workspace: undefined,
    method: exchange.method,
    tool: undefined,
    arguments: undefined,
    issuer: undefined,
    subject: undefined,
    client: undefined,
    session: sessionOf(exchange),
    protocolVersion: undefined,
    clientAddress: exchange.clientAddress,
    status: undefined,
    upstreamStatus: undefined,
    upstreamMs: undefined,
  }
}

/** What an error leaves in a record: also for the lines of sign-ins, which have no `RecordInProgress`. */
export function failureFields(error: unknown): Pick<RecordLine, 'outcome' | 'code' | 'detail'> {
  const failure = toGatewayError(error)
  return { outcome: outcomeOf(failure), code: failure.code, detail: detailOf(failure) }
}

function sessionOf(exchange: RecordedExchange): string | undefined {
  const own = exchange.header('x-mcp-session-id')
  if (own !== undefined) return own.slice(0, SESSION_LENGTH_MAX)
  return exchange.header('mcp-session-id')?.slice(0, PROTOCOL_SESSION_LENGTH)
}

function outcomeOf({ code }: GatewayError): Outcome {
  switch (code) {
    case 'missing_token':
    case 'invalid_token':
    case 'insufficient_scope':
    case 'forbidden':
    case 'host_not_allowed':
    case 'origin_not_allowed':
    case 'rate_limited':
      return 'denied'
    case 'method_not_allowed':
      // Clients of the older era ask by GET also where there is no stream: usual, and no failure.
      return 'ok'
    default:
      return 'failed'
  }
}

/** Of an answer that was passed on. A server need have no stream to listen to and let no session be ended: 405, and no failure. */
function outcomeOfStatus(status: number, isPost: boolean): Outcome {
  if (status === 405 && !isPost) return 'ok'
  return status === 401 || status === 403 ? 'denied' : 'failed'
}

/**
 * The failure in words. Messages of GatewayErrors are ours; a cause that is a text is a reason that we wrote. Of any other
 * error only the name and code are taken: its message may quote what it failed on (`JSON.parse` does).
 */
function detailOf(failure: GatewayError): string {
  const parts = [failure.message]
  let cause: unknown = failure.cause
  for (let depth = 0; depth < CAUSES_MAX && cause !== undefined; depth++) {
    parts.push(causeText(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return redactText(parts.filter((part) => part !== '').join(': '), DETAIL_LENGTH_MAX)
}

function causeText(cause: unknown): string {
  if (cause instanceof GatewayError) return `${cause.code} ${cause.message}`
  if (typeof cause === 'string') return cause
  if (!(cause instanceof Error)) return ''
  const code = 'code' in cause && typeof cause.code === 'string' ? ` ${cause.code}` : ''
  return `${cause.name}${code}`
}

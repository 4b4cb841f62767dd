import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomId } from '../crypto/random.ts'
import { Cancellation, type CancelSignal } from '../egress/cancel-signal.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import type { AnswerBatch, ReadyAnswer } from './answer-batch.ts'
import type { BodyRequest } from './body-request.ts'
import type { Forwarded, ReadForwarded } from './client-address.ts'
import type { Answer, Exchange, ReplyTo } from './exchange.ts'
import { messagesOn } from './message-stream.ts'
import { cutWhenStalled, ResponseEvents } from './response-events.ts'
import { type EventSink, messageEvent } from './server-events.ts'

/** What an exchange needs to know of the listener. */
export interface ExchangeOptions {
  /** A longer body is refused with `payload_too_large`. */
  readonly bodyBytesMax: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Of the listener: who makes answers in the same turn of the loop writes them with it. */
  readonly batch: AnswerBatch
  /** Undefined: no proxy is trusted. */
  readonly readForwarded?: ReadForwarded | undefined
  /** A client may take nothing of its answer for so long, then it is cut off. Default: as in `cutWhenStalled`. */
  readonly stallMsMax?: number | undefined
  /** Headers that every answer to this request carries (CORS). */
  readonly answerHeaders: (request: IncomingMessage) => Readonly<Record<string, string>> | undefined
}

/** Answers are made for one caller, and are never what a browser guesses them to be. */
const FIXED_HEADERS = ['X-Content-Type-Options', 'nosniff'] as const
/** Unless the answer says that it may be kept. */
const NOT_KEPT = ['Cache-Control', 'no-store'] as const

// Unique across restarts and replicas (the random half), cheap and in order within one process (the counter).
const processId = randomId(8)
let requestCount = 0

/** An id for one request, as `X-Request-Id` and the records show it. */
export function nextRequestId(): string {
  requestCount += 1
  return `${processId}-${requestCount.toString(36)}`
}

/** The exchange over Node's own request and response. Nothing is computed before it is asked for. */
export class HttpExchange implements Exchange, ReadyAnswer {
  readonly transport = 'http'
  readonly requestId = nextRequestId()
  readonly startedAt: number
  readonly path: string
  readonly query: string
  replyTo: ReplyTo | undefined
  readonly #request: BodyRequest
  readonly #response: ServerResponse
  readonly #options: ExchangeOptions
  #cancellation: Cancellation | undefined
  #status: number | undefined
  #body: string | Promise<string> | undefined
  /** Set while the body is being read. */
  #rejectBody: ((error: GatewayError) => void) | undefined
  /** The answer, where it is a stream of events. */
  #events: ResponseEvents | undefined
  /** Waits for the end of the turn. */
  #readyBody: string | undefined
  #isAscii = false
  /** Another exchange's stream, on which this one is answered. */
  #answerStream: EventSink | undefined

  constructor(request: BodyRequest, response: ServerResponse, options: ExchangeOptions) {
    this.#request = request
    this.#response = response
    this.#options = options
    this.startedAt = options.now()
    const target = request.url ?? '/'
    const queryStart = target.indexOf('?')
    this.path = queryStart === -1 ? target : target.slice(0, queryStart)
    this.query = queryStart === -1 ? '' : target.slice(queryStart + 1)
  }

  get method(): string {
    return this.#request.method ?? 'GET'
  }

  get clientAddress(): string {
    return this.forwarded?.address ?? this.#request.socket.remoteAddress ?? ''
  }

  get forwarded(): Forwarded | undefined {
    return this.#options.readForwarded?.(this.#request)
  }

  get status(): number | undefined {
    return this.#status
  }

  /** The answer has been handed to the network, to its last byte. */
  get isFinished(): boolean {
    return this.#response.writableFinished
  }

  onFinish(listener: () => void): void {
    this.#response.once('finish', listener)
  }

  get signal(): CancelSignal {
    if (this.#cancellation === undefined) {
      this.#cancellation = new Cancellation()
      if (this.#response.destroyed) this.#cancellation.abort()
    }
    return this.#cancellation
  }

  /** The connection has closed: an answer that is still awaited is no longer wanted. */
  clientLeft(): void {
    this.#rejectBody?.(gone())
    this.#events?.clientLeft()
    const isAwaited = this.#status === undefined ? this.#answerStream === undefined : this.#events !== undefined
    if (isAwaited) this.#cancellation?.abort()
  }

  cancel(): void {
    if (this.signal.aborted || this.#status !== undefined) return
    // A cancelled request gets no response (2025-11-25, cancellation), and HTTP must have one: a stream that ends without
    // an event. The official clients report anything else as a failure of the connection.
    // On another exchange's stream there is nothing to end: that one goes on.
    const body = this.#answerStream === undefined ? '' : undefined
    this.send({ status: 200, contentType: 'text/event-stream', ...(body === undefined ? {} : { body }) })
    this.#cancellation?.abort()
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  headersNamed(prefix: string): HeaderSet {
    const named: Record<string, string> = {}
    for (const name in this.#request.headers) if (name.startsWith(prefix)) named[name] = this.header(name) ?? ''
    return named
  }

  readBody(): string | Promise<string> {
    this.#body ??= this.#read()
    return this.#body
  }

  #read(): string | Promise<string> {
    const request = this.#request
    const limit = this.#options.bodyBytesMax
    const declared = Number(request.headers['content-length'] ?? 0)
    if (declared > limit) throw tooLarge(limit)
    // Who left before the body was asked for: no event comes any more, so nothing would end the wait below.
    if (request.destroyed) throw gone()
    const here = request.takeWhole(limit)
    if (here !== undefined) return textOf(here)
    return new Promise<Buffer>((resolve, reject) => {
      // Told by the connection: listeners for `error` and `close` on each request would cost more than reading it.
      this.#rejectBody = reject
      request.readWhole(limit, { whole: resolve, tooLarge: () => reject(tooLarge(limit)) })
    }).then(textOf)
  }

  send(answer: Answer): void {
    if (this.#status !== undefined) return
    this.#status = answer.status
    if (this.#answerStream === undefined) {
      this.#write(answer)
      return
    }
    if (answer.body) this.#answerStream.send(messageEvent(answer.body))
    this.#answerStream.closed.removeEventListener('abort', this)
  }

  openEvents(headers?: Readonly<Record<string, string>>): EventSink {
    const answered = this.#status !== undefined
    if (!answered) this.#status = 200
    if (this.#answerStream !== undefined && !answered) {
      const stream = this.#answerStream
      return messagesOn(stream, () => stream.closed.removeEventListener('abort', this))
    }
    const events = new ResponseEvents(this.#response, this.#options.stallMsMax)
    if (answered || this.#response.destroyed) {
      events.clientLeft()
      return events
    }
    this.#events = events
    const head = this.#head({ status: 200, ...(headers === undefined ? {} : { headers }) })
    // nginx and others would collect the events before they pass them on.
    head.push('Content-Type', 'text/event-stream', 'X-Accel-Buffering', 'no')
    this.#response.writeHead(200, head)
    this.#response.flushHeaders()
    return events
  }

  answerOn(stream: EventSink): void {
    if (this.#status !== undefined || this.#answerStream !== undefined) return
    this.#write({ status: 202 })
    this.#answerStream = stream
    this.#cancellation = new Cancellation()
    if (stream.closed.aborted) this.#cancellation.abort()
    else stream.closed.addEventListener('abort', this)
  }

  /** The stream that the answer belongs on has closed. */
  handleEvent(): void {
    this.#cancellation?.abort()
  }

  #write(answer: Answer): void {
    const response = this.#response
    if (response.destroyed) return
    if (answer.onDelivered !== undefined) response.once('finish', answer.onDelivered)
    const headers = this.#head(answer)
    if (answer.body === undefined) {
      if (answer.status !== 204 && answer.status !== 304) headers.push('Content-Length', 0)
      response.writeHead(answer.status, headers)
      this.#options.batch.add(this)
      return
    }
    headers.push('Content-Type', answer.contentType ?? 'application/json')
    const bytes = Buffer.byteLength(answer.body)
    headers.push('Content-Length', bytes)
    // As many bytes as characters: all of it is ASCII, which need not be encoded.
    this.#isAscii = bytes === answer.body.length
    response.writeHead(answer.status, headers)
    this.#readyBody = answer.body
    this.#options.batch.add(this)
  }

  /** Writes the answer, whose head stands already. */
  write(): void {
    if (this.#readyBody === undefined) this.#response.end()
    else this.#response.end(this.#readyBody, this.#isAscii ? 'latin1' : 'utf8')
    this.#readyBody = undefined
    cutWhenStalled(this.#response, this.#options.stallMsMax)
  }

  #head(answer: Pick<Answer, 'status' | 'headers' | 'cookies'>): (string | number)[] {
    const headers: (string | number)[] = ['X-Request-Id', this.requestId, ...FIXED_HEADERS]
    if (answer.headers?.['Cache-Control'] === undefined) headers.push(...NOT_KEPT)
    append(headers, this.#options.answerHeaders(this.#request))
    append(headers, answer.headers)
    if (answer.cookies !== undefined) for (const cookie of answer.cookies) headers.push('Set-Cookie', cookie)
    // An unread body would be taken for the next request of the connection.
    if (!this.#request.complete && hasBody(this.#request)) headers.push('Connection', 'close')
    return headers
  }
}

/** As a flat list, which Node writes without looking each name up. */
function append(headers: (string | number)[], more: Readonly<Record<string, string>> | undefined): void {
  for (const name in more) headers.push(name, more[name] ?? '')
}

/** RFC 9112 §6: a request has a body when one of these headers says so. Node tells `complete` only after its first event. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

function textOf(body: Buffer): string {
  if (isUtf8(body)) return body.toString('utf8')
  throw new GatewayError('parse_error', 'Parse error: the body is not UTF-8.')
}

function gone(): GatewayError {
  return new GatewayError('cancelled', 'The client went away.')
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('payload_too_large', `The body is larger than ${limit} bytes.`)
}

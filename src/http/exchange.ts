import type { CancelSignal } from '../egress/cancel-signal.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'
import type { Forwarded } from './client-address.ts'
import type { EventSink } from './server-events.ts'

/** How a message reached us. On `stdio` the process that started us is the caller, so no HTTP rule applies. */
export type Transport = 'http' | 'stdio'

/** `legacy`: the revisions up to 2025-11-25. `modern`: 2026-07-28 and later, stateless. */
export type Era = 'legacy' | 'modern'

/** What an answer must repeat of the JSON-RPC message it answers. */
export interface ReplyTo {
  readonly id: string | number | null
  readonly era: Era
}

/** One request and its answer: a small lazy shape over the transport's own objects (DESIGN.md, decision 3). */
export interface Exchange {
  readonly transport: Transport
  /** Made here, returned as `X-Request-Id`, and found in every record of this request. */
  readonly requestId: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Without the `?`; empty when there is none. */
  readonly query: string
  /** The caller's address as `client-address` decides it. */
  readonly clientAddress: string
  /** What a trusted proxy says of the client; undefined where none is in between. */
  readonly forwarded?: Forwarded | undefined
  /** Aborted when the client goes away or cancels before it has its answer. */
  readonly signal: CancelSignal
  /** Set once the message is read, so that an error can be told in its terms. */
  replyTo: ReplyTo | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** The header's value, or undefined. `name` is lower-case. Repeated headers are joined with `, `. */
  header(name: string): string | undefined
  /** All headers whose name begins so; names in lower case. */
  headersNamed(prefix: string): HeaderSet
  /**
   * The whole body as text; at once, without a promise, when it has come already. Read once; asked again, it is the same text.
   *
   * @throws (or rejects with) GatewayError `payload_too_large`, `request_timeout`, `cancelled`, or `parse_error` when it is not UTF-8.
   */
  readBody(): string | Promise<string>
  /** Sends the answer. A second call is ignored: the first answer stands. */
  send(answer: Answer): void
  /** Answers with events, 200 with these headers. A second answer of either kind goes nowhere. */
  openEvents(headers?: Readonly<Record<string, string>>): EventSink
  /**
   * Accepts the message with 202 and puts its answer on this other stream, as the 2024-11-05 transport has it. `signal` then
   * aborts when that stream closes.
   */
  answerOn(stream: EventSink): void
  /** Aborts `signal`, and no JSON-RPC response is sent: the client said that it no longer wants one. */
  cancel(): void
  /** Status of the answer; undefined until there is one. */
  readonly status: number | undefined
}

/** What is sent back. `body` is JSON text unless `contentType` says otherwise; without a body nothing is sent but the head. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Each is a `Set-Cookie` of its own. */
  readonly cookies?: readonly string[]
  /** Called once the answer has been handed to the network to its last byte. */
  readonly onDelivered?: () => void
  readonly body?: string
  readonly contentType?: string
}

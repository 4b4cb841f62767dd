import type { CancelSignal } from './cancel-signal.ts'

/**
 * Who named the address that is called (PRODUCT.md, 13). `operator`: the config file, the CLI or a flag; private addresses
 * are allowed. `person`: somebody behind `/api`; only public addresses. Cloud metadata addresses are refused for both.
 */
export type Reach = 'operator' | 'person'

/** One outgoing HTTP request. */
export interface OutgoingRequest {
  readonly method: string
  /** Scheme, host and port, as in `URL.origin`. */
  readonly origin: string
  /** Path and query, starting with `/`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  readonly reach: Reach
  /** From dial to last byte. */
  readonly timeoutMs: number
  /** A longer answer ends with `upstream_too_large`. */
  readonly responseBytesMax: number
  /** It may stay open for long: it takes no connection from the short ones. */
  readonly mayStayOpen?: boolean | undefined
  /** How messages of failures call the other side: `The API`, `The login URL`. Default: `The server`. */
  readonly calledAs?: string | undefined
  /** Ends the request with `cancelled`. */
  readonly signal?: CancelSignal | undefined
  /**
   * Asked when the head of the answer has come: whoever gives a sink gets the body piece by piece, without a limit of size,
   * and `send` resolves at its end with an empty body. Not asked for answers below 200. A GatewayError that it or the sink
   * throws ends the request with that.
   */
  readonly streamTo?: ((head: ResponseHead, flow: StreamFlow) => StreamSink | undefined) | undefined
}

/** Takes a body in pieces. The last one has come when `send` resolves. */
export interface StreamSink {
  /** From then on the stream ends with `upstream_timeout` when nothing comes for so long; undefined: it may stay silent. */
  readonly silenceMs: number | undefined
  take(chunk: Buffer): void
}

/** How fast a body comes. */
export interface StreamFlow {
  pause(): void
  resume(): void
}

export type ResponseHead = Pick<OutgoingResponse, 'status' | 'headers'>

/** The answer to an outgoing request. Redirects are answers like any other: they are never followed here. */
export interface OutgoingResponse {
  readonly status: number
  /** Lower-case names; a repeated header is an array. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

/**
 * The only way out of the process.
 *
 * `send` throws a GatewayError: `egress_refused` (the address may not be called), `upstream_unreachable`, `upstream_timeout`,
 * `upstream_too_large`, `cancelled`, `unavailable` after `close`, or `unsafe_value` for a header or path that could split
 * the request.
 */
export interface Egress {
  send(request: OutgoingRequest): Promise<OutgoingResponse>
  close(): Promise<void>
}

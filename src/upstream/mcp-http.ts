import { type Credential, withCookieKeys, withQueryKeys } from '../credentials/credential.ts'
import type { CancelSignal } from '../egress/cancel-signal.ts'
import type { Egress, OutgoingRequest, OutgoingResponse, Reach } from '../egress/egress.ts'
import { type HeaderSet, mergeHeaders } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'

/** Where an MCP server is: parsed once, called often. */
export interface McpServer {
  readonly origin: string
  /** With the query. */
  readonly path: string
}

/** One message on its way to an MCP server over Streamable HTTP. */
export interface McpServerCall {
  readonly egress: Egress
  readonly server: McpServer
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** What of the caller's headers is passed on: `passedHeaders`. */
  readonly headers: HeaderSet
  /** They win over the caller's. */
  readonly credential: Credential
  readonly body?: string | undefined
  /** Until the head of the answer, and to its end when it is no stream. */
  readonly timeoutMs: number
  readonly responseBytesMax: number
  readonly reach: Reach
  readonly requestId: string
  readonly signal: CancelSignal
  readonly streamTo: NonNullable<OutgoingRequest['streamTo']>
}

/**
 * Everything that MCP says in headers. Not the caller's credential, cookies or addresses: those were meant for us (THREATS.md,
 * T12). Nor what he says of the body: a charset of his would have the server read another message than we have read (T20).
 */
const PASSED = ['accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name', 'last-event-id'] as const
const PASSED_PREFIX = 'mcp-param-'
const BOTH_KINDS = 'application/json, text/event-stream'

/**
 * The headers of a caller that an MCP server gets. A client that accepts anything is taken by its word: servers refuse a
 * request that does not name both kinds of answer.
 */
export function passedHeaders(headers: {
  header(name: string): string | undefined
  headersNamed(prefix: string): HeaderSet
}): HeaderSet {
  const passed: Record<string, string> = { ...headers.headersNamed(PASSED_PREFIX) }
  for (const name of PASSED) {
    const value = headers.header(name)
    if (value !== undefined) passed[name] = value
  }
  const accept = passed['accept']
  if (accept === undefined || /(^|[\s,])\*\/\*/.test(accept)) passed['accept'] = BOTH_KINDS
  return passed
}

/**
 * Sends one message. The answer is whole, unless `streamTo` took it. Redirects are not followed.
 *
 * @throws GatewayError the egress's own, naming "The MCP server".
 */
export function callMcpServer(call: McpServerCall): Promise<OutgoingResponse> {
  const { credential } = call
  const headers = mergeHeaders(call.headers, OURS, { 'X-Request-Id': call.requestId }, credential.headers)
  return call.egress.send({
    method: call.method,
    origin: call.server.origin,
    path: withQueryKeys(call.server.path, credential.query),
    headers: withCookieKeys(headers, credential.cookies),
    body: call.body,
    reach: call.reach,
    timeoutMs: call.timeoutMs,
    responseBytesMax: call.responseBytesMax,
    mayStayOpen: true,
    signal: call.signal,
    streamTo: call.streamTo,
    calledAs: 'The MCP server',
  })
}

const OURS = { 'User-Agent': 'gatehouse' } as const

/**
 * The server behind an absolute URL.
 *
 * @throws GatewayError `config_invalid` when it is no http or https URL, or holds a user, a password or a fragment.
 */
export function parseMcpServer(address: string): McpServer {
  const url = URL.parse(address)
  if (url === null) throw new GatewayError('config_invalid', 'The MCP server’s URL is not a URL.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new GatewayError('config_invalid', 'The MCP server’s URL must begin with http:// or https://.')
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new GatewayError('config_invalid', 'The MCP server’s URL must not hold a user, a password or a fragment.')
  }
  return { origin: url.origin, path: url.pathname + url.search }
}

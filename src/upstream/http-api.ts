import { type Credential, withCookieKeys, withQueryKeys } from '../credentials/credential.ts'
import type { CancelSignal } from '../egress/cancel-signal.ts'
import type { Egress, OutgoingResponse, Reach } from '../egress/egress.ts'
import { type HeaderSet, mergeHeaders } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'

/** One request to an API, made from a tool's arguments. */
export interface UpstreamRequest {
  readonly method: string
  /** Path below the server's own path, starting with `/`, with the query; encoded. */
  readonly path: string
  readonly headers: HeaderSet
  readonly body?: string | Uint8Array | undefined
}

/** Where an API is: parsed once, called often. */
export interface ApiServer {
  readonly origin: string
  /** Without a slash at the end. */
  readonly basePath: string
}

/** A call with everything that it needs. */
export interface HttpApiCall {
  readonly egress: Egress
  readonly server: ApiServer
  readonly request: UpstreamRequest
  /** Wins over what the request has in the same places (FEATURES D17). */
  readonly credential: Credential
  readonly timeoutMs: number
  readonly responseBytesMax: number
  readonly reach: Reach
  readonly requestId: string
  readonly signal?: CancelSignal | undefined
}

const OURS = { Accept: 'application/json, */*;q=0.5', 'User-Agent': 'gatehouse' } as const
// A segment that is only dots, plain or encoded, climbs (RFC 3986 §5.2.4); servers that decode twice or take `\` for `/`
// climb on those too.
const CLIMBS = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:$|[/\\?;]|%2f|%5c)/i

/**
 * Calls an API. The URL keeps the server's origin and base path whatever the request says; that is the second net under the
 * one that makes paths from arguments.
 *
 * @throws GatewayError `unsafe_value` for a path that leaves its place, and the egress's own.
 */
export function callHttpApi(call: HttpApiCall): Promise<OutgoingResponse> {
  const { request, credential } = call
  const headers = mergeHeaders(OURS, request.headers, { 'X-Request-Id': call.requestId }, credential.headers)
  return call.egress.send({
    method: request.method,
    origin: call.server.origin,
    path: withQueryKeys(joinPath(call.server.basePath, request.path), credential.query),
    headers: withCookieKeys(headers, credential.cookies),
    body: request.body,
    reach: call.reach,
    timeoutMs: call.timeoutMs,
    responseBytesMax: call.responseBytesMax,
    signal: call.signal,
    calledAs: 'The API',
  })
}

/**
 * The server behind an absolute URL; its path is the base path.
 *
 * @throws GatewayError `egress_refused` when it is no URL or holds a user or a password.
 */
export function parseServer(server: string): ApiServer {
  const url = URL.parse(server)
  if (url === null || url.username !== '' || url.password !== '') {
    throw new GatewayError('egress_refused', 'The API’s base URL is not a URL, or holds a user or a password.')
  }
  const { origin, pathname } = url
  return { origin, basePath: pathname.endsWith('/') ? pathname.slice(0, -1) : pathname }
}

function joinPath(basePath: string, path: string): string {
  const question = path.indexOf('?')
  const withoutQuery = question === -1 ? path : path.slice(0, question)
  if (!path.startsWith('/') || path.includes('#') || climbs(withoutQuery) || withoutQuery.includes('\\')) {
    throw new GatewayError('unsafe_value', 'An argument would lead the call away from the path of its operation.')
  }
  return basePath + path
}

/** Without a dot, plain or encoded, nothing climbs; most paths have none, and the expression takes longer than that look. */
function climbs(path: string): boolean {
  return (path.includes('.') || path.includes('%')) && CLIMBS.test(path)
}

import { type ErrorCode, type GatewayError, toGatewayError } from '../errors.ts'
import type { Answer, Era, ReplyTo } from './exchange.ts'

interface OnTheWire {
  readonly status: number
  /** JSON-RPC 2.0 error code on an MCP endpoint. */
  readonly rpc: number
  /** Where the 2025 revisions want another status or code. */
  readonly legacy?: { readonly status?: number; readonly rpc?: number }
}

/** What each error is on the wire: the only such table. 2026-07-28 assigns -32020 to -32022 and HTTP 404 for unknown methods. */
const WIRE: Readonly<Record<ErrorCode, OnTheWire>> = {
  missing_token: { status: 401, rpc: -32000 },
  invalid_token: { status: 401, rpc: -32000 },
  insufficient_scope: { status: 403, rpc: -32000 },
  forbidden: { status: 403, rpc: -32000 },
  host_not_allowed: { status: 403, rpc: -32000 },
  origin_not_allowed: { status: 403, rpc: -32000 },
  invalid_request: { status: 400, rpc: -32600 },
  not_found: { status: 404, rpc: -32001 },
  method_not_allowed: { status: 405, rpc: -32000 },
  not_acceptable: { status: 406, rpc: -32000 },
  unsupported_media_type: { status: 415, rpc: -32000 },
  payload_too_large: { status: 413, rpc: -32000 },
  request_timeout: { status: 408, rpc: -32000 },
  conflict: { status: 409, rpc: -32000 },
  rate_limited: { status: 429, rpc: -32000 },
  parse_error: { status: 400, rpc: -32700 },
  invalid_message: { status: 400, rpc: -32600 },
  method_not_found: { status: 404, rpc: -32601, legacy: { status: 200 } },
  invalid_params: { status: 200, rpc: -32602 },
  invalid_arguments: { status: 200, rpc: -32602 },
  envelope_invalid: { status: 400, rpc: -32602 },
  header_mismatch: { status: 400, rpc: -32020 },
  unsupported_version: { status: 400, rpc: -32022, legacy: { rpc: -32000 } },
  missing_capability: { status: 400, rpc: -32021 },
  session_not_found: { status: 404, rpc: -32001 },
  document_invalid: { status: 422, rpc: -32000 },
  config_invalid: { status: 422, rpc: -32000 },
  login_failed: { status: 502, rpc: -32000 },
  credential_missing: { status: 502, rpc: -32000 },
  unsafe_value: { status: 400, rpc: -32602 },
  egress_refused: { status: 422, rpc: -32000 },
  upstream_unreachable: { status: 502, rpc: -32000 },
  upstream_refused: { status: 502, rpc: -32000 },
  upstream_timeout: { status: 504, rpc: -32000 },
  upstream_too_large: { status: 502, rpc: -32000 },
  identity_provider_unavailable: { status: 503, rpc: -32000 },
  cancelled: { status: 499, rpc: -32000 },
  unavailable: { status: 503, rpc: -32000 },
  internal: { status: 500, rpc: -32603 },
}

/** Where a challenge points. */
export interface ChallengeContext {
  /** RFC 9728 §5.1: URL of the protected-resource metadata; undefined where no workspace was found. */
  readonly resourceMetadataUrl: string | undefined
  readonly replyTo: ReplyTo | undefined
}

/** The status this error has on an MCP endpoint. */
export function statusOf(error: GatewayError, era: Era): number {
  const wire = WIRE[error.code]
  return (era === 'legacy' ? wire.legacy?.status : undefined) ?? wire.status
}

/** The answer of an MCP endpoint: 401 and 403 with a challenge, everything else a JSON-RPC error. Anything unknown is a bare 500. */
export function mcpErrorAnswer(thrown: unknown, context: ChallengeContext): Answer {
  const error = toGatewayError(thrown)
  switch (error.code) {
    case 'missing_token':
    case 'invalid_token':
    case 'insufficient_scope':
      return challenge(error, error.code, context)
    default:
      return rpcError(error, context.replyTo)
  }
}

/** The answer of `/api`: `application/problem+json` (RFC 9457). A 401 there asks for the admin credential. */
export function apiErrorAnswer(thrown: unknown): Answer {
  const error = toGatewayError(thrown)
  // -32602 travels with 200 on an MCP endpoint; here every failure is one.
  const status = Math.max(WIRE[error.code].status, 400)
  const problem = { type: 'about:blank', title: titleOf(error.code), status, detail: error.message, code: error.code }
  return {
    status,
    headers: status === 401 ? { ...extraHeaders(error), 'WWW-Authenticate': 'Bearer' } : extraHeaders(error),
    body: JSON.stringify(problem),
    contentType: 'application/problem+json',
  }
}

/** The answer of an OAuth endpoint (RFC 6749 §5.2); where a token was looked at, with the challenge of RFC 6750 §3. */
export function oauthErrorAnswer(thrown: unknown): Answer {
  const error = toGatewayError(thrown)
  if (error.code === 'missing_token' || error.code === 'invalid_token' || error.code === 'insufficient_scope') {
    return challenge(error, error.code, { resourceMetadataUrl: undefined, replyTo: undefined })
  }
  const status = Math.max(WIRE[error.code].status, 400)
  const name = status >= 500 ? 'server_error' : status === 429 ? 'temporarily_unavailable' : 'invalid_request'
  return {
    status,
    headers: extraHeaders(error),
    body: JSON.stringify({ error: name, error_description: error.message }),
  }
}

/** RFC 6750 §3: no `error` when no credential was sent. The texts come from a closed set of ours; quotes are escaped all the same. */
function challenge(
  error: GatewayError,
  code: 'missing_token' | 'invalid_token' | 'insufficient_scope',
  context: ChallengeContext,
): Answer {
  const { scopes, dpop } = error.detail
  const scope = scopes?.join(' ')
  const where =
    context.resourceMetadataUrl === undefined ? [] : [`resource_metadata="${quoted(context.resourceMetadataUrl)}"`]
  const because = (name: string) => [`error="${name}"`, `error_description="${quoted(error.message)}"`]
  const bearer = [
    ...(code === 'missing_token' || dpop?.error !== undefined ? [] : because(code)),
    ...(scope ? [`scope="${quoted(scope)}"`] : []),
    ...where,
  ]
  const challenges = [scheme('Bearer', bearer)]
  if (dpop !== undefined) {
    const parameters = dpop.error === undefined ? [] : because(dpop.error)
    challenges.push(scheme('DPoP', [...parameters, `algs="${dpop.algorithms.join(' ')}"`]))
  }
  const body = {
    error: code === 'insufficient_scope' ? code : (dpop?.error ?? 'invalid_token'),
    error_description: error.message,
    message: error.message,
    code: code === 'insufficient_scope' ? 'INSUFFICIENT_SCOPE' : 'AUTHENTICATION_FAILED',
    ...(scope ? { scope } : {}),
  }
  return {
    status: WIRE[code].status,
    headers: { 'WWW-Authenticate': challenges.join(', ') },
    body: JSON.stringify(body),
  }
}

function scheme(name: string, parameters: readonly string[]): string {
  return parameters.length > 0 ? `${name} ${parameters.join(', ')}` : name
}

function rpcError(error: GatewayError, replyTo: ReplyTo | undefined): Answer {
  const wire = WIRE[error.code]
  const era = replyTo?.era ?? 'legacy'
  const code = (era === 'legacy' ? wire.legacy?.rpc : undefined) ?? wire.rpc
  const data = error.detail.data === undefined ? {} : { data: error.detail.data }
  return {
    status: statusOf(error, era),
    headers: extraHeaders(error),
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: replyTo?.id ?? null,
      error: { code, message: error.message, ...data },
    }),
  }
}

function extraHeaders(error: GatewayError): Record<string, string> {
  const headers: Record<string, string> = {}
  if (error.detail.allow !== undefined) headers['Allow'] = error.detail.allow.join(', ')
  if (error.detail.retryAfterSeconds !== undefined) headers['Retry-After'] = String(error.detail.retryAfterSeconds)
  return headers
}

function titleOf(code: ErrorCode): string {
  const words = code.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** RFC 6750 §3 allows %x20-21 / %x23-5B / %x5D-7E in these values: everything else becomes a space. */
function quoted(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5B\x5D-\x7E]/g, ' ')
}

/**
 * The closed list of ways a request can fail. `http/error-response.ts` holds what each means on the wire; nothing else
 * turns an error into an answer.
 */
export type ErrorCode =
  // who is calling
  | 'missing_token'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'forbidden'
  | 'host_not_allowed'
  | 'origin_not_allowed'
  // the HTTP request
  | 'invalid_request'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'request_timeout'
  | 'conflict'
  | 'rate_limited'
  // the MCP message
  | 'parse_error'
  | 'invalid_message'
  | 'method_not_found'
  | 'invalid_params'
  | 'invalid_arguments'
  | 'envelope_invalid'
  | 'header_mismatch'
  | 'unsupported_version'
  | 'missing_capability'
  | 'session_not_found'
  // what the caller brought in
  | 'document_invalid'
  | 'config_invalid'
  // the world outside
  | 'login_failed'
  | 'credential_missing'
  | 'unsafe_value'
  | 'egress_refused'
  | 'upstream_unreachable'
  | 'upstream_refused'
  | 'upstream_timeout'
  | 'upstream_too_large'
  | 'identity_provider_unavailable'
  | 'cancelled'
  | 'unavailable'
  | 'internal'

/** What an error may carry besides its message. Every field but `cause` may be shown to the caller. */
export interface ErrorDetail {
  /** For the record only: never shown to the caller. */
  readonly cause?: unknown
  /** `insufficient_scope`: every scope the call needs (RFC 6750 §3.1). */
  readonly scopes?: readonly string[]
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number
  /** A DPoP challenge stands beside that of Bearer; with `error` it is the one that tells of it (RFC 9449 §7.1). */
  readonly dpop?: { readonly algorithms: readonly string[]; readonly error?: 'invalid_token' | 'invalid_dpop_proof' }
  /** JSON-RPC `error.data`. */
  readonly data?: unknown
  /** The methods that are allowed, for `method_not_allowed`. */
  readonly allow?: readonly string[]
}

/** A failure that ends the request. `message` may be shown to anybody; what only the operator may see goes in `cause`. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'GatewayError'
    this.code = code
    this.detail = detail
  }
}

/** The error as a `GatewayError`: itself, or a bare `internal` that keeps the original as its cause. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  return new GatewayError('internal', 'Internal error', { cause: error })
}

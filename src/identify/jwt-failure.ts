/** Why a JWT, or an API key, was refused. One text each, so that a caller can tell them apart (FEATURES.md, A25). */
export type JwtFailureKind =
  | 'malformed'
  | 'type'
  | 'critical'
  | 'algorithm'
  | 'key_id'
  | 'key_source'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'not_yet_valid'
  | 'expired'
  | 'missing_claim'
  | 'revoked'
  | 'api_key'

/** A refused credential. `message` may be shown to anybody; `detail` is for the operator's record and never holds the token. */
export interface JwtFailure {
  readonly ok: false
  readonly kind: JwtFailureKind
  readonly message: string
  readonly detail: string
}

const QUOTED_LENGTH_MAX = 200

const MESSAGES: Readonly<Record<JwtFailureKind, string>> = {
  malformed: 'JWT verification failed: malformed token',
  type: 'JWT verification failed: the token type (typ) is not accepted',
  critical: 'JWT verification failed: unknown critical header (crit)',
  algorithm: 'JWT verification failed: the algorithm (alg) is not accepted',
  key_id: 'JWT verification failed: unknown key id (kid)',
  key_source: 'The keys of the identity provider cannot be fetched at the moment',
  signature: 'JWT verification failed: invalid signature',
  issuer: 'JWT verification failed: the issuer (iss) is not accepted',
  audience: 'JWT verification failed: the audience (aud) is not this server',
  not_yet_valid: 'JWT verification failed: the token is not valid yet (nbf)',
  expired: 'JWT token has expired',
  missing_claim: 'JWT verification failed: missing required claim',
  revoked: 'JWT verification failed: the token has been revoked',
  api_key: 'Invalid API key',
}

const KINDS: readonly JwtFailureKind[] = [
  ...(['malformed', 'type', 'critical', 'algorithm', 'key_id', 'key_source'] as const),
  ...(['signature', 'issuer', 'audience', 'not_yet_valid', 'expired', 'missing_claim', 'revoked', 'api_key'] as const),
]

/** A failure with the text of its kind, or a closer one. Neither text may name an expected value. */
export function jwtFailure(kind: JwtFailureKind, detail: string, message = MESSAGES[kind]): JwtFailure {
  return { ok: false, kind, message, detail }
}

/** The kind of failure that a text for callers tells; undefined for one that is not of this table. */
export function kindOfMessage(message: string): JwtFailureKind | undefined {
  return KINDS.find((kind) => MESSAGES[kind] === message)
}

/** A value of the token for `detail`: texts as JSON, so without line breaks, and cut. Of a list, its first ten texts. */
export function quoted(value: unknown): string {
  const text = Array.isArray(value) ? `[${value.slice(0, 10).map(quotedOne).join(', ')}]` : quotedOne(value)
  return text.length <= QUOTED_LENGTH_MAX ? text : `${text.slice(0, QUOTED_LENGTH_MAX)}…`
}

// Only plain values: a stranger's nested object could be deep enough to overflow the stack.
function quotedOne(value: unknown): string {
  if (value === undefined) return 'nothing'
  return typeof value === 'string' ? JSON.stringify(value) : typeof value === 'number' ? String(value) : typeof value
}

import { type JwtFailure, jwtFailure } from './jwt-failure.ts'

/** A JWT that was read and not verified: nothing in it may be believed yet. */
export interface UnverifiedToken {
  readonly ok: true
  readonly token: string
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

const TOKEN_LENGTH_MAX = 16_384

/**
 * Reads a JWT in compact form (RFC 7515 §7.1) without verifying anything. Refused: more than 16,384 characters, encrypted
 * tokens (RFC 7516), base64url that is not canonical, header or claims that are not JSON objects in UTF-8.
 */
export function readToken(token: string): UnverifiedToken | JwtFailure {
  if (token.length > TOKEN_LENGTH_MAX) return jwtFailure('malformed', `a token of ${token.length} characters`)
  const parts = token.split('.', 6)
  if (parts.length === 5) return jwtFailure('malformed', 'an encrypted token (JWE)')
  const [header, payload, signature] = parts
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return jwtFailure('malformed', `a token of ${parts.length} parts`)
  }
  if (decode(signature) === undefined) return jwtFailure('malformed', 'the signature is not base64url')
  const headerObject = readObject(header)
  if (headerObject === undefined) return jwtFailure('malformed', 'the header is not a JSON object')
  const claims = readObject(payload)
  if (claims === undefined) return jwtFailure('malformed', 'the claims are not a JSON object')
  return { ok: true, token, header: headerObject, claims }
}

/** The own member of an object that came from JSON: `constructor` and `__proto__` are names like any other. */
export function member(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function readObject(part: string): Record<string, unknown> | undefined {
  const bytes = decode(part)
  if (bytes === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isObject(parsed) ? parsed : undefined
  } catch {
    // Not UTF-8 or not JSON: both are simply not a JWT.
    return undefined
  }
}

function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  // Node decodes almost anything. Only what encodes to itself is taken: otherwise the spare bits of the last character
  // would give every token several spellings (RFC 4648 §3.5).
  return bytes.toString('base64url') === part ? bytes : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import type { Caller } from './caller.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import { member } from './unverified-token.ts'

type Claims = Readonly<Record<string, unknown>>

/** What the claims must say. An undefined list is not checked. */
export interface ExpectedClaims {
  readonly issuers: readonly string[] | undefined
  readonly audiences: readonly string[] | undefined
  readonly clockToleranceSeconds: number
  /** Tokens past their `exp`, or without one, count too. */
  readonly allowExpired: boolean
  /** We issued the token and can revoke it: it may live without `exp` (PRODUCT.md, 6). Default: no. */
  readonly allowEndless?: boolean
}

/** Claims that `Caller.claims` leaves out: they are about the token, or have a field of their own. */
const NOT_SHOWN = new Set(['iss', 'aud', 'exp', 'iat', 'userId'])

/** Keycloak's `typ` and Cognito's `token_use` for tokens that are no access tokens. */
const NOT_ACCESS_TOKENS = new Set(['id', 'refresh', 'offline', 'logout'])

/**
 * Checks the claims of a JWT: issuer and audience by exact match (RFC 7519 §4.1), then the times. Undefined: they hold.
 *
 * Pure. `now` is in milliseconds since the epoch. Does not check the signature or scopes.
 */
export function checkClaims(claims: Claims, expected: ExpectedClaims, now: number): JwtFailure | undefined {
  const purpose = [member(claims, 'typ'), member(claims, 'token_use')].find(isOtherPurpose)
  if (purpose !== undefined) return jwtFailure('type', `the claims mark it as ${quoted(purpose)}`)
  const issuer = member(claims, 'iss')
  if (!isAcceptedIssuer(issuer, expected.issuers)) return jwtFailure('issuer', `the token says iss ${quoted(issuer)}`)
  // Exact match, not prefix: a token for https://mcp.example/a must not open /ab (RFC 8707 §2).
  const audience = member(claims, 'aud')
  const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  if (expected.audiences && !expected.audiences.some((one) => audiences.includes(one))) {
    return jwtFailure('audience', `the token says aud ${quoted(audience)}`)
  }
  return checkTimes(claims, expected, now)
}

/**
 * The caller that checked claims describe. The user id is the first of `userIdClaims` that is a non-empty text or a whole number
 * below 2^53.
 */
export function callerOf(
  claims: Claims,
  userIdClaims: readonly string[],
): { readonly ok: true; readonly caller: Caller } | JwtFailure {
  const userId = userIdClaims.map((name) => textOf(member(claims, name))).find((text) => text !== undefined)
  if (userId === undefined) {
    return jwtFailure('missing_claim', 'no claim gives a user id', 'JWT missing required userId claim')
  }
  const expiresAt = member(claims, 'exp')
  const caller: Caller = {
    kind: 'jwt',
    issuer: textOf(member(claims, 'iss')) ?? '',
    subject: textOf(member(claims, 'sub')) ?? userId,
    userId,
    scopes: new Set(['scope', 'scopes', 'scp'].flatMap((name) => scopesOf(member(claims, name)))),
    claims: Object.fromEntries(Object.entries(claims).filter(([name]) => !NOT_SHOWN.has(name))),
    expiresAtSeconds: typeof expiresAt === 'number' ? expiresAt : undefined,
  }
  const confirmation = member(claims, 'cnf')
  return { ok: true, caller: confirmation === undefined ? caller : { ...caller, boundTo: thumbprintIn(confirmation) } }
}

/** RFC 9449 §6.1. */
function thumbprintIn(confirmation: unknown): string {
  const isObject = typeof confirmation === 'object' && confirmation !== null
  const thumbprint = isObject && 'jkt' in confirmation ? confirmation.jkt : undefined
  return typeof thumbprint === 'string' ? thumbprint : ''
}

function isOtherPurpose(purpose: unknown): boolean {
  return typeof purpose === 'string' && NOT_ACCESS_TOKENS.has(purpose.toLowerCase())
}

function isAcceptedIssuer(issuer: unknown, accepted: readonly string[] | undefined): boolean {
  if (typeof issuer !== 'string') return issuer === undefined && accepted === undefined
  return accepted === undefined || accepted.includes(issuer)
}

function checkTimes(claims: Claims, expected: ExpectedClaims, now: number): JwtFailure | undefined {
  const toleranceMs = expected.clockToleranceSeconds * 1000
  const notBefore = member(claims, 'nbf')
  if (notBefore !== undefined) {
    if (!isTime(notBefore)) return jwtFailure('malformed', `nbf is ${quoted(notBefore)}`)
    if (now + toleranceMs < notBefore * 1000) return jwtFailure('not_yet_valid', `nbf is ${notBefore}`)
  }
  const expiresAt = member(claims, 'exp')
  if (expiresAt === undefined) {
    if (expected.allowExpired || expected.allowEndless === true) return undefined
    // Nobody could ever take it back: only our own tokens may live for ever, since we can revoke them (PRODUCT.md, 6).
    return jwtFailure('missing_claim', 'no exp', 'JWT verification failed: missing required exp claim')
  }
  if (!isTime(expiresAt)) return jwtFailure('malformed', `exp is ${quoted(expiresAt)}`)
  if (!expected.allowExpired && now - toleranceMs >= expiresAt * 1000) {
    return jwtFailure('expired', `exp is ${expiresAt}`)
  }
  return undefined
}

/** A NumericDate. `1e999` is a number to JSON and no time. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function textOf(value: unknown): string | undefined {
  // Above 2^53 JSON's numbers run together here: two people would be one.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

function scopesOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter((scope) => scope !== '')
  if (!Array.isArray(value)) return []
  return value.filter((scope) => typeof scope === 'string' && scope !== '')
}

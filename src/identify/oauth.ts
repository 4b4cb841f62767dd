import type { Asking } from '../http/public-urls.ts'
import { ACCESS_TOKEN_TYPE, type SigningKeys } from '../tokens/signing-keys.ts'
import type { Caller, CallerGrant } from './caller.ts'
import { callerOf, checkClaims } from './claims.ts'
import type { UsedProofs } from './dpop-used.ts'
import { jwtFailure, quoted } from './jwt-failure.ts'
import type { Verified } from './jwt-verifier.ts'
import { ownSignatureFailure } from './own-signature.ts'
import { member, type UnverifiedToken } from './unverified-token.ts'

/** The workspace that a token has to be for. */
export interface TokenTarget {
  /** Its path below our address, without alias. */
  readonly path: string
  readonly accountId: string
}

/** Knows the access tokens of our own authorization server. One for all workspaces. */
export interface OAuthCredentials {
  /** How long a verified token may be remembered, milliseconds; `isGood` is asked all the same. */
  readonly cacheTtlMs: number
  /** Our own issuer, as whoever asks reaches us; undefined where there can be none. */
  issuerFor(asking: Asking): string | undefined
  /** @throws GatewayError `config_invalid` when there can be no authorization server here. */
  check(): void
  /** Proofs of possession that came before. */
  readonly usedProofs: UsedProofs
  /** Whether the token says that it is one, by `iss`, `typ` and `client_id`. Nothing is verified. */
  takes(token: UnverifiedToken): boolean
  /** Who the token speaks for, when `issuer` has made it for this workspace and what it stands on was not taken back. */
  verify(token: UnverifiedToken, target: TokenTarget, issuer: string | undefined): Promise<Verified>
  /** Whether what `verify` gave still stands: one look-up. False also when it has to be verified again. */
  isGood(caller: Caller): boolean
  /** Whether the caller's token is of the issuer that whoever asks reaches. */
  isOf(caller: Caller, asking: Asking): boolean
}

export interface OAuthCredentialsOptions {
  readonly issuers: {
    of(asking: Asking): string | undefined
    is(issuer: string, asking: Asking): boolean
    isOurs(issuer: unknown): boolean
    check(): void
  }
  readonly keys: Pick<SigningKeys, 'find'>
  readonly usedProofs: UsedProofs
  /** Whether any of it was revoked. Asked at every call: no I/O. */
  readonly isRevoked: (grant: CallerGrant) => boolean
  /**
   * What rules may know of the person, when the grant is still there, or the client that it stands on, and its person may use
   * workspaces of this account; undefined: it does not stand. The token does not say it: its client may not know all of it.
   */
  readonly claimsOf: (grant: CallerGrant, accountId: string) => Promise<CallerClaims | undefined>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

type CallerClaims = Caller['claims']

const CACHE_TTL_MS = 60_000

export function createOAuthCredentials(options: OAuthCredentialsOptions): OAuthCredentials {
  const { issuers, isRevoked, usedProofs } = options
  return {
    cacheTtlMs: CACHE_TTL_MS,
    issuerFor: (asking) => issuers.of(asking),
    check: () => issuers.check(),
    usedProofs,
    takes: ({ header, claims }) => {
      const type = member(header, 'typ')
      const isAccessToken = typeof type === 'string' && type.toLowerCase() === ACCESS_TOKEN_TYPE
      // Tokens that we issue to services have the same type and issuer, and no client (RFC 9068 §2.2).
      return isAccessToken && issuers.isOurs(member(claims, 'iss')) && member(claims, 'client_id') !== undefined
    },
    verify: (token, target, issuer) => verifyAccessToken(token, { ...target, issuer }, options),
    isGood: ({ grant }) => grant !== undefined && !isRevoked(grant),
    isOf: ({ issuer }, asking) => issuers.is(issuer, asking),
  }
}

/**
 * RFC 9068 §4. The issuer is that of the address where the token is shown, and the audience the workspace's URL there: what was
 * issued under another of our names opens nothing (RFC 8414 §3.3, RFC 8707 §2).
 */
async function verifyAccessToken(
  token: UnverifiedToken,
  { path, accountId, issuer }: TokenTarget & { readonly issuer: string | undefined },
  { keys, isRevoked, claimsOf, now }: OAuthCredentialsOptions,
): Promise<Verified> {
  const { claims } = token
  if (issuer === undefined) return jwtFailure('issuer', 'there is no issuer at this address')
  const forged = await ownSignatureFailure(token, keys)
  if (forged !== undefined) return forged
  const expected = {
    issuers: [issuer],
    audiences: [issuer + path],
    clockToleranceSeconds: 0,
    allowExpired: false,
  }
  const failure = checkClaims(claims, expected, now())
  if (failure !== undefined) return failure
  const found = callerOf(claims, ['sub'])
  if (!found.ok) return found
  const grant = grantOf(claims, found.caller.subject)
  if (grant === undefined) return jwtFailure('missing_claim', 'no client_id or iat')
  // After the signature and not before: a stranger learns nothing of a grant.
  const ofPerson = isRevoked(grant) ? undefined : await claimsOf(grant, accountId)
  if (ofPerson === undefined) {
    return jwtFailure('revoked', `grant ${quoted(grant.grantId)} does not stand`)
  }
  const caller: Caller = {
    ...found.caller,
    claims: { ...found.caller.claims, ...ofPerson },
    kind: 'oauth',
    issuedId: grant.grantId ?? `client ${grant.clientId}`,
    grant,
  }
  // RFC 9068 §2.2: without a person the client is the subject.
  return { ok: true, caller: grant.subject === grant.clientId ? { ...caller, isService: true } : caller }
}

function grantOf(claims: UnverifiedToken['claims'], subject: string): CallerGrant | undefined {
  const grantId = member(claims, 'grant_id')
  const clientId = member(claims, 'client_id')
  const issuedAtSeconds = member(claims, 'iat')
  if (grantId !== undefined && typeof grantId !== 'string') return undefined
  if (typeof clientId !== 'string' || typeof issuedAtSeconds !== 'number') return undefined
  return { grantId, clientId, subject, issuedAtSeconds }
}

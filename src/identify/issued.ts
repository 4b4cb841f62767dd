import { looksLikeApiKey } from '../tokens/api-key.ts'
import type { IssuedIndex, Standing } from '../tokens/revocation.ts'
import { ACCESS_TOKEN_TYPE, type SigningKeys } from '../tokens/signing-keys.ts'
import { callerOfApiKey } from './api-key.ts'
import type { Caller } from './caller.ts'
import { callerOf, checkClaims } from './claims.ts'
import type { Credential } from './credential.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import type { Verified } from './jwt-verifier.ts'
import { ownSignatureFailure } from './own-signature.ts'
import { member, type UnverifiedToken } from './unverified-token.ts'

/** Knows the tokens and API keys that this gateway issued. One for all workspaces. */
export interface IssuedCredentials {
  /** How long a verified token may be remembered, milliseconds; `recheck` is asked all the same. */
  readonly cacheTtlMs: number
  /** Whether the token says that it is ours, by `iss` and `typ` (PRODUCT.md, 4). Nothing is verified. */
  takes(token: UnverifiedToken): boolean
  /** Who the token speaks for, when it opens this workspace, or why it is refused. */
  verify(token: UnverifiedToken, workspaceId: string): Promise<Verified>
  /** The caller that `verify` gave a moment ago, unless the token was revoked or taken away from this workspace. */
  recheck(caller: Caller, workspaceId: string): Verified
  /** The same question for a stream that stays open: it counts as no use. */
  isGood(caller: Caller, workspaceId: string): boolean
  /** Whether the credential is to be looked at as an API key. */
  takesKey(credential: Exclude<Credential, { kind: 'none' }>): boolean
  /** Who an API key speaks for, when it opens this workspace, or why it is refused. */
  callerOfKey(text: string, workspaceId: string): Verified
}

export interface IssuedOptions {
  /** Our own issuer: the public URL. */
  readonly issuer: () => string
  /** What our tokens that open this workspace have as `aud`: its account's URL. */
  readonly audience: (workspaceId: string) => string
  readonly keys: Pick<SigningKeys, 'find'>
  readonly index: Pick<IssuedIndex, 'standing' | 'isEndless' | 'findKey'>
  /** Told of every use. */
  readonly noteUse: (id: string, at: number) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const CACHE_TTL_MS = 60_000

export function createIssuedCredentials(options: IssuedOptions): IssuedCredentials {
  const { issuer, index, noteUse, now } = options

  function recheck(caller: Caller, workspaceId: string): Verified {
    const { issuedId = '' } = caller
    const at = now()
    const standing = index.standing(issuedId, workspaceId, at)
    if (standing !== 'good') return failureOf(standing, issuedId)
    noteUse(issuedId, at)
    return { ok: true, caller }
  }

  return {
    cacheTtlMs: CACHE_TTL_MS,
    takes: ({ header, claims }) => {
      const type = member(header, 'typ')
      const isAccessToken = typeof type === 'string' && type.toLowerCase() === ACCESS_TOKEN_TYPE
      return isAccessToken && member(claims, 'iss') === issuer()
    },
    async verify(token, workspaceId) {
      const verified = await verifyOwn(token, workspaceId, options)
      // After the signature and not before: it may have been revoked meanwhile, and a stranger learns nothing of a jti.
      return verified.ok ? recheck(verified.caller, workspaceId) : verified
    },
    recheck,
    isGood: ({ issuedId = '' }, workspaceId) => index.standing(issuedId, workspaceId, now()) === 'good',
    takesKey: ({ kind, token }) => kind === 'x-api-key' || (kind === 'bearer' && looksLikeApiKey(token)),
    callerOfKey: (text, workspaceId) => {
      const found = callerOfApiKey(text, { issuer: issuer(), index, workspaceId, now: now() })
      if (found.ok) noteUse(found.caller.issuedId ?? '', now())
      return found
    },
  }
}

async function verifyOwn(token: UnverifiedToken, workspaceId: string, options: IssuedOptions): Promise<Verified> {
  const { keys, index, issuer, audience, now } = options
  const { claims } = token
  const forged = await ownSignatureFailure(token, keys)
  if (forged !== undefined) return forged
  const id = member(claims, 'jti')
  if (typeof id !== 'string') return jwtFailure('missing_claim', 'no jti')
  const expected = {
    issuers: [issuer()],
    audiences: [audience(workspaceId)],
    clockToleranceSeconds: 0,
    allowExpired: false,
  }
  const failure = checkClaims(claims, { ...expected, allowEndless: index.isEndless(id) }, now())
  if (failure !== undefined) return failure
  const found = callerOf(claims, ['sub'])
  return found.ok ? { ok: true, caller: { ...found.caller, kind: 'issued', issuedId: id } } : found
}

function failureOf(standing: Exclude<Standing, 'good'>, id: string): JwtFailure {
  switch (standing) {
    case 'unknown':
      return jwtFailure('revoked', `jti ${quoted(id)} is not one of ours`)
    case 'revoked':
      return jwtFailure('revoked', `jti ${quoted(id)} was revoked`)
    case 'expired':
      return jwtFailure('expired', `jti ${quoted(id)} has ended`)
    case 'other_workspace':
      return jwtFailure('audience', `jti ${quoted(id)} does not open this workspace`)
  }
}

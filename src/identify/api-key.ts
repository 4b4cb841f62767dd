import { apiKeyHash } from '../tokens/api-key.ts'
import type { IssuedIndex, Standing } from '../tokens/revocation.ts'
import { type JwtFailure, jwtFailure } from './jwt-failure.ts'
import type { Verified } from './jwt-verifier.ts'

/** What an API key is looked up in, and for which workspace. */
export interface ApiKeyContext {
  /** The issuer that its caller is said to come from: ours. */
  readonly issuer: string
  readonly index: Pick<IssuedIndex, 'standing' | 'findKey'>
  readonly workspaceId: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Who an API key speaks for, when it opens this workspace. One hash and two lookups; nothing is remembered. */
export function callerOfApiKey(text: string, { issuer, index, workspaceId, now }: ApiKeyContext): Verified {
  const hash = apiKeyHash(text)
  if (hash === undefined) return jwtFailure('api_key', 'not of our shape', 'Invalid API key format')
  const owner = index.findKey(hash)
  if (owner === undefined) return jwtFailure('api_key', 'no key has this hash')
  const { id, subject, scopes, expiresAt } = owner
  const standing = index.standing(id, workspaceId, now)
  if (standing !== 'good') return failureOf(standing, id)
  return {
    ok: true,
    caller: {
      kind: 'api-key',
      issuer,
      subject,
      userId: subject,
      scopes,
      claims: { sub: subject },
      expiresAtSeconds: Number.isFinite(expiresAt) ? expiresAt / 1000 : undefined,
      issuedId: id,
    },
  }
}

function failureOf(standing: Exclude<Standing, 'good'>, id: string): JwtFailure {
  switch (standing) {
    case 'unknown':
      return jwtFailure('api_key', `key ${id} is not one of ours`)
    case 'revoked':
      return jwtFailure('revoked', `key ${id} was revoked`, 'API key has been revoked')
    case 'expired':
      return jwtFailure('expired', `key ${id} has ended`, 'API key has expired')
    case 'other_workspace':
      return jwtFailure('audience', `key ${id} does not open this workspace`, 'API key is not valid for this server')
  }
}

import { calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import * as z from 'zod'
import { sha256 } from '../crypto/hash.ts'
import { hasValidSignature } from './jwt-verifier.ts'
import { member, readToken } from './unverified-token.ts'

/** What proofs may be signed with. The same at the token endpoint. */
export const PROOF_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** How old a proof may be, and how far ahead of our clock, seconds (RFC 9449 §11.1). */
const AGE_SECONDS_MAX = 60
const AHEAD_SECONDS_MAX = 30
const LENGTH_MAX = 4_096
const JTI_LENGTH_MAX = 500

/** What a proof has to be for. */
export interface ExpectedProof {
  readonly method: string
  /** Of the request, by our public URL and not by its Host, without query (RFC 9449 §4.2, `htu`). */
  readonly url: string
  /** The token that is shown with it. Undefined at the token endpoint. */
  readonly accessToken?: string
  /** The key that the token is bound to. Undefined at the token endpoint. */
  readonly keyThumbprint?: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

export type ProofProblem = 'missing' | 'malformed' | 'signature' | 'request' | 'time' | 'token' | 'key' | 'repeated'

/** `until`: when the proof is too old anyway. Both times are milliseconds since the epoch. */
export type CheckedProof =
  | {
      readonly ok: true
      readonly keyThumbprint: string
      readonly jti: string
      readonly madeAt: number
      readonly until: number
    }
  | { readonly ok: false; readonly problem: ProofProblem }

/** Public keys of the algorithms above. A private one is nobody's proof. */
const proofKey = z.union([
  z.object({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: z.string(),
    y: z.string(),
    d: z.undefined().optional(),
  }),
  z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.undefined().optional() }),
])

/**
 * Checks a DPoP proof (RFC 9449 §4.3): type, algorithm, key, signature, method, address, time, token and the key that the token
 * is bound to. Does not check whether it came before; see `UsedProofs`.
 */
export async function checkProof(proof: string | undefined, expected: ExpectedProof): Promise<CheckedProof> {
  if (proof === undefined || proof === '') return no('missing')
  // A comma: the header came twice. Which one counts is anybody's guess.
  if (proof.length > LENGTH_MAX || proof.includes(',')) return no('malformed')
  const token = readToken(proof)
  if (!token.ok) return no('malformed')
  const { header, claims } = token
  const alg = PROOF_ALGORITHMS.find((one) => one === member(header, 'alg'))
  const key = proofKey.safeParse(member(header, 'jwk'))
  const isProof = member(header, 'typ') === 'dpop+jwt' && member(header, 'crit') === undefined
  if (!isProof || alg === undefined || !key.success) return no('malformed')
  const jti = member(claims, 'jti')
  const iat = member(claims, 'iat')
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_LENGTH_MAX) return no('malformed')
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return no('malformed')
  // Cheap ones first: a signature costs more than all of them.
  const age = expected.now / 1000 - iat
  if (age > AGE_SECONDS_MAX || age < -AHEAD_SECONDS_MAX) return no('time')
  if (member(claims, 'htm') !== expected.method || !isSameAddress(member(claims, 'htu'), expected.url)) {
    return no('request')
  }
  const { accessToken, keyThumbprint: boundTo } = expected
  if (accessToken !== undefined && member(claims, 'ath') !== sha256(accessToken)) return no('token')
  const keyThumbprint = await calculateJwkThumbprint(key.data)
  if (boundTo !== undefined && keyThumbprint !== boundTo) return no('key')
  if (!(await isSigned(proof, key.data, alg))) return no('signature')
  return { ok: true, keyThumbprint, jti, madeAt: iat * 1000, until: (iat + AGE_SECONDS_MAX) * 1000 }
}

async function isSigned(proof: string, jwk: JWK, alg: string): Promise<boolean> {
  try {
    return await hasValidSignature(proof, await importJWK(jwk, alg), alg)
  } catch {
    // A key that cannot be imported, or does not fit the algorithm, has signed nothing.
    return false
  }
}

/** By scheme, host and path as URLs have them; query and fragment do not count (RFC 9449 §4.3, 9). */
function isSameAddress(htu: unknown, url: string): boolean {
  const shown = typeof htu === 'string' ? URL.parse(htu) : null
  if (shown === null || shown.username !== '' || shown.password !== '') return false
  return shown.origin + shown.pathname === new URL(url).origin + new URL(url).pathname
}

function no(problem: ProofProblem): CheckedProof {
  return { ok: false, problem }
}

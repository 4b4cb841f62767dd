import { importJWK, type JWK } from 'jose'
import * as z from 'zod'
import { PUBLIC_KEY_ALGORITHMS } from './static-key.ts'

/** The keys of a set that a JWT can be verified with. */
export interface UsableKeys {
  readonly keys: readonly JWK[]
  /** How many the set held, usable or not. */
  readonly total: number
}

const KEYS_MAX = 100
const RSA_BITS = { min: 2048, max: 8192 }

/** A public key for signatures. A published private key is nobody's proof any more, so `d` makes it unusable. */
const publicJwk = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().optional(),
  alg: z
    .string()
    .refine((alg) => PUBLIC_KEY_ALGORITHMS.includes(alg))
    .optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'))
    .optional(),
  crv: z.string().optional(),
  n: z.string().optional(),
  e: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
  d: z.undefined().optional(),
})

const jwkSet = z.object({ keys: z.array(z.unknown()) })

/**
 * Reads a JWK set (RFC 7517 §5) and keeps what can be used: unknown or broken keys, keys for encryption, symmetric keys and
 * RSA keys under 2048 bits are left out, as is everything after the hundredth. Undefined: not a JWK set at all.
 */
export async function readUsableKeys(text: string): Promise<UsableKeys | undefined> {
  const set = jwkSet.safeParse(parseJson(text))
  if (!set.success) return undefined
  const checked = await Promise.all(set.data.keys.slice(0, KEYS_MAX).map(usableKey))
  return { keys: checked.filter((key) => key !== undefined), total: set.data.keys.length }
}

async function usableKey(value: unknown): Promise<JWK | undefined> {
  const parsed = publicJwk.safeParse(value)
  if (!parsed.success) return undefined
  const jwk = parsed.data
  const algorithm = jwk.alg ?? ALGORITHM_OF.get(jwk.crv ?? jwk.kty)
  if (algorithm === undefined) return undefined
  try {
    const key = await importJWK(jwk, algorithm)
    if (key instanceof Uint8Array) return undefined
    if (jwk.kty !== 'RSA') return jwk
    const bits = 'modulusLength' in key.algorithm ? Number(key.algorithm.modulusLength) : 0
    return bits >= RSA_BITS.min && bits <= RSA_BITS.max ? jwk : undefined
  } catch {
    // A key that cannot be imported is skipped: the others must go on working (FEATURES.md, A12).
    return undefined
  }
}

/** An algorithm to try the import with, where the key names none. */
const ALGORITHM_OF: ReadonlyMap<string, string> = new Map([
  ['RSA', 'RS256'],
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
  ['Ed25519', 'EdDSA'],
])

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is not a set; the caller says so.
    return undefined
  }
}

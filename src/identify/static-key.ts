import { createPublicKey, type KeyObject } from 'node:crypto'
import type { CryptoKey } from 'jose'
import { GatewayError } from '../errors.ts'

/** A key that verifies, and the only algorithms it may be used with: never taken from the token (RFC 8725 §3.1). */
export interface StaticKey {
  readonly algorithms: readonly string[]
  readonly key: VerificationKey
}

/** What jose verifies with. */
export type VerificationKey = CryptoKey | KeyObject | Uint8Array

const HMAC_ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512']
const RSA_ALGORITHMS: readonly string[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const EDDSA_ALGORITHMS: readonly string[] = ['EdDSA', 'Ed25519']

/** Every algorithm whose key may be public. */
export const PUBLIC_KEY_ALGORITHMS: readonly string[] = [
  ...RSA_ALGORITHMS,
  ...['ES256', 'ES384', 'ES512'],
  ...EDDSA_ALGORITHMS,
]

const EC_ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
])

const SECRET_LENGTH_MIN = 32
const RSA_BITS_MIN = 2048

/** Secrets that stand in documentation everywhere, these seeds' included, whatever their length. */
const KNOWN_SECRETS = new Set([
  'secret',
  'your-256-bit-secret',
  'your-384-bit-secret',
  'your-512-bit-secret',
  'a-string-secret-at-least-256-bits-long',
  'your-jwt-secret',
  'your-secret-key',
  'your-super-secret-key',
  'my-super-secret-key-12345',
  'dev-key-min-32-chars-required!!',
  'your-secure-random-key-min-32-chars-required',
])

/**
 * The key of a shared secret, for HS256, HS384 and HS512.
 *
 * @throws GatewayError `config_invalid` for a PEM key, a secret out of somebody's documentation, or, outside development,
 * one of fewer than 32 characters.
 */
export function keyOfSecret(secret: string, { isDevelopment }: { readonly isDevelopment: boolean }): StaticKey {
  // The public half of a key pair as an HMAC secret lets everybody sign: the oldest attack on JWTs there is.
  if (secret.includes('-----BEGIN')) throw invalid('The shared secret is a PEM key. Set it as `publicKey` instead.')
  if (isPlaceholder(secret)) throw invalid(`The shared secret is a placeholder that everybody knows. ${HOW_TO_MAKE}`)
  if (secret.length < SECRET_LENGTH_MIN && (!isDevelopment || secret === '')) {
    const length = `has ${secret.length} characters and needs at least ${SECRET_LENGTH_MIN}`
    throw invalid(`The shared secret ${length}. ${HOW_TO_MAKE}`)
  }
  return { algorithms: HMAC_ALGORITHMS, key: new TextEncoder().encode(secret) }
}

/**
 * The key of a public key or certificate in PEM. A line break may be written as `\n`, as in environment variables.
 *
 * @throws GatewayError `config_invalid` for a private key, a kind or curve that no algorithm fits, or an RSA key under 2048 bits.
 */
export function keyOfPem(pem: string): StaticKey {
  const text = pem.replaceAll('\\n', '\n').trim()
  if (text.includes('PRIVATE KEY')) {
    throw invalid('The key is a private key, which only the issuer may have. Set its public half as `publicKey`.')
  }
  const key = parsePem(text)
  return { key, algorithms: algorithmsOf(key) }
}

const HOW_TO_MAKE = 'Make one with: openssl rand -base64 48'

function isPlaceholder(secret: string): boolean {
  const text = secret.trim().toLowerCase()
  return KNOWN_SECRETS.has(text) || /^(.)\1*$/s.test(text) || /^change[-_ ]?(me|this|it)/.test(text)
}

function parsePem(text: string): KeyObject {
  try {
    return createPublicKey(text)
  } catch (error) {
    const message =
      'The public key cannot be read: give a PEM that begins with `-----BEGIN PUBLIC KEY-----` or `-----BEGIN CERTIFICATE-----`.'
    throw new GatewayError('config_invalid', message, { cause: error })
  }
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'ed25519') return EDDSA_ALGORITHMS
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0
    if (bits < RSA_BITS_MIN) throw invalid(`The RSA key has ${bits} bits and needs at least ${RSA_BITS_MIN}.`)
    return RSA_ALGORITHMS
  }
  const algorithm = EC_ALGORITHMS.get(details?.namedCurve ?? '')
  if (algorithm !== undefined) return [algorithm]
  const kind = details?.namedCurve ?? key.asymmetricKeyType ?? 'unknown'
  throw invalid(`No JWT algorithm fits a ${kind} key. Use RSA, P-256, P-384, P-521 or Ed25519.`)
}

function invalid(message: string): GatewayError {
  return new GatewayError('config_invalid', message)
}

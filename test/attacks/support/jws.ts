import { constants, createHmac, type KeyObject, sign } from 'node:crypto'

/** Signs anything as a JWT, also what no library would: the attacker writes header, claims and algorithm as they like. */
export function forge(
  header: unknown,
  claims: unknown,
  signWith: (input: string, alg: string) => Buffer = () => Buffer.alloc(0),
): string {
  const input = `${encode(header)}.${encode(claims)}`
  const alg = typeof header === 'object' && header !== null ? String(Reflect.get(header, 'alg')) : ''
  return `${input}.${signWith(input, alg).toString('base64url')}`
}

/** HMAC under any bytes. */
export function hmacWith(secret: string | Uint8Array): (input: string, alg: string) => Buffer {
  return (input, alg) => createHmac(hashOf(alg), secret).update(input).digest()
}

/** A signature by a private key, in the algorithm's own way whether or not the key fits it. */
export function signWith(key: KeyObject): (input: string, alg: string) => Buffer {
  return (input, alg) => {
    const data = Buffer.from(input)
    if (key.asymmetricKeyType === 'ed25519') return sign(null, data, key)
    if (key.asymmetricKeyType === 'ec') return sign(hashOf(alg), data, { key, dsaEncoding: 'ieee-p1363' })
    if (!alg.startsWith('PS')) return sign(hashOf(alg), data, key)
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    return sign(hashOf(alg), data, { key, ...pss })
  }
}

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

function hashOf(alg: string): string {
  const bits = /\d{3}/.exec(alg)?.[0] ?? '256'
  return `sha${['256', '384', '512'].includes(bits) ? bits : '256'}`
}

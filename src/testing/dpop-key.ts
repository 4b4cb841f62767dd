import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'

type Members = Readonly<Record<string, unknown>>

/** A client's key, and the proofs that it signs (RFC 9449 §4.2). */
export interface DpopKey {
  readonly thumbprint: string
  /** A proof for this request; `claims` and `header` replace those of a good one. */
  proof(
    method: string,
    url: string,
    change?: { readonly token?: string; readonly claims?: Members; readonly header?: Members },
  ): Promise<string>
}

export async function makeDpopKey(now: () => number = Date.now): Promise<DpopKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    proof(method, url, { token, claims = {}, header = {} } = {}) {
      const good = { jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(now() / 1000) }
      const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
      return new SignJWT({ ...good, ...ath, ...claims })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header })
        .sign(privateKey)
    },
  }
}

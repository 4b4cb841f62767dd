import type { IncomingMessage } from 'node:http'
import { importJWK, jwtVerify } from 'jose'
import type { BenchSetup } from '../contender.ts'

/** Whether the request bears a valid token: signature, algorithm, issuer, audience and expiry, on every call. */
export type Verify = (request: IncomingMessage) => Promise<boolean>

/** The check that a careful server puts in front of the SDK: `jose`, with the key imported once. */
export async function verifyWithJose({ publicKey, issuer, audience }: BenchSetup): Promise<Verify> {
  const key = await importJWK(publicKey, 'ES256')
  const options = { algorithms: ['ES256'], issuer, audience, requiredClaims: ['exp', 'sub'] }
  return async ({ headers }) => {
    const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1]
    if (token === undefined) return false
    try {
      await jwtVerify(token, key, options)
      return true
    } catch {
      // Whatever is wrong with the token, the answer is 401.
      return false
    }
  }
}

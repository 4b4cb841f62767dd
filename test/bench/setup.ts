import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type BenchSetup, type Offer, UPSTREAM_MARKER } from './contender.ts'

/** A fresh key and a token that is good for an hour. */
export async function makeSetup(upstreamOrigin: string): Promise<BenchSetup> {
  const issuer = 'https://issuer.bench.example'
  const audience = 'https://mcp.bench.example/mcp'
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const token = await new SignJWT({ scope: 'items:read' })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('bench-user')
    .setJti('bench')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey)
  const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey)
  return { upstreamOrigin, token, publicKey: { kty, crv, x, y }, issuer, audience }
}

/**
 * Calls the contender once and reads the answer as a client would.
 *
 * @throws Error unless it is a success with the upstream's words in it: an error would be answered faster than a call.
 */
export async function expectSuccess(name: string, offer: Offer): Promise<void> {
  const response = await fetch(offer.url, { method: 'POST', headers: offer.headers, body: offer.body })
  const text = await response.text()
  const message: { result?: { isError?: boolean; content?: { type: string; text?: string }[] } } = JSON.parse(text)
  const said = message.result?.content?.find((block) => block.type === 'text')?.text ?? ''
  if (response.status !== 200 || message.result?.isError === true || !said.includes(UPSTREAM_MARKER)) {
    throw new Error(`${name} does not answer the call: HTTP ${response.status} ${text.slice(0, 300)}`)
  }
}

/** Whether the contender refuses the same call with a token whose signature is another one. */
export async function refusesForgery(offer: Offer): Promise<boolean> {
  const forged = (offer.headers['authorization'] ?? '').slice(0, -6).concat('AAAAAA')
  const headers = { ...offer.headers, authorization: forged }
  const response = await fetch(offer.url, { method: 'POST', headers, body: offer.body })
  await response.arrayBuffer()
  return response.status === 401
}

import { exportJWK, exportPKCS8, generateKeyPair, SignJWT } from 'jose'
import type { BenchSetup, Offer } from './contender.ts'
import type { TokenSigner } from './token-signer.ts'

/** The mean of the 2,640 API descriptions of `npm run corpus` is 48 operations, the median less than half of that. */
export const TOOLS_DEFAULT = 20

/** A fresh key and a token that is good for an hour. */
export async function makeSetup(upstreamOrigin: string, tools = TOOLS_DEFAULT): Promise<BenchSetup> {
  return (await makeSigningSetup(upstreamOrigin, tools)).setup
}

/** The same, with what signs more such tokens. */
export async function makeSigningSetup(
  upstreamOrigin: string,
  tools: number,
): Promise<{ setup: BenchSetup; signer: TokenSigner }> {
  const issuer = 'https://issuer.bench.example'
  const audience = 'https://mcp.bench.example/mcp'
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
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
  const setup = { upstreamOrigin, token, publicKey: { kty, crv, x, y }, issuer, audience, tools }
  return { setup, signer: { privateKeyPem: await exportPKCS8(privateKey), issuer, audience } }
}

/**
 * Calls the contender once and reads the answer as a client would.
 *
 * @throws Error unless it is a success with the upstream's words in it: an error would be answered faster than a call.
 */
export async function expectSuccess(
  name: string,
  offer: Offer,
  { speaksMcp }: { readonly speaksMcp: boolean },
): Promise<void> {
  const response = await fetch(offer.url, { method: 'POST', headers: offer.headers, body: offer.body })
  const text = await response.text()
  const message: { result?: { isError?: boolean; content?: { type: string; text?: string }[] } } = JSON.parse(text)
  const said = speaksMcp ? (message.result?.content?.find((block) => block.type === 'text')?.text ?? '') : text
  if (response.status !== 200 || message.result?.isError === true || !said.includes(offer.expects)) {
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

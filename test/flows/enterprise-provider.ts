import { once } from 'node:events'
import { createServer } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'

const ISSUER = 'https://idp.enterprise.example'

/** An enterprise's identity provider: its published keys, and the assertions that it signs. */
export interface EnterpriseProvider extends AsyncDisposable {
  readonly issuer: string
  /** `oauth.enterpriseProviders` for it. */
  readonly settings: Readonly<Record<string, unknown>>
  /** An assertion for this workspace; `claims` and `header` replace those of a good one, `key` its key. */
  assertion(
    resource: string,
    change?: {
      readonly claims?: Readonly<Record<string, unknown>>
      readonly header?: Readonly<Record<string, unknown>>
      readonly key?: CryptoKey
    },
  ): Promise<string>
}

export async function startEnterpriseProvider(clients: readonly string[]): Promise<EnterpriseProvider> {
  const pair = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(pair.publicKey)), alg: 'ES256', kid: 'idp-1', use: 'sig' }
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify({ keys: [jwk] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    issuer: ISSUER,
    settings: { issuer: ISSUER, jwksUrl: `http://127.0.0.1:${port}/keys`, clients, domains: ['example.com'] },
    assertion(resource, { claims = {}, header = {}, key = pair.privateKey } = {}) {
      const nowSeconds = Math.floor(Date.now() / 1000)
      const good = {
        ...{ iss: ISSUER, sub: 'employee-7', aud: new URL(resource).origin, resource, client_id: clients[0] },
        ...{ jti: crypto.randomUUID(), iat: nowSeconds, exp: nowSeconds + 300, email: 'ada@example.com' },
      }
      return new SignJWT({ ...good, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'idp-1', typ: 'oauth-id-jag+jwt', ...header })
        .sign(key)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

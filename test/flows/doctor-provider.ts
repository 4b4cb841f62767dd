import type { RequestListener } from 'node:http'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { z } from 'zod'
import { type Listening, serve } from './doctor-stand.ts'

const CLIENT = { id: 'agent', secret: 'agent-secret-agent-secret-agent-secret' }
const KEY_ID = 'idp-1'

/** A real identity provider, `oidc-provider`, whose key the tests can sign odd tokens with too. */
export interface Provider extends Listening {
  /** An access token by the client credentials grant, for this resource. */
  grant(resource: string): Promise<string>
  /** Signs whatever claims with the provider's own key; a member that is undefined is left out. */
  sign(claims: JWTPayload, header?: Readonly<Record<string, unknown>>): Promise<string>
  /** Answers like this where it says true; undefined: well again. */
  fault: ((path: string) => RequestListener | undefined) | undefined
  /** Its client's secret, which no report may hold. */
  readonly secret: string
}

export async function startProvider(): Promise<Provider> {
  const made: { answer?: RequestListener; provider?: Provider } = {}
  const server = await serve((request, response) => {
    const fault = made.provider?.fault?.(request.url ?? '')
    if (fault !== undefined) fault(request, response)
    else made.answer?.(request, response)
  })
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  // The package has no types, so it is imported without any.
  const { default: OidcProvider } = await import(import.meta.resolve('oidc-provider'))
  const getResourceServerInfo = (_context: unknown, resource: string) => ({
    ...{ scope: 'mcp', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 },
  })
  const provider = new OidcProvider(server.url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: KEY_ID }] },
    cookies: { keys: ['a cookie key of this test'] },
    clients: [
      {
        ...{ client_id: CLIENT.id, client_secret: CLIENT.secret, grant_types: ['client_credentials'] },
        ...{ redirect_uris: [], response_types: [] },
      },
    ],
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo },
    },
  })
  made.answer = provider.callback()
  made.provider = {
    ...server,
    fault: undefined,
    secret: CLIENT.secret,
    grant: (resource) => grant(server.url, resource),
    sign: (claims, header = {}) =>
      new SignJWT({ iss: server.url, sub: 'ada', iat: seconds(0), exp: seconds(600), ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: KEY_ID, ...header })
        .sign(privateKey),
  }
  return made.provider
}

/** So many seconds from now, as tokens have it. */
export function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow
}

async function grant(issuer: string, resource: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'mcp' }),
  })
  return z.object({ access_token: z.string() }).parse(await response.json()).access_token
}

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { decodeJwt } from 'jose'
import { sha256 } from '../crypto/hash.ts'
import { createKeyring } from '../crypto/keyring.ts'
import { randomSecret } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import type { OauthItems } from '../store/oauth-items.ts'
import { openMemoryItems } from '../store/oauth-items-memory.ts'
import { openSessionStorage, type SessionStorage } from './session-storage.ts'

export const CLIENT = 'app'
/** The same at every start, as a workspace's URL is. */
const RESOURCE = 'https://gateway.example/shop'
export const PERSON = 'ada@example.com'
export const TEST_KEY = 'an encryption key of these tests, long enough'
const REDIRECT = 'http://127.0.0.1/callback'

/** What the token endpoint said. */
export interface TokenReply {
  readonly status: number
  readonly text: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly error: string
  readonly description: string
}

/** An answer that has not left yet. */
export interface HeldAnswer {
  readonly body: unknown
  readonly res: ServerResponse
}

export interface TokenEndpointOptions {
  readonly items?: OauthItems
  readonly now?: () => number
  readonly encryptionKey?: string
  /** Given, it stays at the same issuer over restarts of the process. */
  readonly port?: number
  /** Called in every request after the library is done and before anything is kept, with the answer that it has made. */
  readonly beforeCommit?: (answer: HeldAnswer) => Promise<void> | void
}

export interface TokenEndpoint extends AsyncDisposable {
  readonly url: string
  readonly resource: string
  readonly storage: SessionStorage
  /** A code for a person who has signed in and agreed, without the pages. */
  makeCode(options?: { clientId?: string; person?: string }): Promise<{ code: string; verifier: string }>
  redeem(code: { code: string; verifier: string }): Promise<TokenReply>
  refresh(refreshToken: string, more?: Readonly<Record<string, string>>): Promise<TokenReply>
  post(body: Readonly<Record<string, string>>, path?: string): Promise<TokenReply>
  /** Waits for the requests that run, also those whose client is gone. */
  idle(): Promise<void>
  /** Whether a token of this endpoint was revoked. */
  isRevoked(accessToken: string): boolean
}

/** A real `oidc-provider` over the session storage. */
export async function startTokenEndpoint(options: TokenEndpointOptions = {}): Promise<TokenEndpoint> {
  const { now = Date.now, items = openMemoryItems(), encryptionKey = TEST_KEY, beforeCommit } = options
  const keyring = createKeyring(encryptionKey)
  const storage = await openSessionStorage({ items, keyring, now, tokenLifeMs: 3_600_000 })
  let answer = (_request: IncomingMessage, response: ServerResponse): unknown => response.end()
  const running = new Set<Promise<unknown>>()
  const server = createServer((request, response) => {
    const answered = Promise.resolve(answer(request, response)).finally(() => running.delete(answered))
    running.add(answered)
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const url = `http://127.0.0.1:${address.port}`
  const provider = await newProvider(url, { ...storage, beforeCommit })
  answer = provider.callback()

  async function post(body: Readonly<Record<string, string>>, path = '/token'): Promise<TokenReply> {
    const response = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(body) })
    const text = await response.text()
    return { status: response.status, text, ...tokenFields(text.startsWith('{') ? JSON.parse(text) : {}) }
  }

  return {
    url,
    resource: RESOURCE,
    storage,
    async makeCode({ clientId = CLIENT, person = PERSON } = {}) {
      const verifier = randomSecret(32)
      const grant = new provider.Grant({ accountId: person, clientId })
      grant.addResourceScope(RESOURCE, 'mcp')
      const grantId = await grant.save()
      const code = new provider.AuthorizationCode({
        ...{ accountId: person, grantId, scope: 'mcp', resource: [RESOURCE], redirectUri: REDIRECT },
        ...{ client: await provider.Client.find(clientId), gty: 'authorization_code', sessionUid: 'of a browser' },
        ...{ codeChallenge: sha256(verifier), codeChallengeMethod: 'S256' },
      })
      return { code: await code.save(), verifier }
    },
    redeem: ({ code, verifier }) =>
      post({
        ...{ grant_type: 'authorization_code', client_id: CLIENT, redirect_uri: REDIRECT },
        ...{ code, code_verifier: verifier },
      }),
    refresh: (refreshToken, more = {}) =>
      post({ grant_type: 'refresh_token', client_id: CLIENT, refresh_token: refreshToken, ...more }),
    post,
    idle: async () => void (await Promise.all(running)),
    isRevoked: (accessToken) => {
      const { grant_id: grantId, client_id: clientId, sub, iat } = decodeJwt(accessToken)
      assert.ok(typeof grantId === 'string' && typeof clientId === 'string' && sub !== undefined && iat !== undefined)
      return storage.revocations.isRevoked({ grantId, clientId, subject: sub, issuedAtSeconds: iat })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await storage.close()
      await items.close()
    },
  }
}

type ProviderParts = Pick<SessionStorage, 'adapter' | 'commitAnswer'> & Pick<TokenEndpointOptions, 'beforeCommit'>

/** The package has no types, so it is imported without any. */
async function newProvider(issuer: string, { adapter, commitAnswer, beforeCommit }: ProviderParts) {
  const { default: Provider } = await import(import.meta.resolve('oidc-provider'))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const client = (id: string) => ({
    ...{ client_id: id, token_endpoint_auth_method: 'none', redirect_uris: [REDIRECT], application_type: 'native' },
    ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
    id_token_signed_response_alg: 'ES256',
  })
  const provider = new Provider(issuer, {
    adapter,
    clients: [client(CLIENT), client('other')],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'k' }] },
    cookies: { keys: ['a cookie key of these tests'] },
    scopes: ['mcp'],
    ttl: { Grant: 1_209_600, RefreshToken: 604_800, AuthorizationCode: 600, AccessToken: 3_600 },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    extraTokenClaims: (_context: unknown, token: { grantId?: string }) => ({ grant_id: token.grantId }),
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          ...{ scope: 'mcp', audience: resource, accessTokenTTL: 3_600 },
          ...{ accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
        }),
      },
    },
  })
  // In place of http/error-response.ts, which answers so around the library.
  provider.use(async (context: { status: number; body: unknown }, next: () => Promise<void>) => {
    try {
      await next()
    } catch (error) {
      context.status = error instanceof GatewayError && error.code === 'unavailable' ? 503 : 500
      context.body = { error: 'server_error' }
    }
  })
  provider.use(commitAnswer)
  provider.use(async (context: HeldAnswer, next: () => Promise<void>) => {
    await next()
    await beforeCommit?.(context)
  })
  return provider
}

/** The fields of an answer, empty where it has none. */
export function tokenFields(body: unknown): Omit<TokenReply, 'status' | 'text'> {
  const entries = new Map(typeof body === 'object' && body !== null ? Object.entries(body) : [])
  const field = (name: string) => String(entries.get(name) ?? '')
  return {
    accessToken: field('access_token'),
    refreshToken: field('refresh_token'),
    error: field('error'),
    description: field('error_description'),
  }
}

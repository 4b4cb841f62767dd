import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { type Answered, send } from './http.ts'
import { Browser, type OAuthStand, signInAndAllow } from './oauth-stand.ts'

export const REDIRECT = 'http://localhost:7777/callback'

/** http is allowed: the gateway of a test listens on loopback. */
export const insecure = { [oauth.allowInsecureRequests]: true }

/** What the token endpoint gave. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly scope: string
}

export interface AskOptions {
  readonly endpoint?: string
  readonly scope?: string | undefined
  readonly params?: Readonly<Record<string, string>>
  readonly browser?: Browser
  readonly email?: string
}

/** A client that checks whatever it is told against the RFCs (`oauth4webapi`), and stops at the first thing that is wrong. */
export class StrictClient {
  readonly server: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly auth: oauth.ClientAuth
  readonly stand: OAuthStand

  private constructor(stand: OAuthStand, server: oauth.AuthorizationServer, client: oauth.Client) {
    this.stand = stand
    this.server = server
    this.client = client
    this.auth = typeof client.client_secret === 'string' ? oauth.ClientSecretBasic(client.client_secret) : oauth.None()
  }

  /** Finds the server from a bare 401 and registers. `metadata` is added to the registration. */
  static async register(
    stand: OAuthStand,
    metadata: Readonly<Record<string, oauth.JsonValue>> = {},
  ): Promise<StrictClient> {
    const server = await discover(stand.endpoint)
    const asked = { client_name: 'Strict', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', ...metadata }
    const response = await oauth.dynamicClientRegistrationRequest(server, asked, insecure)
    return new StrictClient(stand, server, await oauth.processDynamicClientRegistrationResponse(response))
  }

  /** The same as another public client. */
  as(client_id: string): StrictClient {
    return new StrictClient(this.stand, this.server, { client_id, token_endpoint_auth_method: 'none' })
  }

  /** An authorization request, with its secret. */
  async request({ endpoint = this.stand.endpoint, scope, params = {} }: AskOptions = {}) {
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const url = new URL(this.server.authorization_endpoint ?? '')
    url.search = new URLSearchParams({
      client_id: this.client.client_id,
      redirect_uri: REDIRECT,
      response_type: 'code',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource: endpoint,
      state,
      ...(scope === undefined ? {} : { scope }),
      ...params,
    }).toString()
    return { url: url.href, verifier, state }
  }

  /** The whole way: a person signs in, allows it, and the code is redeemed. */
  async connect(options: AskOptions = {}): Promise<Tokens> {
    const { url, verifier, state } = await this.request(options)
    const browser = options.browser ?? new Browser(this.stand.gateway.url)
    const back = await signInAndAllow(browser, url, options.email)
    const checked = oauth.validateAuthResponse(this.server, this.client, back, state)
    return this.redeem(checked, verifier, options.endpoint)
  }

  async redeem(checked: URLSearchParams, verifier: string, endpoint = this.stand.endpoint): Promise<Tokens> {
    const response = await oauth.authorizationCodeGrantRequest(
      ...([this.server, this.client, this.auth, checked, REDIRECT, verifier] as const),
      { ...insecure, additionalParameters: { resource: endpoint } },
    )
    return tokensOf(await oauth.processAuthorizationCodeResponse(this.server, this.client, response))
  }

  async refresh(refreshToken: string, params: Readonly<Record<string, string>> = {}): Promise<Tokens> {
    const response = await oauth.refreshTokenGrantRequest(this.server, this.client, this.auth, refreshToken, {
      ...insecure,
      additionalParameters: { ...params },
    })
    return tokensOf(await oauth.processRefreshTokenResponse(this.server, this.client, response))
  }

  /** A request to the token endpoint as it stands on the wire. */
  token(form: Readonly<Record<string, string>>): Promise<Answered> {
    return postForm(this.server.token_endpoint ?? '', { client_id: this.client.client_id, ...form })
  }
}

/** What a form post gets. */
export function postForm(url: string, form: Readonly<Record<string, string>>): Promise<Answered> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return send('POST', url, { body: new URLSearchParams(form).toString(), headers })
}

/** The authorization server of an endpoint that answers 401. */
async function discover(endpoint: string): Promise<oauth.AuthorizationServer> {
  const refused = await fetch(endpoint, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
  await refused.body?.cancel()
  assert.equal(refused.status, 401)
  const [, metadataUrl = ''] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
  const resource = new URL(endpoint)
  const metadata = await oauth.resourceDiscoveryRequest(resource, insecure)
  assert.equal(metadata.url, metadataUrl)
  const { authorization_servers: [issuer = ''] = [] } = await oauth.processResourceDiscoveryResponse(resource, metadata)
  const found = await oauth.discoveryRequest(new URL(issuer), { ...insecure, algorithm: 'oauth2' })
  const server = await oauth.processDiscoveryResponse(new URL(issuer), found)
  // Letter by letter, which the client is not (RFC 8414 §3.3).
  assert.equal(server.issuer, issuer)
  return server
}

function tokensOf(answer: oauth.TokenEndpointResponse): Tokens {
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? '',
    scope: typeof answer.scope === 'string' ? answer.scope : '',
  }
}

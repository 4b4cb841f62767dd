import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { close, listen, originOf, splitTarget } from '../test-api/wire.ts'

type Members = Readonly<Record<string, unknown>>

/** What it does wrong, or otherwise than `oidc-provider` would. Each can be set between two requests. */
export interface Misbehaviour {
  /** Told before it answers; true: this has answered, or never will. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
  metadata?: (metadata: Members) => Members
  /** Takes the claims of an id_token and gives others, signed like before unless `signature` says otherwise. */
  claims?: (claims: JWTPayload) => JWTPayload
  /** `unsigned`: `alg` is `none`. `foreign`: by a key that is not in the key set. */
  signature?: 'unsigned' | 'foreign'
  /** Leaves `iss` out of authorization responses, as providers do that came before RFC 9207. */
  withoutIss?: boolean
  /** The person says no. */
  refuses?: boolean
}

/** A real OpenID provider on a free loopback port, at which `person` is always signed in. */
export interface IdentityProvider extends AsyncDisposable {
  readonly url: string
  /** Claims of the person; `sub` too. */
  person: Members
  misbehaviour: Misbehaviour
  /** Paths of the requests that came, oldest first. */
  readonly seen: readonly string[]
  /** Registers a client (RFC 7591 §2) whose redirect URI was not known at the start. */
  register(client: Members & { readonly client_id: string }): Promise<void>
  /** How often an address was asked for. */
  count(path: string): number
}

export interface IdentityProviderOptions {
  /** Metadata of registered clients (RFC 7591 §2). */
  readonly clients: readonly Members[]
  /** Claims about the person stand in the id_token too, not at userinfo only. Default: true. */
  readonly claimsInIdToken?: boolean
}

/** Starts `oidc-provider` with PKCE required. Whoever comes to its sign-in page is signed in at once, and has agreed. */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const seen: string[] = []
  const state: Pick<IdentityProvider, 'person' | 'misbehaviour'> = {
    person: { sub: 'person-1', email: 'ada@example.com', email_verified: true, name: 'Ada' },
    misbehaviour: {},
  }
  const server = createServer((request, response) => {
    const { path } = splitTarget(request.url ?? '/')
    seen.push(path)
    if (state.misbehaviour.intercept?.(request, response) !== true) handle(request, response)
  })
  const url = originOf('127.0.0.1', await listen(server, { host: '127.0.0.1', port: 0 }))
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const foreign = await generateKeyPair('RS256')
  // The package has no types, so it is imported without any.
  const { default: Provider } = await import(import.meta.resolve('oidc-provider'))
  const provider = new Provider(url, {
    ...settings(options, () => state.person),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: 'idp-1' }] },
  })
  provider.use(async (context: AnswerContext, next: () => Promise<void>) => {
    await next()
    const location = context.response.get('location')
    if (state.misbehaviour.withoutIss === true && location)
      context.set('location', location.replace(/[?&]iss=[^&]+/, ''))
    const { body } = context
    if (body === undefined) return
    if (context.oidc?.route === 'discovery') context.body = state.misbehaviour.metadata?.(body) ?? body
    if (context.oidc?.route !== 'token' || typeof body['id_token'] !== 'string') return
    const { claims, signature } = state.misbehaviour
    if (claims === undefined && signature === undefined) return
    const before: JWTPayload = JSON.parse(Buffer.from(body['id_token'].split('.')[1] ?? '', 'base64url').toString())
    const after = claims?.(before) ?? before
    const key = signature === 'foreign' ? foreign.privateKey : privateKey
    const idToken = signature === 'unsigned' ? unsigned(after) : await signed(after, key)
    context.body = { ...body, id_token: idToken }
  })
  const answer = provider.callback()
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/interaction/')) {
      answer(request, response)
      return
    }
    const refusal = { error: 'access_denied', error_description: 'The person said no.' }
    const result = state.misbehaviour.refuses === true ? refusal : { login: { accountId: state.person['sub'] } }
    provider.interactionFinished(request, response, result).catch(() => response.destroy())
  }
  return Object.assign(state, {
    url,
    seen,
    register: (client: { readonly client_id: string }) => provider.Client.adapter.upsert(client.client_id, client),
    count: (path: string) => seen.filter((one) => one === path).length,
    [Symbol.asyncDispose]: () => close(server),
  })
}

function settings({ clients, claimsInIdToken = true }: IdentityProviderOptions, person: () => Members): Members {
  return {
    clients,
    cookies: { keys: ['a cookie key of this test'] },
    conformIdTokenClaims: !claimsInIdToken,
    claims: { openid: ['sub', 'hd', 'tid', 'xms_edov'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_context: unknown, accountId: string) => ({ accountId, claims: async () => person() }),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'ES256', 'Ed25519'] },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false } },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    pkce: { required: () => true },
    // Whatever is asked for was agreed to.
    loadExistingGrant: async (context: AgreeContext) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  }
}

interface AnswerContext {
  readonly oidc?: { readonly route?: string }
  readonly response: { get(name: string): string }
  set(name: string, value: string): void
  body?: Members
}

interface AgreeContext {
  readonly oidc: {
    readonly provider: {
      readonly Grant: new (of: Members) => { addOIDCScope(scope: string): void; save(): Promise<void> }
    }
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
  }
}

function signed(claims: JWTPayload, key: CryptoKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'idp-1' }).sign(key)
}

function unsigned(claims: JWTPayload): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encode({ alg: 'none' })}.${encode(claims)}.`
}

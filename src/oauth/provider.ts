import type * as Library from 'oidc-provider'
import type { Provider, ProviderContext } from 'oidc-provider'
import { PROOF_ALGORITHMS } from '../identify/dpop.ts'
import type { ModelAdapter } from './adapter.ts'
import { redirectProblem } from './client-policy.ts'
import { FLOW_SECONDS, LIBRARY_COOKIES, SESSION_SECONDS } from './cookies.ts'
import { externalKey, type ProviderKeys } from './external-key.ts'
import { assertionChecker } from './grants/client-assertion.ts'
import type { OAuthClientSettings } from './grants/client-settings.ts'
import { DEVICE_CODE_SECONDS, deviceFlow } from './grants/device-flow.ts'
import { GRANT_TYPE_OF } from './grants/grant-types.ts'
import { claimsOfGrant } from './grants/issue-token.ts'
import type { EnterpriseProvider } from './grants/jwt-bearer.ts'
import { KnownClients } from './grants/known-clients.ts'
import { registerGrants } from './grants/register-grants.ts'
import type { VerifySubject } from './grants/subject-token.ts'
import { badRequestPage } from './pages/message-page.ts'
import type { Pages } from './pages/page.ts'
import { type Principal, type Principals, personClaims } from './principals.ts'
import { findResource, type OAuthResources } from './resources.ts'
import { ROUTES } from './routes.ts'
import type { OAuthSettings } from './settings.ts'
import { PERSON_SCOPES } from './workspace-scopes.ts'

/** The grants that every client can use. The others are for those of the settings (`grants/`). */
export const GRANT_TYPES = ['authorization_code', 'refresh_token'] as const

/** What was allowed is asked for again after so long. */
export const GRANT_SECONDS = 365 * 86_400
/** Half of what RFC 6749 §4.1.2 recommends at most. */
const CODE_SECONDS = 300

export interface ProviderOptions {
  /** Our public URL, exactly. */
  readonly issuer: string
  readonly settings: OAuthSettings
  readonly keys: ProviderKeys
  readonly resources: OAuthResources
  readonly principals: Principals
  readonly adapter: (model: string) => ModelAdapter
  readonly pages: Pages
  /** How client metadata documents and keys of clients are fetched. */
  readonly fetch: (url: string | URL, options: RequestInit) => Promise<Response>
  readonly enterprises: readonly EnterpriseProvider[]
  /** How tokens are verified that clients exchange. */
  readonly verifySubject: VerifySubject
  /** Told of what the library could not do. */
  readonly onServerError: (error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Sets the library up. `library` is what was imported. */
export function createProvider(library: typeof Library, options: ProviderOptions): Provider {
  const provider = new library.Provider(options.issuer, configuration(library, options))
  // The only requests that it sees are those of `provider-exchange.ts`, whose forwarding headers we wrote ourselves.
  provider.proxy = true
  registerGrants(provider, {
    ...{ library, publicUrl: options.issuer, resources: options.resources, now: options.now },
    clients: new KnownClients(options.settings.clients),
    accessTokenTtlSeconds: options.settings.accessTokenTtlSeconds,
    ...{ principals: options.principals, verifySubject: options.verifySubject, enterprises: options.enterprises },
  })
  provider.on('server_error', (_context: unknown, error: unknown) => options.onServerError(error))
  provider.on('error', options.onServerError)
  return provider
}

function configuration(library: typeof Library, options: ProviderOptions): Record<string, unknown> {
  const { settings, keys, adapter, principals, pages } = options
  return {
    adapter,
    jwks: { keys: [externalKey(library, keys)] },
    clients: settings.clients.map(configuredClient),
    clientDefaults: {
      // Without it a client would count as `web`: loopback ports and schemes such as cursor:// would be refused.
      application_type: 'native',
      grant_types: [...GRANT_TYPES],
      id_token_signed_response_alg: 'ES256',
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    enabledJWA: { dPoPSigningAlgValues: [...PROOF_ALGORITHMS] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    assertJwtClientAuthClaimsAndHeader: assertionChecker(library, options.now),
    // Who may read answers is decided before the library is asked, as for every other surface.
    clientBasedCORS: () => true,
    cookies: { names: LIBRARY_COOKIES, keys: [] },
    responseTypes: ['code'],
    pkce: { required: () => true },
    routes: ROUTES.library,
    scopes: [...PERSON_SCOPES],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    ttl: lifetimes(settings),
    // With a scope or without: who signs in to an MCP server stays signed in.
    issueRefreshToken: async (_context: unknown, client: Library.Client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => true,
    // Sign-out takes back the grants themselves (`grants.ts`); a browser session that merely ends does not.
    expiresWithSession: async () => false,
    // Each consent is a grant of its own: none is extended without a word, and one can be taken back alone.
    loadExistingGrant: async ({ oidc }: ProviderContext) => {
      const grantId = oidc.result?.consent?.grantId
      return grantId === undefined ? undefined : provider(oidc).Grant.find(grantId)
    },
    revokeGrantPolicy: () => true,
    findAccount: async (_context: unknown, id: string) => accountOf(await principals.find(id)),
    // Nothing of the person: clients read their tokens, and what they may know of somebody is a scope of its own.
    extraTokenClaims: (_context: unknown, token: { grantId?: string }) => ({
      ...claimsOfGrant(token),
      // By it a token dies with what was allowed.
      grant_id: token.grantId,
    }),
    renderError: async (context: ProviderContext, out: Readonly<Record<string, string>>) => {
      const title = 'This did not work'
      const { error = '', error_description: detail = '' } = out
      const page = pages.page({ status: context.status, title, body: badRequestPage({ title, error, detail }) })
      context.set({ ...page.headers })
      context.type = 'html'
      context.body = page.body
    },
    interactions: {
      policy: policy(library),
      url: (_context: unknown, { uid }: { uid: string }) => `${options.issuer}${ROUTES.signIn}/${uid}`,
    },
    fetch: options.fetch,
    features: features(library, options),
    enableHttpPostMethods: false,
    acceptQueryParamAccessTokens: false,
  }
}

/** The context's own provider: the library hands it out there. */
function provider(oidc: Library.OIDCContext): Provider {
  return oidc.provider
}

function features(library: typeof Library, options: ProviderOptions): Record<string, unknown> {
  const { registration } = options.settings
  const clients = new KnownClients(options.settings.clients)
  return {
    devInteractions: { enabled: false },
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    registration: { enabled: registration.enabled, issueRegistrationAccessToken: false },
    clientIdMetadataDocument: {
      enabled: registration.metadataDocuments,
      ack: 'draft-02',
      allowClient: async (_context: unknown, { redirectUris }: Library.Client) =>
        redirectUris.every((uri) => redirectProblem(uri) === undefined),
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    deviceFlow: clients.someHave('device_code')
      ? {
          enabled: true,
          ...deviceFlow({ publicUrl: options.issuer, pages: options.pages, resources: options.resources }),
        }
      : { enabled: false },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // `request-parameters.ts` has put it in already; whoever refreshes without one gets what was granted.
      defaultResource: async (_context: unknown, _client: unknown, oneOf: unknown) => oneOf,
      useGrantedResource: async () => true,
      getResourceServerInfo: (context: ProviderContext, resource: string) =>
        resourceServer(library, context, resource, { ...options, clients }),
    },
  }
}

/** What a token for this workspace may hold, for whoever asks (RFC 8707 §2). */
async function resourceServer(
  library: typeof Library,
  { oidc }: ProviderContext,
  resource: string,
  { resources, principals, issuer, settings, clients }: ProviderOptions & { readonly clients: KnownClients },
): Promise<Record<string, unknown>> {
  const { InvalidTarget, CustomOIDCProviderError, UnauthorizedClient } = library.errors
  // A client may be a document that it wrote itself, and say there what it likes.
  if (!clients.mayUse(oidc.client?.clientId ?? '', grantTypeOf(oidc))) throw new UnauthorizedClient()
  const found = findResource(resource, { resources, publicUrl: issuer })
  if (found === undefined) throw new InvalidTarget('there is no such workspace here')
  const personId = oidc.account?.accountId ?? oidc.session?.accountId
  const principal = personId === undefined ? undefined : await principals.find(personId)
  // At a refresh nobody else asks: who is no longer a member gets nothing more.
  if (oidc.route === 'token' && (principal === undefined || !principals.mayUse(principal, found))) {
    // RFC 6749 §5.2. By another code clients keep the token and never ask who else may.
    throw new CustomOIDCProviderError('invalid_grant', 'this person may not use the workspace')
  }
  const forAdmins = principal !== undefined && principals.isAdmin(principal, found) ? found.forAdmins : []
  return {
    scope: [...PERSON_SCOPES, ...found.ordinary, ...forAdmins].join(' '),
    audience: found.url,
    accessTokenFormat: 'jwt',
    accessTokenTTL: settings.accessTokenTtlSeconds,
    jwt: { sign: { alg: 'ES256' } },
  }
}

/** The grant that a request is about; empty where it is for everybody. */
function grantTypeOf({ route, params }: Library.OIDCContext): string {
  return route === 'device_authorization' ? GRANT_TYPE_OF.device_code : String(params?.['grant_type'] ?? '')
}

/** Consent every time: the library would ask once a client and session (THREATS.md, T5). */
function policy({ interactionPolicy }: typeof Library): unknown {
  const prompts = interactionPolicy.base()
  const always = new interactionPolicy.Check(
    'every_time',
    'consent is asked for every time',
    'consent_required',
    ({ oidc }) => oidc.result?.consent === undefined,
  )
  prompts.get('consent')?.checks.add(always)
  return prompts
}

function lifetimes(settings: OAuthSettings): Record<string, unknown> {
  return {
    AccessToken: settings.accessTokenTtlSeconds,
    AuthorizationCode: CODE_SECONDS,
    DeviceCode: DEVICE_CODE_SECONDS,
    RefreshToken: settings.refreshTokenTtlSeconds,
    IdToken: settings.accessTokenTtlSeconds,
    Interaction: FLOW_SECONDS,
    Session: SESSION_SECONDS,
    Grant: GRANT_SECONDS,
  }
}

function configuredClient(client: OAuthClientSettings): Record<string, unknown> {
  const { id, name, redirectUris, grants } = client
  return {
    ...{ client_id: id, client_name: name, redirect_uris: [...redirectUris], ...proofOf(client) },
    grant_types: grants.map((grant) => GRANT_TYPE_OF[grant]),
    response_types: grants.includes('authorization_code') ? ['code'] : [],
  }
}

/** How the client proves itself. A secret may stand in the header or in the body: the library takes either. */
function proofOf({ secret, jwks, jwksUrl }: OAuthClientSettings): Record<string, unknown> {
  if (secret !== undefined) return { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }
  if (jwks !== undefined) return { jwks, token_endpoint_auth_method: 'private_key_jwt' }
  if (jwksUrl !== undefined) return { jwks_uri: jwksUrl, token_endpoint_auth_method: 'private_key_jwt' }
  return { token_endpoint_auth_method: 'none' }
}

/** The account as the library wants it. Claims are those of the scopes that were granted. */
function accountOf(principal: Principal | undefined) {
  if (principal === undefined) return undefined
  return { accountId: principal.id, claims: async () => ({ sub: principal.id, ...personClaims(principal) }) }
}

import type * as Library from 'oidc-provider'
import type { Keyring } from '../crypto/keyring.ts'
import type { Egress } from '../egress/egress.ts'
import type { Exchange } from '../http/exchange.ts'
import { KeySet } from '../identify/key-set.ts'
import type { AuditEvent } from '../records/audit-event.ts'
import { AuthorizationServer } from './authorization-server.ts'
import { boundToIssuer } from './bound-to-issuer.ts'
import { Connections } from './connections.ts'
import { Cookies } from './cookies.ts'
import { withoutEnded } from './ended-sign-ins.ts'
import type { ProviderKeys } from './external-key.ts'
import { FederatedSignIn } from './federated-sign-in.ts'
import type { SignInProvider } from './federation/sign-in-provider.ts'
import { fetchThrough } from './fetch-through.ts'
import { KnownClients } from './grants/known-clients.ts'
import type { VerifySubject } from './grants/subject-token.ts'
import { SurfaceLimits } from './limits.ts'
import { createPages } from './pages/page.ts'
import type { Principals } from './principals.ts'
import { createProvider, GRANT_SECONDS } from './provider.ts'
import { RegisteredClients } from './registered-clients.ts'
import type { OAuthResources } from './resources.ts'
import type { SessionStorage } from './session-storage.ts'
import type { OAuthSettings } from './settings.ts'
import { SignIn } from './sign-in.ts'
import { SignOut } from './sign-out.ts'
import { UserInfo, type VerifyAccessToken } from './userinfo.ts'

export interface AuthorizationServersOptions {
  readonly settings: OAuthSettings
  /** There is one issuer, whoever asks. */
  readonly isOnly: boolean
  /** What of everything belongs to one issuer. */
  readonly forIssuer: (issuer: string) => IssuerParts
  readonly principals: Principals
  readonly providers: readonly SignInProvider[]
  /** Told of what is refused without a record. */
  readonly onRefused: (exchange: Exchange, error: unknown) => void
  readonly storage: SessionStorage
  readonly keys: ProviderKeys
  readonly keyring: Keyring
  readonly egress: Egress
  /** Writes to the audit. */
  readonly note: (event: AuditEvent) => Promise<void>
  /** Told of what is no fault of the caller, perhaps twice. */
  readonly onServerError: (error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** How workspaces and tokens look to one issuer. */
export interface IssuerParts {
  readonly resources: OAuthResources
  readonly verifyAccessToken: VerifyAccessToken
  readonly verifySubject: VerifySubject
}

/** Sets up what all issuers share. Loads the library: call it only where a workspace takes our tokens. */
export async function openAuthorizationServers(options: AuthorizationServersOptions): Promise<AuthorizationServers> {
  return new AuthorizationServers(await import('oidc-provider'), options)
}

/**
 * Our authorization server, once for each issuer: the library has one all its life. Keys, storage, clients, pages and limits are
 * the same; what is under way at one issuer is not there at another.
 */
export class AuthorizationServers {
  readonly #library: typeof Library
  readonly #options: AuthorizationServersOptions
  readonly #shared: ReturnType<typeof sharedParts>
  readonly #byIssuer = new Map<string, AuthorizationServer>()

  constructor(library: typeof Library, options: AuthorizationServersOptions) {
    this.#library = library
    this.#options = options
    this.#shared = sharedParts(options)
  }

  /** `issuer`: one of `Issuers`, which are a closed set. That is what bounds the map. */
  of(issuer: string): AuthorizationServer {
    const made = this.#byIssuer.get(issuer) ?? this.#make(issuer)
    this.#byIssuer.set(issuer, made)
    return made
  }

  #make(issuer: string): AuthorizationServer {
    const { settings, storage, principals, keyring, onRefused, onServerError, note, isOnly } = this.#options
    const { pages, clients, connections, limits, hasDevices, ...ofLibrary } = this.#shared
    const { resources, verifyAccessToken, verifySubject } = this.#options.forIssuer(issuer)
    const adapter = withoutEnded(boundToIssuer(storage.adapter, issuer), storage.revocations)
    const provider = createProvider(this.#library, {
      ...{ ...ofLibrary, issuer, settings, resources, principals, pages, verifySubject },
      ...{ keys: this.#options.keys, onServerError, now: this.#options.now },
      adapter: (model) => (model === 'Client' ? clients.adapter : adapter(model)),
    })
    // Before everything else: what a request has changed is kept before its answer leaves.
    provider.use(storage.commitAnswer)
    const cookies = new Cookies(keyring, issuer)
    const federated = new FederatedSignIn({
      ...{ publicUrl: issuer, principals, cookies },
      ...{ providers: this.#options.providers, plainCallback: settings.plainCallback },
      adapter: adapter('SignInAway'),
    })
    const pagesOf = { publicUrl: issuer, provider, settings, resources, principals, connections, cookies, pages, note }
    return new AuthorizationServer({
      ...{ issuer, isOnly, resources, provider, clients, cookies, pages, limits, units: storage.units },
      ...{ hasDevices, connections, onRefused, onServerError, verifyAccessToken },
      signIn: new SignIn({ ...pagesOf, clients, federated, onRefused, grantTtlSeconds: GRANT_SECONDS }),
      signOut: new SignOut(pagesOf),
      userInfo: new UserInfo(verifyAccessToken, principals),
    })
  }
}

/** What is counted, kept or fetched once, however many issuers there are: a second one gives nobody a second try. */
function sharedParts({ settings, storage, egress, now }: AuthorizationServersOptions) {
  return {
    pages: createPages(settings.branding),
    clients: new RegisteredClients({
      ...{ settings: settings.registration, now },
      adapter: storage.adapter('Client'),
    }),
    connections: new Connections(storage.grants, storage.adapter('Connection')),
    limits: new SurfaceLimits(now),
    hasDevices: new KnownClients(settings.clients).someHave('device_code'),
    enterprises: settings.enterpriseProviders.map((provider) => ({
      settings: provider,
      keys: new KeySet({ url: provider.jwksUrl, reach: 'operator', egress, now }),
    })),
    fetch: fetchThrough(
      egress,
      settings.clients.map(({ jwksUrl }) => jwksUrl),
    ),
  }
}

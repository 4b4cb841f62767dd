import type { Config } from '../config.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Egress } from '../egress/egress.ts'
import { oauthErrorAnswer } from '../http/error-response.ts'
import type { Exchange } from '../http/exchange.ts'
import type { PublicUrls } from '../http/public-urls.ts'
import { UsedProofsInMemory } from '../identify/dpop-used.ts'
import { createOAuthCredentials, type OAuthCredentials } from '../identify/oauth.ts'
import { readToken } from '../identify/unverified-token.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import type { AuthorizationServers } from '../oauth/authorization-servers.ts'
import { ConnectedApps } from '../oauth/connected-apps.ts'
import { Connections } from '../oauth/connections.ts'
import type { SignInProvider } from '../oauth/federation/sign-in-provider.ts'
import { KnownClients } from '../oauth/grants/known-clients.ts'
import { standsOnClient } from '../oauth/grants/standing.ts'
import { usedProofs } from '../oauth/grants/used-proofs.ts'
import { Issuers, overHttp } from '../oauth/issuers.ts'
import { metadataAt } from '../oauth/metadata.ts'
import { openSessionItems } from '../oauth/open-session-items.ts'
import { placeOf } from '../oauth/places.ts'
import { type OwnPeople, Principals, personClaims } from '../oauth/principals.ts'
import type { OAuthResource, OAuthResources } from '../oauth/resources.ts'
import { openSessionStorage, type SessionStorage } from '../oauth/session-storage.ts'
import { scopesOfWorkspace } from '../oauth/workspace-scopes.ts'
import type { AuditEvent } from '../records/audit-event.ts'
import type { Log } from '../records/log.ts'
import { failureFields } from '../records/start-record.ts'
import type { Store } from '../store/store.ts'
import type { SigningKeys } from '../tokens/signing-keys.ts'
import type { WorkspaceDirectory } from '../workspaces/resolve.ts'
import { subjectVerifier } from './subject-tokens.ts'

export interface OAuthParts {
  readonly config: Config
  readonly store: Store
  readonly keyring: Keyring
  readonly keys: SigningKeys
  readonly egress: Egress
  readonly log: Log
  readonly directory: WorkspaceDirectory<OpenWorkspace>
  readonly people: OwnPeople
  /** Writes to the audit. */
  readonly note: (event: AuditEvent) => Promise<void>
  /** Told of what is refused without a record. */
  readonly onRefused: (exchange: Exchange, error: unknown) => void
  readonly publicUrls: PublicUrls
  readonly now: () => number
}

/** Our authorization server, as the surfaces and the workspaces know it. */
export interface OAuthWing {
  /** For the workspaces that take its tokens. */
  readonly credentials: OAuthCredentials
  /** Whether it answers at this path: only while some workspace takes its tokens. */
  takes(path: string): boolean
  serve(exchange: Exchange): Promise<void>
  /** The issuer that this request reaches; undefined when it came in the open. */
  issuerFor(exchange: Exchange): string | undefined
  readonly connectedApps: ConnectedApps
  /** What this person may do has changed: access tokens are made anew from now on, or not at all. */
  personChanged(personId: string): Promise<void>
  close(): Promise<void>
}

/**
 * Gets everything ready that checking tokens needs. The library behind the surfaces is loaded when the first of them is asked
 * for: a gateway without OAuth never does.
 */
export async function openOAuth(parts: OAuthParts): Promise<OAuthWing> {
  const { config, store, keyring, keys, log, directory, people, publicUrls, now } = parts
  const settings = config.oauth
  const items = await openSessionItems({
    settings: settings.sessionStorage,
    sessionStorePath: settings.sessionStorePath,
    ...{ dataDir: config.dataDir, store, keyring },
    warn: (message) => log.warn(message),
  })
  const storage = await openSessionStorage({
    ...{ items, keyring, now },
    tokenLifeMs: settings.accessTokenTtlSeconds * 1000,
    onError: () => log.warn('what the authorization server keeps could not be tidied up'),
  })
  const providers = await openProviders(parts)
  const principals = new Principals({
    people,
    adapter: storage.adapter('Principal'),
    ofPeople: storage.adapter('PersonPrincipals'),
    adminUsers: settings.adminUsers,
    ttlSeconds: PRINCIPAL_SECONDS,
    isAllowedBy: (providerId, identity) =>
      providers.find(({ id }) => id === providerId)?.stillAllows(identity) === true,
  })
  const clients = new KnownClients(settings.clients)
  const issuers = new Issuers(publicUrls)
  const credentials = createOAuthCredentials({
    issuers,
    keys,
    usedProofs: items.notes === undefined ? new UsedProofsInMemory({ now }) : usedProofs(storage, now),
    isRevoked: (grant) => storage.revocations.isRevoked(grant),
    claimsOf: async (token, accountId) => {
      const { grantId, subject, clientId } = token
      if (grantId === undefined) {
        if (!(await standsOnClient(token, accountId, { clients, principals }))) return undefined
        const principal = subject === clientId ? undefined : await principals.find(subject)
        return principal === undefined ? {} : personClaims(principal)
      }
      // Asked of the storage as well: one that forgets everything at a restart has forgotten what was revoked, too.
      const grant = await storage.adapter('Grant').find(grantId)
      const principal = grant?.['accountId'] === subject ? await principals.find(subject) : undefined
      return principal !== undefined && principals.mayUse(principal, { accountId })
        ? personClaims(principal)
        : undefined
    },
    now,
  })
  let opened: Promise<AuthorizationServers> | undefined
  const servers = () => {
    opened ??= openServers({ ...parts, storage, principals, credentials, providers }).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }
  const hasMetadata = (path: string) => metadataAt(path, oauthResources(directory, publicUrls.own)) !== undefined
  const isOn = () => directory.entries.some(({ identity }) => identity.takesOAuth)
  return {
    credentials,
    takes: (path) => (placeOf(path) !== undefined || hasMetadata(path)) && isOn(),
    serve: async (exchange) => {
      const issuer = issuers.of(exchange)
      if (issuer === undefined) return exchange.send(oauthErrorAnswer(overHttp()))
      exchange.send(await (await servers()).of(issuer).answer(exchange))
    },
    issuerFor: (exchange) => issuers.of(exchange),
    connectedApps: new ConnectedApps({
      principals,
      connections: new Connections(storage.grants, storage.adapter('Connection')),
      note: parts.note,
      // By the path alone, which is of one workspace: an app stays in the list under whichever of our names it was connected.
      workspaceOf: (url) => directory.entries.find(({ path }) => url.endsWith(path))?.workspace,
    }),
    personChanged: async (personId) => {
      for (const id of await principals.idsOf(personId)) await storage.revocations.revoke({ what: 'subject', id })
    },
    close: () => storage.close().then(() => items.close()),
  }
}

/** Who came through a provider proves it again after so long. */
const PRINCIPAL_SECONDS = 30 * 86_400

interface ServerParts extends OAuthParts {
  readonly storage: SessionStorage
  readonly principals: Principals
  readonly credentials: OAuthCredentials
  readonly providers: readonly SignInProvider[]
}

/** @throws GatewayError `config_invalid` for one that cannot be used as it is set. */
async function openProviders({ config, egress, log, now }: OAuthParts): Promise<readonly SignInProvider[]> {
  const { providers: settings } = config.oauth
  if (settings.length === 0) return []
  const { createSignInProviders } = await import('../oauth/federation/create-sign-in-providers.ts')
  const providers = createSignInProviders(settings, {
    ...{ egress, now },
    onFailure: (id, reason) => log.warn(`sign-in at ${id} failed: ${reason}`),
  })
  // Not waited for: one that does not answer now is asked again when somebody chooses it.
  for (const { id, start } of providers.map((one) => ({ id: one.id, start: () => one.start() }))) {
    void start().then((problem) => {
      if (problem !== undefined) log.warn(`sign-in provider ${id}: ${problem}`)
    })
  }
  return providers
}

async function openServers(parts: ServerParts): Promise<AuthorizationServers> {
  const { config, keyring, keys, egress, log, publicUrls, now, storage, principals, providers, directory } = parts
  await keys.ready()
  const { openAuthorizationServers } = await import('../oauth/authorization-servers.ts')
  return openAuthorizationServers({
    ...{ settings: config.oauth, principals, providers, storage, keys, keyring, egress, now },
    ...{ onRefused: parts.onRefused, note: parts.note, isOnly: publicUrls.forwarded.size === 0 },
    forIssuer: (issuer) => ({
      resources: oauthResources(directory, issuer),
      verifySubject: subjectVerifier({ ...parts, issuer }),
      verifyAccessToken: (token) => verifyAnywhere(token, { ...parts, issuer }),
    }),
    onServerError: failureTeller(log),
  })
}

/** Says why, for each failure once: the library tells of it, and so does whoever answers. */
function failureTeller(log: Log): (error: unknown) => void {
  const told = new WeakSet<Error>()
  return (error) => {
    if (error instanceof Error) {
      if (told.has(error)) return
      told.add(error)
    }
    const { code, detail } = failureFields(error)
    log.error(`the authorization server failed: ${detail}`, { code })
  }
}

/** For the userinfo endpoint, which belongs to every workspace: whichever of them the token is for. */
async function verifyAnywhere(
  text: string,
  { credentials, directory, issuer }: ServerParts & { readonly issuer: string },
) {
  const token = readToken(text)
  if (!token.ok || !credentials.takes(token)) return undefined
  const audience = token.claims['aud']
  const found = directory.entries.find(({ path }) => issuer + path === audience)
  if (found === undefined || !found.identity.takesOAuth) return undefined
  const { path, workspace } = found
  const verified = await credentials.verify(token, { path, accountId: workspace.accountId }, issuer)
  if (!verified.ok || verified.caller.grant === undefined) return undefined
  const { subject, scopes, grant, claims, boundTo } = verified.caller
  // What another client was given is not this one's to end: an exchanged token stands on that.
  const grantId = claims['act'] === undefined ? grant.grantId : undefined
  return { subject, scopes, clientId: grant.clientId, grantId, isBound: boundTo !== undefined }
}

function oauthResources(directory: WorkspaceDirectory<OpenWorkspace>, issuer: string): OAuthResources {
  const resourceOf = (open: OpenWorkspace | undefined): OAuthResource | undefined => {
    if (open === undefined || !open.identity.takesOAuth) return undefined
    const { workspace, path } = open
    const limits = workspace.rateLimiting === undefined ? [] : [workspace.rateLimiting.adminScope]
    return {
      url: issuer + path,
      name: workspace.name,
      accountId: workspace.accountId,
      ...scopesOfWorkspace(workspace.access, limits),
    }
  }
  return {
    find: (path) => resourceOf(directory.find(path)),
    only: () => {
      const taking = directory.entries.filter(({ identity }) => identity.takesOAuth)
      return taking.length === 1 ? resourceOf(taking[0]) : undefined
    },
  }
}

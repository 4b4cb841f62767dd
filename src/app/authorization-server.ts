import type { Config } from '../config.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Egress } from '../egress/egress.ts'
import type { Exchange } from '../http/exchange.ts'
import { UsedProofsInMemory } from '../identify/dpop-used.ts'
import { createOAuthCredentials, type OAuthCredentials } from '../identify/oauth.ts'
import { readToken } from '../identify/unverified-token.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import type { AuthorizationServer } from '../oauth/authorization-server.ts'
import { ConnectedApps } from '../oauth/connected-apps.ts'
import { Connections } from '../oauth/connections.ts'
import type { SignInProvider } from '../oauth/federation/sign-in-provider.ts'
import { KnownClients } from '../oauth/grants/known-clients.ts'
import { standsOnClient } from '../oauth/grants/standing.ts'
import { usedProofs } from '../oauth/grants/used-proofs.ts'
import { metadataAt } from '../oauth/metadata.ts'
import { openSessionItems } from '../oauth/open-session-items.ts'
import { placeOf } from '../oauth/places.ts'
import { type OwnPeople, Principals } from '../oauth/principals.ts'
import { checkIssuer, type OAuthResource, type OAuthResources } from '../oauth/resources.ts'
import { openSessionStorage, type SessionStorage } from '../oauth/session-storage.ts'
import { scopesOfWorkspace } from '../oauth/workspace-scopes.ts'
import type { AuditEvent } from '../records/audit-event.ts'
import type { Log } from '../records/log.ts'
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
  readonly publicUrl: () => string
  readonly now: () => number
}

/** Our authorization server, as the surfaces and the workspaces know it. */
export interface OAuthWing {
  /** For the workspaces that take its tokens. */
  readonly credentials: OAuthCredentials
  /** Whether it answers at this path: only while some workspace takes its tokens. */
  takes(path: string): boolean
  serve(exchange: Exchange): Promise<void>
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
  const { config, store, keyring, keys, log, directory, people, publicUrl, now } = parts
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
  const credentials = createOAuthCredentials({
    issuer: publicUrl,
    check: () => checkIssuer(publicUrl()),
    keys,
    usedProofs: items.notes === undefined ? new UsedProofsInMemory({ now }) : usedProofs(storage, now),
    isRevoked: (grant) => storage.revocations.isRevoked(grant),
    stands: async (token, accountId) => {
      const { grantId, subject } = token
      if (grantId === undefined) return standsOnClient(token, accountId, { clients, principals })
      // Asked of the storage as well: one that forgets everything at a restart has forgotten what was revoked, too.
      const grant = await storage.adapter('Grant').find(grantId)
      if (grant?.['accountId'] !== subject) return false
      const principal = await principals.find(subject)
      return principal !== undefined && principals.mayUse(principal, { accountId })
    },
    now,
  })
  const resources = oauthResources(directory, publicUrl)
  let opened: Promise<AuthorizationServer> | undefined
  const server = () => {
    opened ??= openServer({ ...parts, storage, principals, credentials, resources, providers }).catch(
      (error: unknown) => {
        opened = undefined
        throw error
      },
    )
    return opened
  }
  const isOn = () => directory.entries.some(({ identity }) => identity.takesOAuth)
  return {
    credentials,
    takes: (path) => (placeOf(path) !== undefined || metadataAt(path, resources) !== undefined) && isOn(),
    serve: async (exchange) => exchange.send(await (await server()).answer(exchange)),
    connectedApps: new ConnectedApps({
      principals,
      connections: new Connections(storage.grants, storage.adapter('Connection')),
      note: parts.note,
      workspaceOf: (url) => directory.entries.find(({ path }) => publicUrl() + path === url)?.workspace,
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
  readonly resources: OAuthResources
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

async function openServer(parts: ServerParts): Promise<AuthorizationServer> {
  const { config, keyring, keys, egress, log, publicUrl, now, storage, principals, resources } = parts
  await keys.ready()
  const { openAuthorizationServer } = await import('../oauth/authorization-server.ts')
  return openAuthorizationServer({
    ...{ publicUrl: publicUrl(), settings: config.oauth, resources, principals, storage, keys, keyring, egress, now },
    ...{ providers: parts.providers, onRefused: parts.onRefused, note: parts.note },
    verifySubject: subjectVerifier(parts),
    verifyAccessToken: (token) => verifyAnywhere(token, parts),
    onServerError: (message) => log.error(`the authorization server failed: ${message}`),
  })
}

/** For the userinfo endpoint, which belongs to every workspace: whichever of them the token is for. */
async function verifyAnywhere(text: string, { credentials, directory, publicUrl }: ServerParts) {
  const token = readToken(text)
  if (!token.ok || !credentials.takes(token)) return undefined
  const audience = token.claims['aud']
  const found = directory.entries.find(({ path }) => publicUrl() + path === audience)
  if (found === undefined || !found.identity.takesOAuth) return undefined
  const { path, workspace } = found
  const verified = await credentials.verify(token, { path, accountId: workspace.accountId })
  if (!verified.ok || verified.caller.grant === undefined) return undefined
  const { subject, scopes, grant, claims, boundTo } = verified.caller
  // What another client was given is not this one's to end: an exchanged token stands on that.
  const grantId = claims['act'] === undefined ? grant.grantId : undefined
  return { subject, scopes, clientId: grant.clientId, grantId, isBound: boundTo !== undefined }
}

function oauthResources(directory: WorkspaceDirectory<OpenWorkspace>, publicUrl: () => string): OAuthResources {
  const resourceOf = (open: OpenWorkspace | undefined): OAuthResource | undefined => {
    if (open === undefined || !open.identity.takesOAuth) return undefined
    const { workspace, path } = open
    const limits = workspace.rateLimiting === undefined ? [] : [workspace.rateLimiting.adminScope]
    return {
      url: publicUrl() + path,
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

import type { Account } from './accounts/account.ts'
import type { SignIns } from './accounts/sign-ins.ts'
import { accountRoutes } from './api/accounts.ts'
import { type AuditRoutesOptions, auditRoutes } from './api/audit.ts'
import { authenticate, originOf } from './api/authenticate.ts'
import { connectedAppRoutes } from './api/connected-apps.ts'
import { doctorRoutes, type Examine } from './api/doctor.ts'
import { keyRoutes } from './api/keys.ts'
import type { LogQuery } from './api/logs.ts'
import { logRoutes } from './api/logs.ts'
import { withDescription } from './api/openapi.ts'
import { peopleRoutes } from './api/people.ts'
import { type Gate, type Route, runRoute } from './api/routes.ts'
import { sessionCookieName } from './api/session-cookie.ts'
import { signInRoutes } from './api/sign-in.ts'
import { tokenRoutes } from './api/tokens.ts'
import { workspaceRoutes } from './api/workspaces.ts'
import type { OAuthWing } from './app/authorization-server.ts'
import { GatewayError } from './errors.ts'
import { type Stages, serve } from './gateway.ts'
import { preflightHeaders } from './http/cors.ts'
import { apiErrorAnswer, mcpErrorAnswer } from './http/error-response.ts'
import type { Exchange } from './http/exchange.ts'
import { checkHost, checkOrigin, type HostRules } from './http/host-and-origin.ts'
import type { PublicUrls } from './http/public-urls.ts'
import { PROOF_ALGORITHMS } from './identify/dpop.ts'
import type { FailedAuthLimit } from './limits/failed-auth.ts'
import type { Accounts } from './manage/accounts.ts'
import type { Entrance } from './manage/entrance.ts'
import type { OpenWorkspace } from './manage/open-workspace.ts'
import type { Team } from './manage/team.ts'
import type { TokenManager } from './manage/token-manager.ts'
import type { WorkspaceManager } from './manage/workspace-manager.ts'
import type { ConnectedApps } from './oauth/connected-apps.ts'
import { overHttp } from './oauth/issuers.ts'
import { RESOURCE_METADATA_PATH, resourceMetadata } from './oauth/resource-metadata.ts'
import { scopesOfWorkspace } from './oauth/workspace-scopes.ts'
import type { Origin } from './records/audit-event.ts'
import type { WorkspaceDirectory } from './workspaces/resolve.ts'

/** What the surfaces stand on; `app/assemble.ts` builds it. */
export interface AppParts {
  readonly version: string
  readonly stages: Stages<OpenWorkspace>
  readonly directory: WorkspaceDirectory<OpenWorkspace>
  readonly hostRules: () => HostRules
  readonly publicUrls: PublicUrls
  /** Undefined: there is no management API. */
  readonly management: Management | undefined
  /** The public halves of the keys that our tokens are signed with. Undefined: we issue none. */
  readonly jwks: (() => string) | undefined
  /** Our authorization server. Undefined: there can be none. */
  readonly oauth?: Pick<OAuthWing, 'takes' | 'serve' | 'issuerFor'> | undefined
  /** Whether the store answers: without it nothing could be recorded or changed. */
  readonly isReady: () => Promise<boolean>
  /** Told of what is refused before a workspace or a route is found, or by the route: none of that leaves a record. */
  readonly onRefused: (exchange: Exchange, error: unknown, who?: Refused) => void
}

/** Who was refused by `/api`, and in which account, as far as it is known. */
export interface Refused {
  readonly by: Origin
  readonly accountId?: string | undefined
}

/** What `/api` works on. */
export interface Management {
  /** The workspaces of an account, and no others. */
  readonly workspacesOf: (account: Account) => WorkspaceManager<OpenWorkspace>
  /** The credentials of an account, and no others. */
  readonly tokensOf: (account: Account) => TokenManager
  readonly accounts: Accounts
  readonly team: Team
  readonly entrance: Entrance
  readonly signIns: SignIns
  readonly showFirstRunCode: (code: string) => void
  readonly adminKey: string
  readonly readLogs: (query: LogQuery) => Promise<readonly unknown[]>
  readonly audit: Pick<AuditRoutesOptions, 'read' | 'verify'>
  readonly examine: Examine
  readonly connectedApps: ConnectedApps
  /** Always on: nobody has a reason to try admin keys (FEATURES H6). */
  readonly failedAuth: FailedAuthLimit
  readonly now: () => number
}

const NOTHING_HERE = new GatewayError('not_found', 'There is nothing at this address.')

/** Serves any request; a promise where the answer takes its time. Neither throws nor rejects. */
export type App = (exchange: Exchange) => Promise<void> | void

/**
 * Mounts the surfaces. All routes stand on this screen: health, preflight, discovery, the management API, and everything
 * else is a workspace's MCP endpoint.
 */
export function createApp(parts: AppParts): App {
  const { management } = parts
  const routes = management === undefined ? [] : apiRoutes(management, parts)
  return (exchange) => {
    const { path } = exchange
    // Health checks come from load balancers that know only our address, so no Host is asked of them; they tell nothing.
    if (path === '/health/live') return exchange.send({ status: 200, body: '{"status":"ok"}' })
    if (path === '/health/ready') return sendReadiness(exchange, parts)
    const refused = refusal(exchange, parts.hostRules())
    if (refused !== undefined) {
      parts.onRefused(exchange, refused)
      return exchange.send(mcpErrorAnswer(refused, { resourceMetadataUrl: undefined, replyTo: undefined }))
    }
    if (exchange.method === 'OPTIONS') {
      return exchange.send({
        status: 204,
        headers: preflightHeaders(exchange.header('access-control-request-headers')),
      })
    }
    if (management !== undefined && (path === '/api' || path.startsWith('/api/'))) {
      return serveApi(exchange, routes, management, parts)
    }
    if (path.startsWith(RESOURCE_METADATA_PATH)) return serveResourceMetadata(exchange, parts)
    if (path === '/.well-known/jwks.json' && parts.jwks !== undefined) {
      // For everybody to keep a while: whoever meets an unknown kid asks again (RFC 7517 §5).
      const headers = { 'Cache-Control': 'public, max-age=300' }
      return exchange.send({ status: 200, headers, body: parts.jwks() })
    }
    if (parts.oauth?.takes(path) === true) return parts.oauth.serve(exchange)
    // Clients look for documents that we do not have; no workspace is asked for there, so nothing is recorded.
    if (path.startsWith('/.well-known/')) return exchange.send(apiErrorAnswer(NOTHING_HERE))
    return serve(exchange, parts.stages)
  }
}

function apiRoutes(management: Management, { version }: AppParts): readonly Route[] {
  const {
    workspacesOf,
    tokensOf,
    accounts,
    team,
    entrance,
    showFirstRunCode,
    readLogs,
    audit,
    examine,
    connectedApps,
    now,
  } = management
  const routes: Route[] = [
    ...signInRoutes({ entrance, accounts, showFirstRunCode }),
    ...accountRoutes(accounts),
    ...peopleRoutes(team),
    ...connectedAppRoutes({ connectedApps, team }),
    ...workspaceRoutes(workspacesOf),
    ...tokenRoutes({ tokensOf, now }),
    ...keyRoutes({ tokensOf, now }),
    ...logRoutes({ workspaceId: (account, name) => workspacesOf(account).get(name).id, read: readLogs }),
    ...auditRoutes({ workspaceId: (account, name) => workspacesOf(account).find(name)?.id ?? name, ...audit }),
    ...doctorRoutes(examine),
  ]
  return withDescription(routes, version)
}

async function serveApi(
  exchange: Exchange,
  routes: readonly Route[],
  management: Management,
  { onRefused, publicUrls }: AppParts,
): Promise<void> {
  let who: Refused | undefined
  const publicUrl = publicUrls.of(exchange)
  const gate: Gate = {
    async authenticate() {
      const caller = await authenticate(exchange, { ...management, cookieName: sessionCookieName(publicUrl) })
      who = { by: originOf(caller, exchange) }
      return caller
    },
    async enter(caller, named) {
      const entered = await management.accounts.enter(caller.kind === 'person' ? caller.person : undefined, named)
      who = { by: originOf(caller, exchange), accountId: entered.account.id }
      return entered
    },
  }
  try {
    await runRoute(routes, exchange, { gate, publicUrl })
  } catch (error) {
    onRefused(exchange, error, who)
    exchange.send(apiErrorAnswer(error))
  }
}

/** RFC 9728 §3: open to everybody who knows the workspace's address, which is not to be guessed. */
function serveResourceMetadata(exchange: Exchange, parts: AppParts): void {
  const path = exchange.path.slice(RESOURCE_METADATA_PATH.length)
  const found = parts.directory.find(path === '' ? '/mcp' : path)
  if (found === undefined) {
    exchange.send(apiErrorAnswer(NOTHING_HERE))
    return
  }
  if (found.identity.takesOAuth && parts.oauth?.issuerFor(exchange) === undefined) {
    exchange.send(apiErrorAnswer(overHttp()))
    return
  }
  const metadata = resourceMetadata({
    // The resource is the URL that the client was given, alias or not (RFC 9728 §3.3). Without a path that is the alias of
    // the only workspace: its own address is not told to strangers.
    resource: parts.publicUrls.of(exchange) + (path === '' ? '/mcp' : path),
    name: found.workspace.name,
    authorizationServers: found.identity.authorizationServers(exchange),
    proofAlgorithms: found.identity.takesOAuth ? PROOF_ALGORITHMS : [],
    scopes: found.identity.takesOAuth ? scopesOfWorkspace(found.workspace.access, []).ordinary : [],
  })
  exchange.send({ status: 200, body: JSON.stringify(metadata) })
}

async function sendReadiness(exchange: Exchange, parts: AppParts): Promise<void> {
  const isReady = await parts.isReady()
  exchange.send(isReady ? { status: 200, body: '{"status":"ok"}' } : { status: 503, body: '{"status":"unavailable"}' })
}

function refusal(exchange: Exchange, rules: HostRules): unknown {
  if (exchange.transport === 'stdio') return undefined
  try {
    checkHost(exchange.header('host'), rules)
    if (exchange.forwarded?.problem !== undefined) return exchange.forwarded.problem
    // What a proxy calls us stands in URLs that we print: it is one of our names, or refused.
    if (exchange.forwarded?.host !== undefined) checkHost(exchange.forwarded.host, rules)
    // A page of the very origin that it calls is no other site's, whatever else is allowed.
    const origin = exchange.header('origin')
    if (origin === undefined || origin !== exchange.forwarded?.origin) checkOrigin(origin, rules)
    return undefined
  } catch (error) {
    return error
  }
}

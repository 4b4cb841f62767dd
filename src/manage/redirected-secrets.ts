import { GatewayError } from '../errors.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import type { OpenWorkspace } from './open-workspace.ts'
import type { WorkspaceChange } from './workspace-manager.ts'

/** Params that are addresses. They are kept as secrets are, since a URL may hold one. */
const ADDRESS_PARAMS: ReadonlySet<string> = new Set(['login_url', 'refresh_url'])

/**
 * Refuses what would send a saved secret to an origin (RFC 6454) to which nothing of this workspace was sent before. No answer
 * shows a secret; by naming a server of his own, whoever may change addresses could read it there all the same. What he gives
 * anew in the same change (`given`) he knows.
 *
 * @throws GatewayError `forbidden`, with the names of the secrets and the origins.
 */
export function refuseRedirectedSecrets(
  after: OpenWorkspace,
  before: OpenWorkspace | undefined,
  given: Pick<WorkspaceChange, 'upstream' | 'params'>,
): void {
  const known = before === undefined ? new Set<string>() : destinationsOf(before)
  const added = [...destinationsOf(after)].filter((origin) => !known.has(origin))
  if (added.length === 0) return
  const secrets = secretsOf(after.workspace).filter((name) => !isGiven(name, given))
  if (secrets.length === 0) return
  throw new GatewayError(
    'forbidden',
    `This would send what is saved here (${secrets.join(', ')}) to ${added.slice(0, 5).join(', ')}, where it was not sent before. Give it anew in the same change, or ask somebody with the role admin.`,
  )
}

function destinationsOf({ workspace: { upstream, params }, imported }: OpenWorkspace): ReadonlySet<string> {
  const urls = [
    upstream.baseUrl,
    ...imported.tools.map(({ operation }) => operation.server),
    ...[...ADDRESS_PARAMS].map((name) => params[name]),
  ]
  return new Set(urls.flatMap((url) => (url === undefined || url === '' ? [] : [URL.parse(url)?.origin ?? url])))
}

function secretsOf({ upstream: { auth, security, headers }, params }: Workspace): readonly string[] {
  return [
    ...(holdsSecret(auth) ? ['auth'] : []),
    ...Object.entries(security).flatMap(([name, { type }]) => (type === 'none' ? [] : [`security.${name}`])),
    ...Object.keys(headers).map((name) => `headers.${name}`),
    ...Object.keys(params).flatMap((name) => (ADDRESS_PARAMS.has(name) ? [] : [`params.${name}`])),
  ]
}

/** An empty bearer is got by a login, with params; but what it sends may be written out in the settings of the login. */
function holdsSecret(auth: Workspace['upstream']['auth']): boolean {
  if (auth.type === 'none') return false
  if (auth.type !== 'bearer' || auth.token !== '') return true
  const { body, refreshBody, headers } = auth.login
  return body !== undefined || refreshBody !== undefined || Object.keys(headers).length > 0
}

function isGiven(secret: string, { upstream, params }: Pick<WorkspaceChange, 'upstream' | 'params'>): boolean {
  const dot = secret.indexOf('.')
  const name = secret.slice(dot + 1)
  switch (dot === -1 ? secret : secret.slice(0, dot)) {
    case 'auth':
      return upstream?.auth !== undefined
    case 'security':
      return Object.hasOwn(upstream?.security ?? {}, name)
    case 'headers':
      return upstream?.headers !== undefined
    default:
      return Object.hasOwn(params ?? {}, name)
  }
}

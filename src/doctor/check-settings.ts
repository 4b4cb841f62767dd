import { quoted } from '../identify/jwt-failure.ts'
import { listOf } from '../identify/jwt-verifier.ts'
import { isLoopbackHost } from '../identify/key-set-url.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'
import { type Check, failed, passed } from './report.ts'
import { isOpenToReaders, shown } from './urls.ts'

/** How the gateway shows a workspace to the world. */
export interface Surface {
  readonly auth: InboundAuthSettings
  /** False: it could not be compiled, and the log says why. */
  readonly isServed: boolean
  /** The workspace's URL as the gateway makes it. */
  readonly endpoint: string
  /** `publicUrl` is set; else the endpoint is made from where it listens. */
  readonly hasPublicUrl: boolean
  /** Host names that are answered to, lower-case. */
  readonly hosts: ReadonlySet<string>
  /** The address that it listens on is this machine's own. */
  readonly listensOnLoopback: boolean
  /** Something is limited by the address of whoever connects: no proxy is trusted to say whose it is. */
  readonly limitsByPeer: boolean
}

/** Whether the settings fit each other and the URL that a client has. Pure. */
export function checkSettings(surface: Surface, clientUrl: string | undefined): readonly Check[] {
  const { isServed, endpoint } = surface
  const found = [
    isServed ? undefined : failed('workspace', 'workspace_not_served'),
    checkPublicUrl(surface),
    clientUrl === undefined ? undefined : checkClientUrl(surface, URL.parse(clientUrl)),
    checkIssuers(surface.auth),
    checkLimits(surface),
  ].filter((check) => check !== undefined)
  return found.length > 0 ? found : [passed('settings', `${endpoint} is served, and its settings fit each other.`)]
}

function checkPublicUrl({ endpoint }: Surface): Check | undefined {
  const url = new URL(endpoint)
  return isOpenToReaders(url) ? failed('public URL', 'public_url_over_http', `It is ${url.origin}.`) : undefined
}

function checkClientUrl({ endpoint, hasPublicUrl, hosts }: Surface, url: URL | null): Check | undefined {
  const own = new URL(endpoint)
  if (url === null || url.origin === own.origin) return undefined
  const seen = `The client has ${shown(url)}; the gateway says ${endpoint}.`
  if (!hasPublicUrl) return failed('public URL', 'public_url_missing', seen)
  if (!hosts.has(url.hostname)) return failed('public URL', 'host_refused', seen)
  return failed('public URL', 'public_url_differs', seen)
}

function checkIssuers({ jwt }: InboundAuthSettings): Check | undefined {
  const issuers = jwt.flatMap(({ issuer = [] }) => listOf(issuer))
  const open = issuers.find((issuer) => {
    const url = URL.parse(issuer)
    return url !== null && isOpenToReaders(url)
  })
  return open === undefined ? undefined : failed('issuer', 'settings_issuer_over_http', `It is ${quoted(open)}.`)
}

function checkLimits({ endpoint, hasPublicUrl, listensOnLoopback, limitsByPeer }: Surface): Check | undefined {
  const isBehindProxy = hasPublicUrl && listensOnLoopback && !isLoopbackHost(new URL(endpoint).hostname)
  return isBehindProxy && limitsByPeer ? failed('limits', 'limits_behind_proxy') : undefined
}

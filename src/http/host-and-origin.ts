import { GatewayError } from '../errors.ts'

/** Which `Host` and `Origin` values this listener answers to (MCP, Streamable HTTP, "Security Warning"). */
export interface HostRules {
  /** Host names without a port, lower-case; IPv6 in brackets. */
  readonly hosts: ReadonlySet<string>
  /** Origins, as in `https://app.example`. */
  readonly origins: ReadonlySet<string>
  /** Pages of this machine, on any port, may call: only sensible while we listen on loopback. */
  readonly loopbackOrigins: boolean
}

/** Names by which a process on this machine is reached; a DNS name that was rebound to it is not among them. */
export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Refuses a `Host` that is not ours: a page whose name was rebound to this machine sends its own (THREATS.md, T18).
 *
 * @throws GatewayError `host_not_allowed`; also when the header is missing.
 */
export function checkHost(host: string | undefined, rules: HostRules): void {
  if (host !== undefined && rules.hosts.has(withoutPort(host))) return
  throw new GatewayError('host_not_allowed', 'This Host is not allowed here. Add it to allowedHosts, or set publicUrl.')
}

/**
 * Refuses a page of an origin that is not allowed. Without an `Origin` it is no browser's cross-site request.
 *
 * @throws GatewayError `origin_not_allowed`
 */
export function checkOrigin(origin: string | undefined, rules: HostRules): void {
  if (origin === undefined || isAllowedOrigin(origin, rules)) return
  throw new GatewayError('origin_not_allowed', 'This Origin is not allowed here. Add it to allowedOrigins.')
}

/** Whether pages of this origin may call and read the answers. `null`, the origin of sandboxed pages, never. */
export function isAllowedOrigin(origin: string, rules: HostRules): boolean {
  if (origin === 'null') return false
  if (rules.origins.has(origin)) return true
  if (!rules.loopbackOrigins) return false
  const url = URL.parse(origin)
  // Only what a browser sends: without a user, a path, or another way to write the address (RFC 6454 §6.2).
  return url?.origin === origin && /^https?:$/.test(url.protocol) && LOOPBACK_HOSTS.includes(url.hostname)
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':')
  const name = colon > host.lastIndexOf(']') ? host.slice(0, colon) : host
  return name.toLowerCase()
}

import ipaddr from 'ipaddr.js'
import type { Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'

/** Names that never leave the machine or the private network: RFC 6761, RFC 6762, and ICANN's reserved `.internal`. */
const PRIVATE_SUFFIXES = ['.localhost', '.local', '.internal', '.home.arpa']
const PRIVATE_RANGES: readonly string[] = ['loopback', 'private', 'uniqueLocal']

/**
 * The URL of a key set, when keys from there can be trusted: https, or http on a loopback or private address that the
 * operator wrote (PRODUCT.md, 12). A name without a dot, as between containers, counts as private.
 *
 * @throws GatewayError `config_invalid`
 */
export function parseKeySetUrl(text: string, reach: Reach): URL {
  const problem = untrustedUrl(text, reach)
  if (problem !== undefined) throw new GatewayError('config_invalid', `jwksUrl ${problem}.`)
  return new URL(text)
}

/** The same for any address whose answers decide who somebody is: why they could not be trusted; undefined: they can. */
export function untrustedUrl(text: string, reach: Reach): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'is not a URL'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (url.protocol === 'https:') return undefined
  if (url.protocol !== 'http:') return 'must begin with https://'
  if (reach !== 'operator') return 'must be https: only the operator may name an http address'
  if (!isPrivateHost(url.hostname)) return 'must be https: over http anybody on the way could put in their own key'
  return undefined
}

/** Whether a URL's host name is this machine's own. */
export function isLoopbackHost(hostname: string): boolean {
  const host = bareHost(hostname)
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'loopback'
  return host === 'localhost' || host.endsWith('.localhost')
}

/** Whether it is loopback or private by its looks. Does not resolve names. */
function isPrivateHost(hostname: string): boolean {
  const host = bareHost(hostname)
  if (ipaddr.isValid(host)) return PRIVATE_RANGES.includes(ipaddr.process(host).range())
  return !host.includes('.') || PRIVATE_SUFFIXES.some((suffix) => host.endsWith(suffix))
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

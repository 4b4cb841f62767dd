import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { GatewayError } from '../errors.ts'

/** What a trusted proxy says about the request that it passes on. */
export interface Forwarded {
  /** The client’s address: the rightmost hop that is no trusted proxy. */
  readonly address: string
  /**
   * How the client reached us, `https://mcp.example`: one of the origins that the operator has named, and never another.
   * Undefined: the proxy does not say, or nobody is asked.
   */
  readonly origin: string | undefined
  /** The proxy’s host name for us, which is checked as `Host` is. */
  readonly host: string | undefined
  /** A header of the proxy cannot be read, or names a port that is not ours: refused, since whatever is guessed could be wrong. */
  readonly problem: GatewayError | undefined
}

/** Undefined when the peer is no trusted proxy: then none of its headers counts (THREATS.md, T21). */
export type ReadForwarded = (request: IncomingMessage) => Forwarded | undefined

const HOPS_MAX = 50
const LOOPBACK = ['127.0.0.0/8', '::1/128']
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
const HOST = /^(?:\[[\da-f:.]{2,45}\]|[a-z\d](?:[a-z\d.-]{0,252}[a-z\d])?)(?::\d{1,5})?$/i
const PROTOCOLS = ['http', 'https']

/**
 * Compiles the proxies that are trusted: addresses, networks (`10.1.0.0/16`), `loopback`, `private` (RFC 1918 and RFC 4193).
 *
 * @throws GatewayError `config_invalid` for anything else, and for a network that is the whole internet.
 */
export function trustedProxies(names: readonly string[]): BlockList {
  const trusted = new BlockList()
  for (const name of names) {
    const networks = name === 'loopback' ? LOOPBACK : name === 'private' ? PRIVATE : [name]
    for (const network of networks) addNetwork(trusted, network)
  }
  return trusted
}

/**
 * Reads `X-Forwarded-For`, `-Proto` and `-Host` of trusted proxies; everything else that is called forwarded is ignored.
 * `origins`: those that a proxy may choose (`forwardedOrigins`). Undefined: how clients reach us is configured, so none.
 */
export function createReadForwarded(
  names: readonly string[],
  { origins }: { readonly origins: ReadonlySet<string> | undefined },
): ReadForwarded {
  const trusted = trustedProxies(names)
  const hosts = new Set([...(origins ?? [])].map((origin) => new URL(origin).hostname))
  // Asked several times in a request, by limits and records.
  const known = new WeakMap<IncomingMessage, Forwarded>()
  return (request) => {
    const before = known.get(request)
    if (before !== undefined) return before
    const peer = plainAddress(request.socket.remoteAddress ?? '')
    if (!isTrusted(peer, trusted)) return undefined
    const forwarded = read(request, peer ?? '', { trusted, origins, hosts })
    known.set(request, forwarded)
    return forwarded
  }
}

interface Reading {
  readonly trusted: BlockList
  readonly origins: ReadonlySet<string> | undefined
  /** Their names. */
  readonly hosts: ReadonlySet<string>
}

function read(request: IncomingMessage, peer: string, { trusted, origins, hosts }: Reading): Forwarded {
  const address = clientOf(textOf(request, 'x-forwarded-for'), peer, trusted)
  const protocol = protocolOf(textOf(request, 'x-forwarded-proto'))
  const host = hostOf(textOf(request, 'x-forwarded-host'))
  const unreadable = [
    ...(address === false ? ['X-Forwarded-For'] : []),
    ...(protocol === false ? ['X-Forwarded-Proto'] : []),
    ...(host === false ? ['X-Forwarded-Host'] : []),
  ]
  const named = host === false ? undefined : host
  const given = named ?? hostOf(textOf(request, 'host'))
  const chosen =
    origins === undefined || !protocol || !given ? undefined : choose(`${protocol}://${given}`, origins, hosts)
  return {
    address: address === false ? peer : address,
    host: named,
    origin: chosen === 'unknown port' ? undefined : chosen,
    problem:
      unreadable.length > 0
        ? new GatewayError('invalid_request', `${unreadable.join(', ')} of the proxy cannot be read.`)
        : chosen === 'unknown port'
          ? unknownPort()
          : undefined,
  }
}

/** The origin of the operator's that is meant; undefined: none of them. */
function choose(
  text: string,
  origins: ReadonlySet<string>,
  hosts: ReadonlySet<string>,
): string | 'unknown port' | undefined {
  // As nearly every proxy writes it, which is read for every request.
  if (origins.has(text)) return text
  const url = URL.parse(text)
  if (url === null) return undefined
  if (origins.has(url.origin)) return url.origin
  return hosts.has(url.hostname) ? 'unknown port' : undefined
}

/** Any port would be an origin of its own, and strangers write it: one that nobody named is not guessed away (RFC 6454 §4). */
function unknownPort(): GatewayError {
  return new GatewayError(
    'host_not_allowed',
    'The proxy calls this gateway by a port that nobody named. Write it in allowedHosts (name:port), or set publicUrl.',
  )
}

/** From the right, where our own proxies stand: what is left of the first untrusted hop, anybody may have written. */
function clientOf(header: string, peer: string, trusted: BlockList): string | false {
  const hops = header === '' ? [] : header.split(',', HOPS_MAX + 1)
  if (hops.length > HOPS_MAX) return false
  let client = peer
  for (const hop of hops.reverse()) {
    const address = plainAddress(withoutPort(hop.trim()))
    if (address === undefined) return false
    client = address
    if (!isTrusted(address, trusted)) return client
  }
  return client
}

/** Of several proxies each adds its own; the first is the one that the client spoke to. */
function protocolOf(header: string): string | undefined | false {
  if (header === '') return undefined
  const protocols = header.split(',', HOPS_MAX).map((one) => one.trim().toLowerCase())
  return protocols.every((one) => PROTOCOLS.includes(one)) && (protocols[0] ?? false)
}

function hostOf(header: string): string | undefined | false {
  if (header === '') return undefined
  return HOST.test(header) ? header.toLowerCase() : false
}

function textOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name]
  return (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim()
}

/** Some proxies add the client’s port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)
  if (bracketed?.[1] !== undefined) return bracketed[1]
  return hop.replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1')
}

/** The address without the wrapping of IPv4 in IPv6, and without a zone; undefined for what is none. */
function plainAddress(text: string): string | undefined {
  const address = text.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  return isIP(address) === 0 ? undefined : address.toLowerCase()
}

function isTrusted(address: string | undefined, trusted: BlockList): boolean {
  return address !== undefined && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function addNetwork(trusted: BlockList, network: string): void {
  const [address = '', length, more] = network.split('/')
  const family = isIP(address)
  const bits = family === 6 ? 128 : 32
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (family === 0 || more !== undefined || prefix < 0 || prefix > bits) {
    throw new GatewayError(
      'config_invalid',
      `trustProxy: ${JSON.stringify(network.slice(0, 60))} is no address, network (10.1.0.0/16), loopback or private.`,
    )
  }
  if (prefix === 0) {
    throw new GatewayError(
      'config_invalid',
      `trustProxy: ${network} is everybody, so anybody could write his own address. Name your proxies.`,
    )
  }
  trusted.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
}

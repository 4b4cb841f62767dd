import ipaddr from 'ipaddr.js'
import type { Reach } from './egress.ts'

/** Whether something may be called; `reason` says in words which rule forbids it, and never repeats the address. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

const ALLOWED: Verdict = { ok: true }
const METADATA: Verdict = { ok: false, reason: 'cloud metadata addresses are never called' }
const NOT_A_HOST: Verdict = { ok: false, reason: 'it is not the address of one host' }
const NOT_PUBLIC: Verdict = { ok: false, reason: 'private addresses may be named by the operator only' }

const METADATA_NAMES = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'instance-data',
  'instance-data.ec2.internal',
])

const METADATA_NETWORKS = [
  '169.254.0.0/16', // AWS, GCP, Azure, Oracle, DigitalOcean, OpenStack, the ECS and EKS agents
  '100.100.100.200/32', // Alibaba
  '192.0.0.192/32', // Oracle
  '168.63.129.16/32', // Azure WireServer: hands out certificates, and stands in a public network
  'fd00:ec2::/32', // AWS
  'fd20:ce::254/128', // GCP
  'fd00:42::42/128', // Scaleway
  'fe80::a9fe:a9fe/128', // OpenStack
].map((network) => ipaddr.parseCIDR(network))

const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')

/**
 * Decides on the host of a parsed URL before anything is resolved: metadata names never, literal addresses by `checkAddress`.
 *
 * `hostname` is `URL.hostname`, in which decimal, octal and hexadecimal addresses are already plain ones. Any other name is
 * allowed here; what it resolves to is checked at the dial.
 */
export function checkHostname(hostname: string, reach: Reach): Verdict {
  const name = hostname.toLowerCase().replace(/\.+$/, '')
  if (name === '') return NOT_A_HOST
  if (METADATA_NAMES.has(name)) return METADATA
  const address = name.startsWith('[') ? name.slice(1, -1) : name
  return ipaddr.isValid(address) ? checkAddress(address, reach) : ALLOWED
}

/** Decides on one IP address. An address that carries another one (mapped, NAT64, 6to4, Teredo) is judged by the inner one too. */
export function checkAddress(address: string, reach: Reach): Verdict {
  if (!ipaddr.isValid(address)) return NOT_A_HOST
  const parsed = ipaddr.parse(address)
  if (METADATA_NETWORKS.some((network) => isWithin(parsed, network))) return METADATA
  if (parsed.kind() === 'ipv4') return checkRange(parsed.range(), reach)
  const { parts } = new ipaddr.IPv6(wordsOf(parsed))
  const inner = innerAddresses(parts)
  if (inner === undefined) return checkIpv6(parsed, reach)
  if (inner.length === 0) return NOT_A_HOST
  for (const each of inner) {
    const verdict = checkAddress(each, reach)
    if (!verdict.ok) return verdict
  }
  return ALLOWED
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

function isWithin(address: Address, [network, bits]: [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits)
}

function wordsOf(address: Address): number[] {
  const bytes = address.toByteArray()
  return Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0))
}

function checkRange(range: string, reach: Reach): Verdict {
  // 0.0.0.0/8 reaches the machine itself on Linux; the others are no single host.
  if (range === 'unspecified' || range === 'broadcast' || range === 'multicast') return NOT_A_HOST
  return range === 'unicast' || reach === 'operator' ? ALLOWED : NOT_PUBLIC
}

function checkIpv6(address: Address, reach: Reach): Verdict {
  const verdict = checkRange(address.range(), reach)
  if (!verdict.ok || reach === 'operator') return verdict
  // Only 2000::/3 is given out for hosts on the Internet (RFC 4291 §2.4): what is unknown is not public.
  return isWithin(address, GLOBAL_UNICAST) ? ALLOWED : NOT_PUBLIC
}

/**
 * The IPv4 addresses that an IPv6 address stands for, or undefined when it stands for itself. Several when the form is not
 * certain; none when it is a translation address without a usable inside.
 */
function innerAddresses(parts: readonly number[]): string[] | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = parts
  const startsWithZeros = (a | b | c | d) === 0
  const isOwn = startsWithZeros && (e | f | g) === 0 && h <= 1 // :: and ::1
  if (isOwn) return undefined
  if (startsWithZeros && e === 0 && (f === 0 || f === 0xffff)) return [dotted(g, h)] // compatible, mapped (RFC 4291 §2.5.5)
  if (startsWithZeros && e === 0xffff && f === 0) return [dotted(g, h)] // translated (RFC 6145)
  if (a === 0x64 && b === 0xff9b && c === 0 && (d | e | f) === 0) return [dotted(g, h)] // NAT64 (RFC 6052)
  if (a === 0x64 && b === 0xff9b && c === 1) {
    // Local NAT64 (RFC 8215): the network decides between a /96 and a /48 prefix, so both readings count.
    const asLong = [g, h] as const
    const asShort = [d, ((e & 0xff) << 8) | (f >> 8)] as const
    return [asLong, asShort].filter(([high, low]) => (high | low) !== 0).map(([high, low]) => dotted(high, low))
  }
  if (a === 0x2002) return [dotted(b, c)] // 6to4 (RFC 3056)
  if (a === 0x2001 && b === 0) return [dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff)] // Teredo: server and client (RFC 4380)
  return undefined
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`
}

import { promises as dns } from 'node:dns'
import type { Reach } from './egress.ts'

/** One address of a host. */
export interface HostAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Looks a host name up; all of its addresses, in the order in which they should be tried. */
export type ResolveHost = (hostname: string) => Promise<readonly HostAddress[]>

/** How names are looked up, by who named them. */
export type LookUps = Readonly<Record<Reach, ResolveHost>>

/**
 * The look-ups of one way out. The operator's names are asked of the operating system, for which the process has two threads:
 * names that do not answer hold them for many seconds, and everybody else's calls wait. So a name that a person or a stranger
 * has chosen is asked of the name server directly, which takes no thread, and no name is asked for twice at a time.
 */
export function createLookUps(resolveHost?: ResolveHost): LookUps {
  if (resolveHost === undefined) return { operator: oneAtATime(resolveBySystem), person: oneAtATime(dnsResolver()) }
  const given = oneAtATime(resolveHost)
  return { operator: given, person: given }
}

/** As `getaddrinfo` does: the hosts file counts. */
async function resolveBySystem(hostname: string): Promise<readonly HostAddress[]> {
  const found = await dns.lookup(hostname, { all: true })
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** Which name servers are asked, and how long; by default the system's. */
export interface DnsResolverOptions {
  readonly servers?: readonly string[]
  readonly timeoutMs?: number
}

/**
 * Asks the name servers for what is public: neither the hosts file nor search domains count. An empty list: nobody knows the
 * name. Rejects with the code `EAI_AGAIN` when it cannot be looked up now.
 */
export function dnsResolver({ servers, timeoutMs = 2_000 }: DnsResolverOptions = {}): ResolveHost {
  const open = () => {
    const made = new dns.Resolver({ timeout: timeoutMs, tries: 2 })
    if (servers !== undefined) made.setServers(servers)
    return made
  }
  let resolver = open()
  return async (hostname) => {
    const name = hostname.toLowerCase().replace(/\.$/, '')
    // Never asked of a name server (RFC 6761 §6.3).
    if (name === 'localhost' || name.endsWith('.localhost')) return [{ address: '127.0.0.1', family: 4 }]
    const asked = [ask(resolver.resolve4(name), 4), ask(resolver.resolve6(name), 6)]
    const answers = await Promise.all(asked)
    const found = answers.flatMap((answer) => answer ?? [])
    if (found.length > 0 || !answers.includes(undefined)) return found
    // It has read at its start which name servers the system has: they may be others by now.
    resolver = open()
    throw Object.assign(new Error('no name server gave an answer'), { code: 'EAI_AGAIN' })
  }
}

/** What is said when there is no such name, none of that kind, or it is none. */
const NOBODY: readonly unknown[] = [dns.NOTFOUND, dns.NODATA, dns.BADNAME]

/** Undefined: it cannot be said now. */
async function ask(asking: Promise<readonly string[]>, family: 4 | 6): Promise<readonly HostAddress[] | undefined> {
  try {
    return (await asking).map((address) => ({ address, family }))
  } catch (error) {
    // Servers that fail for one kind of address only are common: the other one counts.
    return error instanceof Error && 'code' in error && NOBODY.includes(error.code) ? [] : undefined
  }
}

/** However many connections wait for a name, it is looked up once. What is found is judged by each of them. */
function oneAtATime(resolveHost: ResolveHost): ResolveHost {
  const underWay = new Map<string, Promise<readonly HostAddress[]>>()
  return (hostname) => {
    const known = underWay.get(hostname)
    if (known !== undefined) return known
    const looking = resolveHost(hostname).finally(() => underWay.delete(hostname))
    underWay.set(hostname, looking)
    return looking
  }
}

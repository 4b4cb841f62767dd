import type { LookupFunction } from 'node:net'
import type { buildConnector as undiciConnector } from 'undici'
import type { Reach } from './egress.ts'
import { checkAddress, checkHostname } from './guard.ts'
import type { HostAddress, ResolveHost } from './look-up.ts'
import { buildConnector } from './undici.ts'

/** The dial was refused; `reason` is the guard's, and `message` may name the address: it is for the record only. */
export class DialRefused extends Error {
  readonly reason: string

  constructor(reason: string, address: string) {
    super(`resolved to ${address}`)
    this.reason = reason
  }
}

/**
 * Makes the connections of one pool. Every address is checked here, at the dial, and the checked address is the one that is
 * dialled: there is no second look-up that could answer differently (DNS rebinding).
 */
export function createConnector(options: {
  readonly reach: Reach
  readonly resolveHost: ResolveHost
  readonly connectTimeoutMs: number
}): undiciConnector.connector {
  const lookup = pinnedLookup(options.reach, options.resolveHost)
  const connect = buildConnector({
    lookup,
    allowH2: false,
    // Written out: NODE_TLS_REJECT_UNAUTHORIZED must not be able to turn it off.
    rejectUnauthorized: true,
    timeout: options.connectTimeoutMs,
  })
  return (target, callback) => {
    // Node does not look up literal addresses, so they are checked without it.
    const verdict = checkHostname(target.hostname, options.reach)
    if (verdict.ok) connect(target, callback)
    else callback(new DialRefused(verdict.reason, target.hostname), null)
  }
}

function pinnedLookup(reach: Reach, resolveHost: ResolveHost): LookupFunction {
  return (hostname, options, callback) => {
    resolveHost(hostname).then(
      (found) => {
        const error = checkAll(found, reach)
        const [first] = found
        if (error !== undefined) callback(error, [])
        else if (first === undefined) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), [])
        else if (options.all === true) callback(null, [...found])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

/** One forbidden address refuses the host: what would be left may be the attacker's bait for the next look-up. */
function checkAll(found: readonly HostAddress[], reach: Reach): Error | undefined {
  for (const { address } of found) {
    const verdict = checkAddress(address, reach)
    if (!verdict.ok) return new DialRefused(verdict.reason, address)
  }
  return undefined
}

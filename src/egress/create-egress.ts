import type { Pool as OriginPool } from 'undici'
import { GatewayError } from '../errors.ts'
import { Deadlines } from './deadlines.ts'
import { createConnector } from './dial.ts'
import type { Egress, OutgoingRequest, OutgoingResponse, Reach } from './egress.ts'
import { cancelled, refused } from './failure.ts'
import { Flight, type FlightLane, type FlightPlan } from './flight.ts'
import { createLookUps, type LookUps, type ResolveHost } from './look-up.ts'
import { checkRequest } from './safe-request.ts'
import { Pool } from './undici.ts'

/** How the way out is built; every field has a default. */
export interface EgressOptions {
  /** Connections per pool. Default 128. */
  readonly connectionsMax?: number
  /** Requests per pool that are under way or wait for a connection; one more is refused. Default 2,048. */
  readonly underWayMax?: number
  /** The same for requests that may stay open, each with a connection of its own. Default 4,096. */
  readonly openMax?: number
  /** Pools, one per reach and origin, and one more for requests that may stay open; the least recently used makes room. Default 256. */
  readonly poolsMax?: number
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Hosts (`name` or `name:port`) that persons may name although they are private. Metadata addresses stay refused. */
  readonly allowedHosts?: readonly string[]
  /** Default: the operating system's look-up for the operator, the name servers' for persons. */
  readonly resolveHost?: ResolveHost
  /** Milliseconds of a clock that never runs backwards. Default: `performance.now`. */
  readonly now?: () => number
}

/**
 * Builds the only way out of the process: keep-alive pools per reach and origin, addresses checked at the dial, deadlines,
 * size limits. Redirects are answers like any other. Sends no `Accept-Encoding`.
 */
export function createEgress(options: EgressOptions = {}): Egress {
  const now = options.now ?? (() => performance.now())
  const deadlines = new Deadlines(now)
  const pools = new Pools(options)
  let isClosed = false

  function laneFor(request: OutgoingRequest): Lane {
    if (isClosed) throw new GatewayError('unavailable', 'Gatehouse is stopping.')
    if (request.signal?.aborted) throw cancelled()
    checkRequest(request)
    const lane = pools.laneFor(request)
    if (lane.underWay < lane.underWayMax) return lane
    const subject = request.calledAs ?? 'The server'
    throw new GatewayError('upstream_unreachable', `${subject} has too many calls waiting for it. Try again later.`)
  }

  // No `async` on the hot path: each one costs a promise and a turn of the queue.
  function send(request: OutgoingRequest): Promise<OutgoingResponse> {
    return new Promise((resolve, reject) => {
      fly({ request, lane: laneFor(request), deadlines, deadlineAt: now() + request.timeoutMs, resolve, reject })
    })
  }

  return {
    send,
    close: async () => {
      isClosed = true
      await pools.close()
    },
  }
}

function fly(plan: FlightPlan & { readonly lane: Lane }): void {
  const { method, path, headers, body = null } = plan.request
  plan.lane.pool.dispatch({ method, path, headers, body, headersTimeout: 0, bodyTimeout: 0 }, new Flight(plan))
}

/** One pool with its requests that have not ended. */
interface Lane extends FlightLane {
  readonly pool: OriginPool
  readonly reach: Reach
  readonly origin: string
  readonly isOpen: boolean
  readonly underWayMax: number
}

/** A bounded number of pools. A pool that makes room finishes what it carries. */
class Pools {
  readonly #lanes = new Map<string, Lane>()
  /** The last one in the map: asked for again, nothing about the order changes. */
  #latest: Lane | undefined
  readonly #options: EgressOptions
  readonly #allowedHosts: ReadonlySet<string>
  readonly #lookUps: LookUps

  constructor(options: EgressOptions) {
    this.#options = options
    this.#lookUps = createLookUps(options.resolveHost)
    this.#allowedHosts = new Set(options.allowedHosts?.map((host) => host.toLowerCase()))
  }

  laneFor(request: OutgoingRequest): Lane {
    const latest = this.#latest
    if (latest !== undefined && isLaneOf(latest, request)) return latest
    const key = `${request.mayStayOpen === true ? 'open' : 'short'} ${request.reach} ${request.origin}`
    const known = this.#lanes.get(key)
    const lane = known ?? this.#open(request)
    // Map order is the order of use: the first is the least recently used.
    if (known !== undefined) this.#lanes.delete(key)
    this.#lanes.set(key, lane)
    this.#latest = lane
    return lane
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#lanes.values(), (lane) => lane.pool.close()))
    this.#lanes.clear()
    this.#latest = undefined
  }

  #open(request: OutgoingRequest): Lane {
    const url = parseOrigin(request)
    const reach = this.#reachOf(url, request.reach)
    this.#makeRoom()
    const { connectTimeoutMs = 10_000 } = this.#options
    const { connectionsMax = 128, underWayMax = 2048, openMax = 4096 } = this.#options
    const isOpen = request.mayStayOpen === true
    const pool = new Pool(url.origin, {
      connections: isOpen ? openMax : connectionsMax,
      connect: createConnector({ reach, resolveHost: this.#lookUps[reach], connectTimeoutMs }),
      allowH2: false,
      // One at a time on a connection: a slow answer must not hold up somebody else's.
      pipelining: 1,
      // Experimental, and otherwise switched by an environment variable.
      useMilo: false,
    })
    const { reach: lanesReach, origin } = request
    return {
      ...{ pool, reach: lanesReach, origin, isOpen },
      ...{ underWayMax: isOpen ? openMax : underWayMax, underWay: 0, unpacked: Promise.resolve() },
    }
  }

  #reachOf(url: URL, reach: Reach): Reach {
    return this.#allowedHosts.has(url.host) || this.#allowedHosts.has(url.hostname) ? 'operator' : reach
  }

  #makeRoom(): void {
    const poolsMax = this.#options.poolsMax ?? 256
    while (this.#lanes.size >= poolsMax) {
      const [oldest] = this.#lanes
      if (oldest === undefined) return
      this.#lanes.delete(oldest[0])
      // Not waited for: it ends with its last request, and each of those has a deadline.
      oldest[1].pool.close(() => {})
    }
  }
}

function isLaneOf({ reach, origin, isOpen }: Lane, request: OutgoingRequest): boolean {
  return reach === request.reach && origin === request.origin && isOpen === (request.mayStayOpen === true)
}

function parseOrigin(request: OutgoingRequest): URL {
  const url = URL.parse(request.origin)
  if (url === null) throw refused(request, 'its URL is not valid')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(request, 'only http and https are called')
  const isBare = url.username === '' && url.password === '' && url.href === `${url.origin}/`
  if (!isBare) throw refused(request, 'its URL is not an origin')
  return url
}

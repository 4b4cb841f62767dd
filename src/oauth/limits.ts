import { GatewayError } from '../errors.ts'
import { networkOf } from '../limits/failed-auth.ts'
import { WindowCounter } from '../limits/window-counter.ts'

const MINUTE_MS = 60_000

/** How often one address may come in a window (FEATURES H6). Always on: nobody has a reason to come more often. */
const PER_ADDRESS = {
  register: { max: 20, windowMs: MINUTE_MS },
  authorize: { max: 60, windowMs: MINUTE_MS },
  token: { max: 300, windowMs: MINUTE_MS },
  // Codes of devices have 34 bits and live for ten minutes: nobody guesses one in so many tries (RFC 8628 §5.1).
  deviceCode: { max: 30, windowMs: 10 * MINUTE_MS },
  other: { max: 300, windowMs: MINUTE_MS },
} as const

export type LimitedSurface = keyof typeof PER_ADDRESS

/** Counts who comes to the authorization server. Bounded in names. */
export class SurfaceLimits {
  readonly #counters = new Map<LimitedSurface, WindowCounter>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @throws GatewayError `rate_limited` */
  take(surface: LimitedSurface, address: string): void {
    const { max, windowMs } = PER_ADDRESS[surface]
    const counter = this.#counters.get(surface) ?? new WindowCounter({ windowMs })
    this.#counters.set(surface, counter)
    const taken = counter.take(networkOf(address), max, this.#now())
    if (!taken.ok) throw tooMany(taken.retryAfterMs)
  }
}

function tooMany(retryAfterMs: number): GatewayError {
  const retryAfterSeconds = Math.ceil(retryAfterMs / 1000)
  return new GatewayError('rate_limited', `Too many requests. Try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
    data: { retryAfter: retryAfterSeconds },
  })
}

import { GatewayError } from '../errors.ts'
import { networkOf } from '../limits/failed-auth.ts'
import { type Taken, WindowCounter } from '../limits/window-counter.ts'
import type { ModelAdapter } from './adapter.ts'
import type { OAuthSettings } from './settings.ts'

export interface RegisteredClientsOptions {
  /** The storage of the library's model `Client`. */
  readonly adapter: ModelAdapter
  readonly settings: OAuthSettings['registration']
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Members of ours beside the metadata: until when it is kept, seconds, and whether a person has ever allowed it something. */
const KEPT_UNTIL = 'gatehouse_kept_until'
const IS_USED = 'gatehouse_is_used'

/** Of all registrations of a day, one address may have one in so many: else it alone could keep everybody out. */
const PART_OF_ONE = 10
/** But so many at least, where the operator wants few. */
const OF_ONE_MIN = 20

/**
 * Clients that have registered themselves. Anybody may, so their number is bounded: one that nobody allows anything is gone in a
 * day, and in a day only so many come (RFC 7591 §5). Whoever is used stays, and goes when that was long ago.
 */
export class RegisteredClients {
  readonly #options: RegisteredClientsOptions
  readonly #registrations: WindowCounter
  readonly #ofAddresses: WindowCounter

  constructor(options: RegisteredClientsOptions) {
    this.#options = options
    const windowMs = options.settings.unusedSeconds * 1000
    this.#registrations = new WindowCounter({ windowMs, namesMax: 1 })
    this.#ofAddresses = new WindowCounter({ windowMs })
  }

  /** Counts one more from this address. @throws GatewayError `rate_limited` */
  admit(address: string): void {
    const { settings, now } = this.#options
    const ofOneMax = Math.max(OF_ONE_MIN, Math.ceil(settings.clientsMax / PART_OF_ONE))
    refuseUnless(this.#ofAddresses.take(networkOf(address), ofOneMax, now()))
    refuseUnless(this.#registrations.take('all', settings.clientsMax, now()))
  }

  /** When a client that registers now is forgotten, seconds since the epoch, unless it is used. */
  get unusedUntil(): number {
    return this.#secondsFromNow(this.#options.settings.unusedSeconds)
  }

  /** A person has allowed it something: from now on it is kept for long. Not for clients that did not register. */
  async used(id: string): Promise<void> {
    const { adapter, settings } = this.#options
    const metadata = await adapter.find(id)
    if (metadata === undefined) return
    const keptUntil = this.#secondsFromNow(settings.idleSeconds)
    await adapter.upsert(id, { ...metadata, [KEPT_UNTIL]: keptUntil, [IS_USED]: true }, settings.idleSeconds)
  }

  /** The adapter for the library. */
  get adapter(): ModelAdapter {
    const { adapter, settings } = this.#options
    return {
      ...adapter,
      upsert: (id, metadata) =>
        adapter.upsert(id, { ...metadata, [KEPT_UNTIL]: this.unusedUntil }, settings.unusedSeconds),
      find: async (id) => {
        const metadata = await adapter.find(id)
        if (metadata?.[IS_USED] === true && this.#isHalfOver(metadata[KEPT_UNTIL])) await this.used(id)
        return metadata
      },
    }
  }

  #isHalfOver(keptUntil: unknown): boolean {
    return typeof keptUntil === 'number' && keptUntil < this.#secondsFromNow(this.#options.settings.idleSeconds / 2)
  }

  #secondsFromNow(seconds: number): number {
    return Math.floor(this.#options.now() / 1000 + seconds)
  }
}

function refuseUnless(taken: Taken): void {
  if (taken.ok) return
  const retryAfterSeconds = Math.ceil(taken.retryAfterMs / 1000)
  throw new GatewayError('rate_limited', 'Too many clients have registered. Try again later.', { retryAfterSeconds })
}

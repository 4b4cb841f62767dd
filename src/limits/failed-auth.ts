import { GatewayError } from '../errors.ts'
import { WindowCounter } from './window-counter.ts'

/** How many refused credentials one address may show in a window. */
export interface FailedAuthSettings {
  readonly max: number
  readonly windowMs: number
}

/** Slows down whoever guesses credentials (FEATURES A37). */
export interface FailedAuthLimit {
  /**
   * Asked before a credential is checked that is not known to be good.
   *
   * @throws GatewayError `rate_limited`
   */
  check(address: string, now: number): void
  /** Notes that a credential was refused. */
  failed(address: string, now: number): void
}

/** Bounded in addresses. IPv6 counts by its /64: one customer has all of that. */
export function createFailedAuthLimit({ max, windowMs }: FailedAuthSettings): FailedAuthLimit {
  const counter = new WindowCounter({ windowMs })
  return {
    check(address, now) {
      const taken = counter.peek(networkOf(address), max, now)
      if (taken.ok) return
      const retryAfterSeconds = Math.ceil(taken.retryAfterMs / 1000)
      throw new GatewayError('rate_limited', `Too many refused credentials. Try again in ${retryAfterSeconds} s.`, {
        retryAfterSeconds,
        data: { retryAfter: retryAfterSeconds },
      })
    },
    failed(address, now) {
      counter.add(networkOf(address), max, now)
    },
  }
}

/** The address of an IPv4 host, also in its mapped form; of IPv6 the network that one customer gets (RFC 6177). */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  const [head = '', tail] = address.split('%', 1).join().split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - groups.length - after.length }, () => '0')
  return [...groups, ...zeros, ...after].slice(0, 4).join(':')
}

import { sha256 } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import { networkOf } from './failed-auth.ts'
import { type Taken, WindowCounter } from './window-counter.ts'

const PER_ADDRESS = { max: 30, windowMs: 5 * 60_000 }
const PER_EMAIL = { max: 20, windowMs: 15 * 60_000 }

/**
 * How often somebody may try a password or a one-time code (FEATURES H6; THREATS.md, T26): always on, bounded in addresses and
 * e-mails. Every try counts before it is looked at, so that tries at the same moment count too.
 */
export interface SignInLimits {
  /**
   * `now` in milliseconds. Without an e-mail the address alone is counted.
   *
   * @throws GatewayError `rate_limited`
   */
  take(tried: { readonly address: string; readonly email?: string | undefined; readonly now: number }): void
}

export function createSignInLimits(): SignInLimits {
  const addresses = new WindowCounter({ windowMs: PER_ADDRESS.windowMs })
  const emails = new WindowCounter({ windowMs: PER_EMAIL.windowMs })
  return {
    take({ address, email, now }) {
      refuse(addresses.take(networkOf(address), PER_ADDRESS.max, now))
      // Hashed, since a stranger chooses its length.
      if (email !== undefined) refuse(emails.take(sha256(email), PER_EMAIL.max, now))
    },
  }
}

function refuse(taken: Taken): void {
  if (taken.ok) return
  const retryAfterSeconds = Math.ceil(taken.retryAfterMs / 1000)
  throw new GatewayError('rate_limited', `Too many tries. Try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
    data: { retryAfter: retryAfterSeconds },
  })
}

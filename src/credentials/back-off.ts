import { GatewayError } from '../errors.ts'

/** How long logins rest after a failure. */
export interface BackOff {
  /** @throws GatewayError the last failure again, with the seconds until the next attempt, while it rests. */
  check(): void
  /** Rests from now on, longer with each failure in a row. */
  failed(failure: {
    readonly error: GatewayError
    readonly isRejected: boolean
    readonly retryAfterSeconds: number
  }): void
  succeeded(): void
}

const PASSING = { firstMs: 1000, longestMs: 60_000 }
// A wrong password tried again and again locks the account: common rules lock at five attempts in 15 minutes.
const REJECTED = { firstMs: 60_000, longestMs: 900_000 }

/**
 * Doubling rests: from 1 s to 60 s after a failure that may pass, from 60 s to 15 minutes after credentials were rejected.
 * What the API asks for in `Retry-After` counts when it is longer, up to 15 minutes. `now` is milliseconds.
 */
export function createBackOff(now: () => number): BackOff {
  let inARow = 0
  let until = Number.NEGATIVE_INFINITY
  let last: GatewayError | undefined

  return {
    check() {
      const restMs = until - now()
      if (last === undefined || restMs <= 0) return
      const seconds = Math.ceil(restMs / 1000)
      throw new GatewayError(last.code, `${last.message} Next attempt in ${seconds} s.`, {
        retryAfterSeconds: seconds,
      })
    },
    failed({ error, isRejected, retryAfterSeconds }) {
      const { firstMs, longestMs } = isRejected ? REJECTED : PASSING
      const ownMs = Math.min(firstMs * 2 ** Math.min(inARow, 20), longestMs)
      const askedMs = Math.min(retryAfterSeconds * 1000, REJECTED.longestMs)
      inARow += 1
      until = now() + Math.max(ownMs, askedMs)
      last = error
    },
    succeeded() {
      inARow = 0
      last = undefined
    },
  }
}

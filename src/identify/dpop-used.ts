import { GatewayError } from '../errors.ts'

/** Remembers which proofs came: each counts once (RFC 9449 §11.1). */
export interface UsedProofs {
  /**
   * Whether this is the first of that name. `madeAt` is what the proof says, `until` when nobody need remember it: milliseconds
   * since the epoch.
   *
   * @throws GatewayError `unavailable` when it cannot be remembered: what cannot be remembered does not count.
   */
  take(name: string, times: ProofTimes): Promise<boolean>
}

export interface ProofTimes {
  readonly madeAt: number
  readonly until: number
}

const PROOFS_MAX = 100_000
/** How many are looked at for room, each time. */
const SWEEP = 32

/**
 * In memory: for a gateway that is alone on its storage. Only proofs that hold come in, so a stranger cannot fill it; when it is
 * full all the same nothing more counts until there is room.
 */
export class UsedProofsInMemory implements UsedProofs {
  readonly #now: () => number
  readonly #max: number
  /** Whatever was made before may have been used with the process before this one, which took its memory along. */
  readonly #from: number
  readonly #until = new Map<string, number>()

  constructor({ now, max = PROOFS_MAX }: { readonly now: () => number; readonly max?: number }) {
    this.#now = now
    this.#max = max
    // Proofs count whole seconds.
    this.#from = Math.floor(now() / 1000) * 1000
  }

  get size(): number {
    return this.#until.size
  }

  async take(name: string, { madeAt, until }: ProofTimes): Promise<boolean> {
    this.#sweep()
    if (madeAt < this.#from) return false
    if (this.#until.has(name)) return false
    if (this.#until.size >= this.#max) throw full()
    this.#until.set(name, until)
    return true
  }

  /** The oldest stand first, and all live equally long but for the difference of clocks. */
  #sweep(): void {
    const now = this.#now()
    let left = SWEEP
    for (const [name, until] of this.#until) {
      if (left === 0) return
      left -= 1
      if (until < now) this.#until.delete(name)
    }
  }
}

function full(): GatewayError {
  return new GatewayError('unavailable', 'Too many proofs of possession. Try again in a minute.', {
    retryAfterSeconds: 60,
  })
}

/** Looking at the clock costs as much as a tenth of a step. */
const STEPS_PER_LOOK = 8
const WORK_MS = 0.8
const REST_PER_WORK = 2
const REST_MS_MAX = 4

/** The clock and the bed, milliseconds each. Defaults: `performance.now`, and `Atomics.wait`, which blocks the thread. */
export interface PaceOptions {
  readonly now?: () => number
  readonly rest?: (ms: number) => void
}

/**
 * Makes a thread that has time rest twice as long as it works, a millisecond or so at a time. Shorter pieces would cost more:
 * each rest ends with a processor that has to be woken, and with cold caches.
 *
 * A thread that runs for some milliseconds keeps whoever needs its processor next waiting about as long, whatever its
 * priority: the scheduler lets it finish its slice (Linux: 1.4 ms, and then up to the next tick). Where a processor is free
 * it makes no difference.
 */
export class Pace {
  readonly #now: () => number
  readonly #rest: (ms: number) => void
  #steps = 0
  #beganAt = 0

  constructor({ now = () => performance.now(), rest = sleeper() }: PaceOptions = {}) {
    this.#now = now
    this.#rest = rest
  }

  /** Before the first step. */
  begin(): void {
    this.#steps = 0
    this.#beganAt = this.#now()
  }

  /** After each step. Rests where it is time for it. */
  step(): void {
    this.#steps += 1
    if (this.#steps % STEPS_PER_LOOK !== 0) return
    const workedMs = this.#now() - this.#beganAt
    if (workedMs < WORK_MS) return
    this.#rest(Math.min(workedMs * REST_PER_WORK, REST_MS_MAX))
    this.#beganAt = this.#now()
  }
}

/** Nobody knows the place that it waits at, so nothing ends the wait but the time. */
function sleeper(): (ms: number) => void {
  const place = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  return (ms) => {
    Atomics.wait(place, 0, 0, ms)
  }
}

/** Something that must have ended at a time of the clock that the sweep was made with. */
export interface Deadlined {
  /** May be moved while it is watched; infinite for what may take as long as it likes. */
  deadlineAt: number
  /** Its place among the watched, kept by `Deadlines`; -1 while it is not watched. */
  watchedAt: number
  expire(): void
}

const SWEEP_EVERY_MS = 50

/**
 * Watches the deadlines of everything under way with one coarse timer instead of one each: about 50 ms late at most, on an
 * idle machine. The timer does not keep the process alive, and runs only while there is something to watch.
 *
 * A list whose gaps are filled from its end, not a Set: the tables that a Set leaves behind as it grows and shrinks hold on
 * to what was in them until a full collection of garbage, so every request outlived several small ones.
 */
export class Deadlines {
  readonly #watched: Deadlined[] = []
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** The time of this clock in so many milliseconds. */
  in(milliseconds: number): number {
    return this.#now() + milliseconds
  }

  add(item: Deadlined): void {
    item.watchedAt = this.#watched.length
    this.#watched.push(item)
    this.#timer ??= setTimeout(this.#sweep, SWEEP_EVERY_MS).unref()
  }

  delete(item: Deadlined): void {
    const place = item.watchedAt
    if (place === -1) return
    item.watchedAt = -1
    const last = this.#watched.pop()
    if (last === undefined || last === item) return
    last.watchedAt = place
    this.#watched[place] = last
  }

  readonly #sweep = (): void => {
    const now = this.#now()
    // From the end: whoever expires leaves, and only somebody already looked at takes its place.
    for (let place = this.#watched.length - 1; place >= 0; place -= 1) {
      const item = this.#watched[place]
      if (item !== undefined && item.deadlineAt <= now) item.expire()
    }
    this.#timer = this.#watched.length === 0 ? undefined : setTimeout(this.#sweep, SWEEP_EVERY_MS).unref()
  }
}

/** The answer to one try. */
export type Taken = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }

const TAKEN: Taken = { ok: true }
const LOOKED_AT_MAX = 32

interface Entry {
  /** Start of the window that `count` belongs to, milliseconds. */
  windowStart: number
  count: number
  /** Of the window before. */
  previous: number
  /** The share of this name: others may have more, or less. */
  max: number
}

/**
 * Counts by name in a sliding window: the window before counts in proportion to how much of it is still in sight, so that
 * nobody gets twice the limit around the turn of a window.
 *
 * Bounded: when there are too many names, those go first whose windows have passed, then those that have used little of
 * their share, who lose nothing by being forgotten. Names that have used much stay; a new one then shares one count with all
 * other new ones.
 */
export class WindowCounter {
  readonly #windowMs: number
  readonly #namesMax: number
  readonly #entries = new Map<string, Entry>()
  readonly #crowd: Entry = { windowStart: 0, count: 0, previous: 0, max: 0 }

  constructor({ windowMs, namesMax = 100_000 }: { readonly windowMs: number; readonly namesMax?: number }) {
    this.#windowMs = windowMs
    this.#namesMax = namesMax
  }

  get names(): number {
    return this.#entries.size
  }

  /** Counts one more under this name, unless that would be more than `max`. `now`: milliseconds that never run backwards. */
  take(name: string, max: number, now: number): Taken {
    const entry = this.#entryOf(name, max, now)
    const used = this.#used(entry, now)
    if (used + 1 > max) return { ok: false, retryAfterMs: this.#waitFor(entry, max, now) }
    entry.count += 1
    return TAKEN
  }

  /** Counts one more, also past `max`. */
  add(name: string, max: number, now: number): void {
    const entry = this.#entryOf(name, max, now)
    this.#used(entry, now)
    entry.count += 1
  }

  /** Whether one more would be let through; counts nothing. */
  peek(name: string, max: number, now: number): Taken {
    const entry = this.#entries.get(name)
    if (entry === undefined || this.#used(entry, now) + 1 <= max) return TAKEN
    return { ok: false, retryAfterMs: this.#waitFor(entry, max, now) }
  }

  #entryOf(name: string, max: number, now: number): Entry {
    const known = this.#entries.get(name)
    if (known !== undefined) {
      known.max = max
      return known
    }
    if (this.#entries.size >= this.#namesMax && !this.#makeRoom(now)) return this.#crowd
    const entry = { windowStart: now - (now % this.#windowMs), count: 0, previous: 0, max }
    this.#entries.set(name, entry)
    return entry
  }

  /** What counts now; moves the entry on to the window of now. */
  #used(entry: Entry, now: number): number {
    const windowStart = now - (now % this.#windowMs)
    if (windowStart !== entry.windowStart) {
      entry.previous = windowStart - entry.windowStart === this.#windowMs ? entry.count : 0
      entry.count = 0
      entry.windowStart = windowStart
    }
    const inSight = 1 - (now - windowStart) / this.#windowMs
    return entry.count + entry.previous * inSight
  }

  /** Until so much of what was used is out of sight that one more fits. */
  #waitFor({ windowStart, count, previous }: Entry, max: number, now: number): number {
    const passed = now - windowStart
    // In this window only the one before fades; if that is not enough, this one fades in the next.
    if (count + 1 <= max && previous > 0) {
      return Math.max(1, Math.ceil(this.#windowMs * (1 - (max - 1 - count) / previous) - passed))
    }
    const fading = count === 0 ? 0 : this.#windowMs * Math.max(0, 1 - (max - 1) / count)
    return Math.max(1, Math.ceil(this.#windowMs - passed + fading))
  }

  #makeRoom(now: number): boolean {
    let lookedAt = 0
    for (const [name, entry] of this.#entries) {
      if (this.#used(entry, now) <= entry.max / 10) {
        this.#entries.delete(name)
        return true
      }
      lookedAt += 1
      if (lookedAt >= LOOKED_AT_MAX) return false
      // Whoever has used much goes to the end, so that others are looked at next time.
      this.#entries.delete(name)
      this.#entries.set(name, entry)
    }
    return false
  }
}

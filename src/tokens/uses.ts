import { toGatewayError } from '../errors.ts'
import type { IssuedTable } from '../store/store.ts'

const FLUSH_MS = 1_000

/** Where uses are kept. */
interface KeptUses {
  readonly issued: Pick<IssuedTable, 'use'>
}

/**
 * When credentials were last used. Noted in memory at each call, written in batches: at most a second behind, and once more
 * at the stop. Holds an id only once, so it is no larger than what was issued.
 */
export class Uses {
  readonly #store: KeptUses
  readonly #onFailure: (code: string) => void
  #waiting = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(store: KeptUses, onFailure: (code: string) => void) {
    this.#store = store
    this.#onFailure = onFailure
  }

  /** `at` in milliseconds since the epoch. */
  note(id: string, at: number): void {
    this.#waiting.set(id, at)
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref()
  }

  /** Writes what was noted so far. Never rejects: a time that is lost harms nobody. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = new Map()
    if (waiting.size === 0) return this.#flushing
    const uses = [...waiting].map(([id, at]) => ({ id, at }))
    this.#flushing = this.#flushing
      .then(() => this.#store.issued.use(uses))
      .catch((error: unknown) => this.#onFailure(toGatewayError(error).code))
    return this.#flushing
  }
}

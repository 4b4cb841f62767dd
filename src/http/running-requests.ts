import { setTimeout } from 'node:timers/promises'

/** Counts the requests that are being worked on. One whose connection has closed is among them until it has been recorded. */
export class RunningRequests {
  #count = 0
  #ended: PromiseWithResolvers<void> | undefined

  begin(): void {
    this.#count += 1
  }

  end(): void {
    this.#count -= 1
    if (this.#count === 0) this.#ended?.resolve()
  }

  /** Resolves when there is none, or after so long. */
  async whenNone(withinMs: number): Promise<void> {
    if (this.#count === 0) return
    this.#ended ??= Promise.withResolvers()
    await Promise.race([this.#ended.promise, setTimeout(withinMs, undefined, { ref: false })])
  }
}

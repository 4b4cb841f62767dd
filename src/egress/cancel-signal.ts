/**
 * What says that an answer is no longer wanted. An `AbortSignal` is one; so is the cheaper `Cancellation`, of which every
 * request makes one.
 */
export interface CancelSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: CancelListener): void
  removeEventListener(type: 'abort', listener: CancelListener): void
}

export interface CancelListener {
  handleEvent(): void
}

const NOBODY: readonly CancelListener[] = []

/** A signal and the means to give it. An `AbortController` costs some five times as much, most of it for events nobody uses. */
export class Cancellation implements CancelSignal {
  #aborted = false
  #listeners: readonly CancelListener[] = NOBODY

  get aborted(): boolean {
    return this.#aborted
  }

  addEventListener(_type: 'abort', listener: CancelListener): void {
    this.#listeners = [...this.#listeners, listener]
  }

  removeEventListener(_type: 'abort', listener: CancelListener): void {
    this.#listeners = this.#listeners.filter((known) => known !== listener)
  }

  /** Tells every listener, once. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    const told = this.#listeners
    this.#listeners = NOBODY
    for (const listener of told) listener.handleEvent()
  }
}

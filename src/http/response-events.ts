import type { ServerResponse } from 'node:http'
import { Cancellation, type CancelSignal } from '../egress/cancel-signal.ts'
import type { EventSink, ServerEvent } from './server-events.ts'

/**
 * Cuts off a client who does not take the rest of an answer that has ended: without it the rest would wait in memory for ever.
 * Every byte that he takes begins the time anew. An answer that the network has taken whole, as nearly every one, needs nothing.
 */
export function cutWhenStalled(response: ServerResponse, stallMsMax = 120_000): void {
  // Nobody listens for it, so Node closes the connection; once the answer is out, its time for idle connections counts again.
  if (response.writableLength > 0) response.setTimeout(stallMsMax)
}

/** Events as the body of an HTTP answer, whose head has been written. */
export class ResponseEvents implements EventSink {
  readonly #response: ServerResponse
  readonly #stallMsMax: number | undefined
  readonly #closed = new Cancellation()
  #drained: PromiseWithResolvers<void> | undefined

  constructor(response: ServerResponse, stallMsMax?: number) {
    this.#response = response
    this.#stallMsMax = stallMsMax
    if (response.destroyed) this.clientLeft()
    else response.on('drain', () => this.#wake())
  }

  get closed(): CancelSignal {
    return this.#closed
  }

  send(event: ServerEvent): boolean {
    return this.#closed.aborted || this.#response.write(event.raw)
  }

  whenDrained(): Promise<void> {
    if (this.#closed.aborted || !this.#response.writableNeedDrain) return Promise.resolve()
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  end(): void {
    if (this.#closed.aborted) return
    this.#response.end()
    cutWhenStalled(this.#response, this.#stallMsMax)
    this.clientLeft()
  }

  cut(): void {
    if (this.#closed.aborted) return
    this.#response.destroy()
    this.clientLeft()
  }

  /** Nobody reads any more. */
  clientLeft(): void {
    this.#closed.abort()
    this.#wake()
  }

  #wake(): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }
}

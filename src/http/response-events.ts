import type { ServerResponse } from 'node:http'
import { Cancellation, type CancelSignal } from '../egress/cancel-signal.ts'
import type { EventSink, ServerEvent } from './server-events.ts'

/** Events as the body of an HTTP answer, whose head has been written. */
export class ResponseEvents implements EventSink {
  readonly #response: ServerResponse
  readonly #closed = new Cancellation()
  #drained: PromiseWithResolvers<void> | undefined

  constructor(response: ServerResponse) {
    this.#response = response
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

import type { Exchange } from '../http/exchange.ts'
import type { RpcId } from './json-rpc.ts'

const RUNNING_MAX = 50_000

/**
 * Calls that `notifications/cancelled` may name. The older era cancels by a message of its own, so the call it means is
 * found by session and id. Without a session two clients of one caller may use the same id: nothing is found then, and
 * closing the connection is the way to cancel.
 */
export class RunningCalls {
  readonly #running = new Map<string, Exchange>()

  /** Remembers the call until `finish`. Above 50,000 at once further calls cannot be cancelled by message. */
  start(scope: string | undefined, id: RpcId, exchange: Exchange): void {
    if (scope !== undefined && this.#running.size < RUNNING_MAX) this.#running.set(key(scope, id), exchange)
  }

  finish(scope: string | undefined, id: RpcId): void {
    if (scope !== undefined) this.#running.delete(key(scope, id))
  }

  /** Cancels the call, if it runs. An unknown id is ignored, as the specification asks. */
  cancel(scope: string | undefined, id: unknown): void {
    if (scope === undefined) return
    if (typeof id === 'string' || typeof id === 'number') this.#running.get(key(scope, id))?.cancel()
  }
}

function key(scope: string, id: RpcId): string {
  return `${scope} ${typeof id} ${id}`
}

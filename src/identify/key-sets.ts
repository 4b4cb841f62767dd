import type { Egress, Reach } from '../egress/egress.ts'
import { KeySet } from './key-set.ts'

/** More sets than this are not shared any more: the oldest leave the list and live on with whoever uses them. */
const SETS_MAX = 1_000

/** The key sets of this gateway: workspaces that name the same URL share one, so its provider is asked once for all. */
export class KeySets {
  readonly #egress: Egress
  readonly #now: () => number
  readonly #sets = new Map<string, KeySet>()
  readonly #closing = new AbortController()

  constructor(options: { readonly egress: Egress; readonly now: () => number }) {
    this.#egress = options.egress
    this.#now = options.now
  }

  /** The set of a URL. Fetches nothing. @throws GatewayError `config_invalid` when keys from there could not be trusted. */
  open(url: string, reach: Reach): KeySet {
    // What the operator may reach, a person may not: they never share a set (PRODUCT.md, 13).
    const name = `${reach} ${url}`
    const known = this.#sets.get(name)
    if (known !== undefined) return known
    const signal = this.#closing.signal
    const set = new KeySet({ url, reach, egress: this.#egress, now: this.#now, signal })
    const [oldest] = this.#sets.keys()
    if (this.#sets.size >= SETS_MAX && oldest !== undefined) this.#sets.delete(oldest)
    this.#sets.set(name, set)
    return set
  }

  /** Ends every fetch under way. */
  close(): void {
    this.#closing.abort()
    this.#sets.clear()
  }
}

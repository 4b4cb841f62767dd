import type { Caller } from './caller.ts'

interface Entry {
  readonly owner: object
  readonly token: string
  readonly caller: Caller
  readonly validUntil: number
}

/** What belongs to one result: who asks for it, and for which token of which workspace. */
export interface ResultKey {
  /** Only the owner that kept a result is given it: a workspace whose settings change has a new one. */
  readonly owner: object
  readonly workspaceId: string
  readonly token: string
}

/** How many tokens of late are told apart; a power of two. */
const SEEN_MAX = 8192
/** The end of a signature: as random as the rest of it. */
const SEEN_CHARACTERS = 8

/**
 * Remembers who a verified token speaks for, for a short time: one for the gateway, bounded in entries and in characters.
 * When it is full the oldest result leaves. Only verified tokens come in, so a stranger cannot fill it.
 *
 * A token's place is worth having once it has come back: a result is kept from the second time on. Whoever brings a new token
 * with every call would otherwise push out everybody else, and each of his results would live just long enough to be costly
 * to collect (measured: 5 MB more with another token at each call).
 */
export class ResultCache {
  readonly #entries = new Map<string, Entry>()
  readonly #entriesMax: number
  readonly #charactersMax: number
  /** A mark of the tokens that came of late, each at the place that it decides itself. Two of one mark: the second is kept at once. */
  readonly #seen = new Uint32Array(SEEN_MAX)
  #characters = 0

  constructor({ entriesMax = 2_000, charactersMax = 4_000_000 } = {}) {
    this.#entriesMax = entriesMax
    this.#charactersMax = charactersMax
  }

  get size(): number {
    return this.#entries.size
  }

  /** The caller, when the very same token was verified for the same owner and workspace, and `now` is before its end. */
  find(key: ResultKey, now: number): Caller | undefined {
    const entry = this.#entries.get(nameOf(key))
    if (entry === undefined || entry.token !== key.token || entry.owner !== key.owner) return undefined
    return now < entry.validUntil ? entry.caller : undefined
  }

  /**
   * Keeps the result of a token that came before, until `validUntil`, in milliseconds since the epoch. `atOnce`: also of one
   * that is new, where somebody else had to be asked for it.
   */
  keep(key: ResultKey, caller: Caller, validUntil: number, { atOnce = false } = {}): void {
    if (!atOnce && !this.#cameBefore(key.token)) return
    const { owner, token } = key
    const name = nameOf(key)
    this.#remove(name)
    this.#entries.set(name, { owner, token, caller, validUntil })
    this.#characters += token.length
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax && this.#characters <= this.#charactersMax) return
      this.#remove(oldest)
    }
  }

  #cameBefore(token: string): boolean {
    let mark = token.length
    for (let index = Math.max(0, token.length - SEEN_CHARACTERS); index < token.length; index += 1) {
      mark = Math.imul(mark, 31) + token.charCodeAt(index)
    }
    mark >>>= 0
    const place = mark % SEEN_MAX
    if (this.#seen[place] === mark) return true
    this.#seen[place] = mark
    return false
  }

  #remove(name: string): void {
    this.#characters -= this.#entries.get(name)?.token.length ?? 0
    this.#entries.delete(name)
  }
}

/** More than 128 bits of base64url. */
const NAME_CHARACTERS = 24

/** The end of the signature, or of an opaque token: as random as all of it, and quicker to look up. The whole token is compared afterwards. */
function nameOf({ workspaceId, token }: ResultKey): string {
  return workspaceId + token.slice(-NAME_CHARACTERS)
}

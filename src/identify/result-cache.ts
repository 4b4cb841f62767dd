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

/**
 * Remembers who a verified token speaks for, for a short time: one for the gateway, bounded in entries and in characters.
 * When it is full the oldest result leaves. Only verified tokens come in, so a stranger cannot fill it.
 */
export class ResultCache {
  readonly #entries = new Map<string, Entry>()
  readonly #entriesMax: number
  readonly #charactersMax: number
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

  /** Keeps a result until `validUntil`, in milliseconds since the epoch. */
  keep(key: ResultKey, caller: Caller, validUntil: number): void {
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

  #remove(name: string): void {
    this.#characters -= this.#entries.get(name)?.token.length ?? 0
    this.#entries.delete(name)
  }
}

/** The signature is the part that differs most, an opaque token is it as a whole; the whole token is compared afterwards. */
function nameOf({ workspaceId, token }: ResultKey): string {
  return workspaceId + token.slice(Math.max(0, token.lastIndexOf('.')))
}

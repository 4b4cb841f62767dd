import { sha256 } from '../crypto/hash.ts'
import { randomSecret } from '../crypto/random.ts'
import type { ChangeTables } from '../store/store.ts'
import type { People } from './people.ts'
import type { Person } from './person.ts'

const PREFIX = 'mgs_'
export const SIGN_IN_SECONDS = 12 * 3600
const LIFETIME_MS = SIGN_IN_SECONDS * 1000
const IDLE_MS = 2 * 3_600_000
/** How late the time of last use may be: not every request is a write. */
const SEEN_EVERY_MS = 60_000
/** Of one person at once. */
const SIGN_INS_MAX = 20

/** A sign-in that is good at this moment. */
export interface FoundSignIn {
  readonly person: Person
  readonly tokenHash: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface SignInsOptions {
  readonly store: Pick<ChangeTables, 'signIns'>
  readonly people: Pick<People, 'find'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * Who has signed in: opaque tokens of which only the hash is kept, good for 12 hours, and for 2 without being used. Asked of
 * the store at each call, so that whoever is removed, disabled or given another role is so at once.
 */
export class SignIns {
  readonly #options: SignInsOptions

  constructor(options: SignInsOptions) {
    this.#options = options
  }

  /** Undefined: there is no such token, it has ended, or no account lets its person in any more. */
  async find(token: string): Promise<FoundSignIn | undefined> {
    const { store, people, now } = this.#options
    const row = await store.signIns.find(sha256(token))
    const at = now()
    if (row === undefined || at >= row.expires_at || at - row.last_seen_at >= IDLE_MS) return undefined
    const person = await people.find(row.person_id)
    if (person === undefined || person.isDisabled) return undefined
    if (at - row.last_seen_at >= SEEN_EVERY_MS) await store.signIns.seen(row.token_hash, at)
    return { person, tokenHash: row.token_hash, expiresAt: row.expires_at }
  }

  /** Begins one in this transaction, and forgets those of everybody that have ended. */
  async begin(
    personId: string,
    { signIns }: Pick<ChangeTables, 'signIns'>,
  ): Promise<{ readonly token: string; readonly expiresAt: number }> {
    const at = Math.round(this.#options.now())
    await signIns.deleteEnded({ endedBy: at, idleSince: at - IDLE_MS })
    const token = PREFIX + randomSecret(32)
    const row = { token_hash: sha256(token), person_id: personId, created_at: at, last_seen_at: at }
    await signIns.insert({ ...row, expires_at: at + LIFETIME_MS }, { keep: SIGN_INS_MAX })
    return { token, expiresAt: at + LIFETIME_MS }
  }
}

/** Whether a text has the form of a sign-in's token. */
export function looksLikeSignIn(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** What only a page that may read our answers can send beside the cookie (THREATS.md, T18). */
export function csrfProofOf(token: string): string {
  return sha256(`csrf:${token}`)
}

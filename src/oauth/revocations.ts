import * as z from 'zod'
import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import type { OauthChange, OauthItems } from '../store/oauth-items.ts'
import { FLOW_SECONDS, SESSION_SECONDS } from './cookies.ts'
import type { SealedItems } from './sealed-items.ts'

const KIND = 'Revocation'
/** Whose all revocations are, so that they can be listed. */
const OWNER = 'revocations'
const REVOCATIONS_MAX = 100_000
const NOTE_ROW = 'oauth_note:revoked'
/** A note can be lost while a connection breaks; so the list is also read again this often. */
const REREAD_MS = 10_000
/** Nothing that a browser began lives longer. */
const SIGN_IN_LIFE_MS = (SESSION_SECONDS + FLOW_SECONDS) * 1000

const KINDS = ['grant', 'client', 'subject', 'session', 'sign_ins'] as const

/**
 * What was revoked: a grant (one person's consent to one client), the access tokens of a client or of a person, the session of one
 * browser (by its uid), or all that a person has signed in to in browsers.
 */
export interface Revoked {
  readonly what: (typeof KINDS)[number]
  readonly id: string
}

/** What an access token says of itself. */
export interface RevocableToken {
  readonly grantId?: string | undefined
  readonly clientId: string
  readonly subject: string
  /** `iat`. */
  readonly issuedAtSeconds: number
}

/** What the session of a browser, or a sign-in under way, says of itself. */
export interface BrowserSignIn {
  readonly sessionUid?: string | undefined
  readonly subject: string
  readonly signedInAtSeconds: number
}

export interface RevocationsOptions {
  readonly items: OauthItems
  readonly sealed: SealedItems
  readonly keyring: Keyring
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The longest life of an access token, milliseconds: after that nobody needs to remember. */
  readonly tokenLifeMs: number
  /** Told when the list cannot be read again. */
  readonly onError?: (error: unknown) => void
}

interface Entry {
  readonly at: number
  readonly endsAt: number
}

const kept = z.object({
  what: z.enum(KINDS),
  id: z.string(),
  at: z.number(),
  endsAt: z.number(),
})
type Kept = z.output<typeof kept>

/**
 * Which access tokens were revoked before their end. They are JWTs, so nobody is asked when one is used: this list is, in memory.
 * It also knows which sign-ins were ended: a request that had read the session before may keep it again afterwards.
 *
 * It is kept with the items, read at `start`, and told to every other process on the same storage at once.
 */
export class Revocations {
  readonly #options: RevocationsOptions
  readonly #entries = {
    grant: new Map<string, Entry>(),
    client: new Map<string, Entry>(),
    subject: new Map<string, Entry>(),
    session: new Map<string, Entry>(),
    sign_ins: new Map<string, Entry>(),
  }
  /** Ends of the items that were read, by id: what is read again every few seconds is only what is new. */
  readonly #known = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor(options: RevocationsOptions) {
    this.#options = options
  }

  /** Reads the list, and listens to the other processes from then on. */
  async start(): Promise<void> {
    const { notes } = this.#options.items
    // Listening first: what is revoked while the list is read is in one of the two.
    await notes?.listen({ onNote: (text) => this.#take(text), onConnected: () => this.#reread() })
    await this.#read()
    if (notes !== undefined) this.#timer = setInterval(() => this.#reread(), REREAD_MS).unref()
  }

  /** Waits for what was begun. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#reading
  }

  /** Whether the token was issued before what it stands on was revoked; in the same second counts as before. No I/O. */
  isRevoked({ grantId, clientId, subject, issuedAtSeconds }: RevocableToken): boolean {
    const { grant, client, subject: subjects } = this.#entries
    return (
      (grantId !== undefined && isBefore(issuedAtSeconds, grant.get(grantId))) ||
      isBefore(issuedAtSeconds, client.get(clientId)) ||
      isBefore(issuedAtSeconds, subjects.get(subject))
    )
  }

  /** Whether the session was ended, or its person signed out everywhere after this sign-in; the same second counts. No I/O. */
  isOver({ sessionUid, subject, signedInAtSeconds }: BrowserSignIn): boolean {
    const { session, sign_ins: signIns } = this.#entries
    return (sessionUid !== undefined && session.has(sessionUid)) || isBefore(signedInAtSeconds, signIns.get(subject))
  }

  /** Keeps it, so that every process refuses the tokens from now on. Refresh tokens and grants are not touched. */
  async revoke(revoked: Revoked): Promise<void> {
    const now = this.#options.now()
    await this.#options.items.apply([this.changeFor(revoked, now)], { now })
    await this.tell(revoked, now)
  }

  /** The change that keeps it, for a batch that also deletes what was revoked; `tell` comes after the batch. */
  changeFor(revoked: Revoked, at: number): OauthChange {
    const { sealed } = this.#options
    const entry = this.#entry(revoked, at)
    const item = sealed.sealed(sealed.name(KIND, `${entry.what}:${entry.id}`), { ...entry })
    return { do: 'put', item: { ...item, owner: sealed.owner(OWNER), endsAt: entry.endsAt } }
  }

  /**
   * Refuses the tokens in this process, and tells the others. A note that cannot be sent is no failure: what was revoked is kept
   * already, and the others read it at the next occasion.
   */
  async tell(revoked: Revoked, at: number): Promise<void> {
    const entry = this.#entry(revoked, at)
    this.#remember(entry)
    const { items, keyring } = this.#options
    // Sealed: who can write to the channel cannot forge a line, and who reads it learns nothing.
    await items.notes?.send(seal(keyring, NOTE_ROW, JSON.stringify(entry))).catch((error) => this.#fail(error))
  }

  #entry({ what, id }: Revoked, at: number): Kept {
    const isSignIn = what === 'session' || what === 'sign_ins'
    return { what, id, at, endsAt: at + (isSignIn ? SIGN_IN_LIFE_MS : this.#options.tokenLifeMs) }
  }

  #take(text: string): void {
    try {
      this.#remember(kept.parse(JSON.parse(unseal(this.#options.keyring, NOTE_ROW, text))))
    } catch (error) {
      this.#fail(error)
    }
  }

  #reread(): void {
    this.#reading = this.#reading.then(() => this.#read()).catch((error) => this.#fail(error))
  }

  async #read(): Promise<void> {
    const { items, sealed, now } = this.#options
    for (const [id, endsAt] of this.#known) if (endsAt <= now()) this.#known.delete(id)
    const listing = { kind: KIND, by: 'owner', name: sealed.owner(OWNER), limit: REVOCATIONS_MAX } as const
    for (const item of await items.list({ ...listing, known: this.#known })) {
      this.#remember(kept.parse(sealed.payload(item)))
      if (item.endsAt !== undefined) this.#known.set(item.id, item.endsAt)
    }
  }

  #remember({ what, id, at, endsAt }: Kept): void {
    const entries = this.#entries[what]
    const now = this.#options.now()
    if (endsAt <= now) return
    const before = entries.get(id)
    if (before !== undefined && before.at >= at) return
    if (entries.size >= REVOCATIONS_MAX)
      for (const [key, entry] of entries) if (entry.endsAt <= now) entries.delete(key)
    // One more that cannot be remembered would be a token that works: rather no revocation than one that does not hold.
    if (entries.size >= REVOCATIONS_MAX) {
      throw new GatewayError('unavailable', 'Too much was revoked within the life of a token. Try again later.')
    }
    entries.set(id, { at, endsAt })
  }

  #fail(error: unknown): void {
    this.#options.onError?.(error)
  }
}

function isBefore(issuedAtSeconds: number, entry: Entry | undefined): boolean {
  // `iat` is cut to the second, so a token of the second in which something was revoked may be older than that.
  return entry !== undefined && issuedAtSeconds <= Math.floor(entry.at / 1000)
}

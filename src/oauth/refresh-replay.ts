import * as z from 'zod'
import type { OauthChange, OauthItem, OauthItemName, OauthItems } from '../store/oauth-items.ts'
import type { SealedItems } from './sealed-items.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** How long the same answer is given again after it was made, and after it was delivered. */
const REPLAY_WINDOW_MS = 30_000

const REFRESH_TOKEN = 'RefreshToken'
const KEPT_ANSWER = 'RefreshAnswer'

/** The JSON object of an answer of the token endpoint (RFC 6749 §5.1). */
export type TokenAnswer = Readonly<Record<string, unknown>>

/** What a refresh with a consumed token means. */
export type Reuse =
  /** The client has not had the answer, or asks for it several times at once. */
  | { readonly means: 'again'; readonly answer: TokenAnswer; readonly token: OauthItem }
  /** The same, but it asks for another resource: the answer is not the one it wants, and nobody has stolen anything. */
  | { readonly means: 'other_resource' }
  /** Somebody else has the token, too (RFC 9700 §4.14.2). */
  | { readonly means: 'theft' }

export interface RefreshReplayOptions {
  readonly items: OauthItems
  readonly sealed: SealedItems
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * Gives the answer of a refresh again to a client that may have missed it.
 *
 * A refresh token is good for one answer. That answer is kept, sealed, with the token that it replaces, and given again for 30
 * seconds, or until it was delivered if that takes longer: so neither a lost connection nor a kill nor a second process of the
 * client ends the session. After that the token is a stolen one (RFC 9700 §4.14.2).
 */
export class RefreshReplay {
  readonly #options: RefreshReplayOptions
  readonly #marking = new Set<Promise<void>>()

  constructor(options: RefreshReplayOptions) {
    this.#options = options
  }

  /** The refresh token that the request has consumed. */
  consumedIn(unit: UnitOfWork): OauthItemName | undefined {
    const change = unit.changes.find(isConsumedRefreshToken)
    return change && { kind: change.kind, id: change.id }
  }

  /** Keeps the answer together with the refresh that it belongs to. */
  keep(unit: UnitOfWork, consumed: OauthItemName, answered: { answer: TokenAnswer; resource: string }): void {
    const successor = unit.changes.find(isNewRefreshToken)?.item
    if (successor === undefined) return
    const { kind, id, grant, endsAt } = successor
    const payload = { ...answered, successor: { kind, id }, answeredAt: this.#options.now() }
    const item = this.#options.sealed.sealed({ kind: KEPT_ANSWER, id: consumed.id }, payload)
    // It hangs on the grant like the tokens in it. Nobody needs it longer than its refresh token.
    unit.put({ ...item, grant, endsAt }, { isNew: false })
  }

  /** Notes that the answer has left to its end. From now on it is given again for a short time only. */
  delivered({ id }: OauthItemName): Promise<void> {
    const now = this.#options.now()
    const mark: OauthChange = { do: 'consume', kind: KEPT_ANSWER, id, at: now, endsAt: now + REPLAY_WINDOW_MS }
    // A second mark is refused, so the time does not begin again. One that fails leaves a token that is accepted for longer;
    // the use of the next one ends that, too.
    const marking = this.#options.items.apply([mark], { now }).then(
      () => {},
      () => {},
    )
    this.#marking.add(marking)
    return marking.finally(() => this.#marking.delete(marking))
  }

  /** Waits for the marks that were begun. */
  async settled(): Promise<void> {
    await Promise.all(this.#marking)
  }

  /** What a refresh with this consumed token means. */
  async judge(token: OauthItem, resource: string): Promise<Reuse> {
    const { items, sealed, now } = this.#options
    const kept = await items.find({ kind: KEPT_ANSWER, id: token.id })
    if (kept === undefined || (kept.endsAt !== undefined && kept.endsAt <= now())) return { means: 'theft' }
    const { answer, resource: answeredResource, successor, answeredAt } = keptAnswer.parse(sealed.payload(kept))
    const elapsedMs = now() - answeredAt
    const isInWindow = elapsedMs < REPLAY_WINDOW_MS
    const isDelivered = kept.consumedAt !== undefined
    // Who uses the next token has had this answer, whatever became of the mark.
    if (!isInWindow && !isDelivered && (await this.#isUsed(successor))) return { means: 'theft' }
    if (resource !== answeredResource) return { means: 'other_resource' }
    return { means: 'again', answer: isInWindow ? answer : aged(answer, elapsedMs), token }
  }

  async #isUsed(successor: OauthItemName): Promise<boolean> {
    const item = await this.#options.items.find(successor)
    return item === undefined || item.consumedAt !== undefined
  }
}

const keptAnswer = z.object({
  answer: z.record(z.string(), z.unknown()),
  resource: z.string(),
  successor: z.object({ kind: z.string(), id: z.string() }),
  answeredAt: z.number(),
})

function isConsumedRefreshToken(change: OauthChange): change is Extract<OauthChange, { do: 'consume' }> {
  return change.do === 'consume' && change.kind === REFRESH_TOKEN
}

function isNewRefreshToken(change: OauthChange): change is Extract<OauthChange, { do: 'put' | 'putNew' }> {
  return change.do === 'put' && change.item.kind === REFRESH_TOKEN
}

/** `expires_in` counts from the answer, and this one is given late. */
function aged(answer: TokenAnswer, elapsedMs: number): TokenAnswer {
  const { expires_in: expiresIn } = answer
  if (typeof expiresIn !== 'number') return answer
  return { ...answer, expires_in: Math.max(0, expiresIn - Math.floor(elapsedMs / 1000)) }
}

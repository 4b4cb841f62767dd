import { toGatewayError } from '../errors.ts'
import type { OauthItem, OauthItemName } from '../store/oauth-items.ts'
import type { RefreshReplay, TokenAnswer } from './refresh-replay.ts'
import { takenError, type UnitOfWork, type UnitsOfWork } from './unit-of-work.ts'

/** The part of the library's request that is used here. */
export interface CommitContext {
  status: number
  body: unknown
  type: string
  readonly res: { once(event: 'finish', listener: () => void): unknown }
  /** Undefined for what is none of the library's routes. */
  readonly oidc?: { readonly route?: string; readonly params?: Readonly<Record<string, unknown>> | undefined }
}

export interface CommitAnswerOptions {
  readonly units: UnitsOfWork
  readonly replay: RefreshReplay
}

/**
 * A middleware for the library, before every other: keeps what the request has changed, all of it or nothing, before its answer
 * leaves; and corrects the answer of the token endpoint where a code or a refresh token was used twice.
 *
 * The library has checked everything by then (client, lifetime, proof of possession, scope): what it says of a consumed token is
 * said last. Its own answer would end the session of every client that asks twice at once.
 *
 * @throws GatewayError of the storage, also out of `UnitsOfWork.serve` around the library, which would make a 500 of it.
 */
export function commitAnswer({ units, replay }: CommitAnswerOptions) {
  return (context: CommitContext, next: () => Promise<unknown>): Promise<void> =>
    units.serve(async (unit) => {
      try {
        await next()
        if (unit.failure !== undefined) throw unit.failure
        if (context.oidc?.route === 'token') await new TokenEnd({ context, unit, replay }).settle()
        else if (!(await unit.commit()).ok) throw takenError()
        context.res.once('finish', () => void unit.onDelivered?.())
      } catch (error) {
        unit.failure ??= toGatewayError(error)
        throw error
      }
    })
}

/** The end of one request to the token endpoint. */
class TokenEnd {
  readonly #context: CommitContext
  readonly #unit: UnitOfWork
  readonly #replay: RefreshReplay
  readonly #resource: string

  constructor({ context, unit, replay }: { context: CommitContext; unit: UnitOfWork; replay: RefreshReplay }) {
    this.#context = context
    this.#unit = unit
    this.#replay = replay
    this.#resource = resourceOf(context.oidc?.params)
  }

  async settle(): Promise<void> {
    if (this.#context.status < 400) await this.#settleSuccess()
    else await this.#settleFailure()
  }

  async #settleSuccess(): Promise<void> {
    const consumed = this.#replay.consumedIn(this.#unit)
    const answer = objectOf(this.#context.body)
    if (consumed !== undefined && answer !== undefined) {
      this.#replay.keep(this.#unit, consumed, { answer, resource: this.#resource })
    }
    const applied = await this.#unit.commit()
    if (applied.ok) {
      if (consumed !== undefined) this.#watchDelivery(consumed)
      return
    }
    // Another request was faster: what this one made was never kept and is forgotten.
    this.#unit.drop()
    const token = consumed && (await this.#unit.find(consumed))
    const reuse = token?.consumedAt === undefined ? undefined : await this.#replay.judge(token, this.#resource)
    if (reuse?.means === 'again') this.#giveAgain(reuse.answer, reuse.token)
    else this.#refuse()
    await this.#commitRest()
  }

  async #settleFailure(): Promise<void> {
    const unit = this.#unit
    const found = unit.foundConsumed
    if (unit.hasRevoked && found?.kind === 'RefreshToken') {
      const reuse = await this.#replay.judge(found, this.#resource)
      // Theft: the revocation of the whole family stands, as the library wants it (RFC 9700 §4.14.2).
      if (reuse.means !== 'theft') unit.drop()
      if (reuse.means === 'again') this.#giveAgain(reuse.answer, reuse.token)
    } else if (unit.hasRevoked && isRace(unit, found)) {
      // One of two redemptions at once: refused, and no sign of theft. A later one is (RFC 6749 §4.1.2).
      unit.drop()
    } else if (this.#replay.consumedIn(unit) !== undefined) {
      // The refresh failed after the token was consumed. It was not answered, so it may be tried again.
      unit.drop()
    }
    if (this.#context.status >= 400) this.#explain()
    await this.#commitRest()
  }

  /** What is left may hold a mark against replay that another request has set meanwhile. */
  async #commitRest(): Promise<void> {
    if (!(await this.#unit.commit()).ok) this.#refuse()
  }

  #giveAgain(answer: TokenAnswer, token: OauthItem): void {
    this.#answer(200, answer)
    this.#watchDelivery(token)
  }

  #refuse(): void {
    this.#unit.onDelivered = undefined
    this.#answer(400, { error: 'invalid_grant', error_description: 'grant request is invalid' })
  }

  /** A client whose session the storage has lost should hear just that: after a change of the key it is everybody's (C12). */
  #explain(): void {
    const body = objectOf(this.#context.body)
    if (body?.['error'] !== 'invalid_grant' || !this.#unit.missing.has('RefreshToken')) return
    this.#context.body = { ...body, error_description: 'Session not found. Sign in again.' }
  }

  #answer(status: number, body: Readonly<Record<string, unknown>>): void {
    this.#context.status = status
    this.#context.type = 'json'
    this.#context.body = body
  }

  #watchDelivery({ kind, id }: OauthItemName): void {
    this.#unit.onDelivered = () => this.#replay.delivered({ kind, id })
  }
}

/** Whether the other use came while this request was under way already. */
function isRace({ startedAt }: UnitOfWork, found: OauthItem | undefined): boolean {
  return found?.consumedAt !== undefined && found.consumedAt >= startedAt
}

/** Which resources a request asks for (RFC 8707 §2), as one text. */
function resourceOf(params: Readonly<Record<string, unknown>> | undefined): string {
  const resource = params?.['resource']
  return resource === undefined ? '' : JSON.stringify([resource].flat().map(String).sort())
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? { ...body } : undefined
}

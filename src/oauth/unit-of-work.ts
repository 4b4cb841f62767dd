import { AsyncLocalStorage } from 'node:async_hooks'
import { GatewayError, toGatewayError } from '../errors.ts'
import type { Applied, OauthChange, OauthIndex, OauthItem, OauthItemName, OauthItems } from '../store/oauth-items.ts'
import type { Revocations, Revoked } from './revocations.ts'
import type { SealedItems } from './sealed-items.ts'

export interface UnitOptions {
  readonly items: OauthItems
  readonly sealed: SealedItems
  readonly revocations: Pick<Revocations, 'changeFor' | 'tell'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * What one request changes. Nothing of it is kept until `commit`, which keeps all of it or nothing; the request itself sees its
 * changes at once.
 */
export class UnitOfWork {
  readonly startedAt: number
  readonly #options: UnitOptions
  readonly #changes: OauthChange[] = []
  readonly #grantIds = new Set<string>()
  readonly #revoked: Revoked[] = []
  /** What this request has put, or null: deleted. */
  readonly #own = new Map<string, OauthItem | null>()
  readonly #consumed = new Map<string, number>()
  /** An item that was consumed before this request: what a second use of a code or a refresh token comes upon. */
  foundConsumed: OauthItem | undefined
  /** Kinds of which something was asked for that is not there. */
  readonly missing = new Set<string>()
  /** The first failure of the storage. The library would make a 500 of it. */
  failure: GatewayError | undefined
  /** What to do once the answer has left, if anything. */
  onDelivered: (() => Promise<void>) | undefined

  constructor(options: UnitOptions) {
    this.#options = options
    this.startedAt = options.now()
  }

  get changes(): readonly OauthChange[] {
    return this.#changes
  }

  /** Whether a grant was revoked in this request. */
  get hasRevoked(): boolean {
    return this.#grantIds.size > 0
  }

  async find(name: OauthItemName): Promise<OauthItem | undefined> {
    const own = this.#own.get(keyOf(name))
    const item = own === undefined ? await this.#options.items.find(name) : (own ?? undefined)
    return this.#seen(name.kind, item)
  }

  async findBy(index: OauthIndex, kind: string, name: string): Promise<OauthItem | undefined> {
    const own = [...this.#own.values()].reverse().find((item) => item?.kind === kind && item[index] === name)
    if (own) return this.#seen(kind, own)
    const item = await this.#options.items.findBy(index, kind, name)
    // Another item, or none, has taken its place in this request.
    return this.#seen(kind, item !== undefined && this.#own.has(keyOf(item)) ? undefined : item)
  }

  put(item: OauthItem, { isNew }: { readonly isNew: boolean }): void {
    this.#own.set(keyOf(item), item)
    this.#changes.push({ do: isNew ? 'putNew' : 'put', item })
  }

  consume({ kind, id }: OauthItemName): void {
    const at = this.#options.now()
    this.#consumed.set(keyOf({ kind, id }), at)
    this.#changes.push({ do: 'consume', kind, id, at })
  }

  delete({ kind, id }: OauthItemName): void {
    this.#own.set(keyOf({ kind, id }), null)
    this.#changes.push({ do: 'delete', kind, id })
  }

  /** Deletes all that hangs on the grant, and refuses its access tokens. */
  revokeGrant(grantId: string): void {
    if (this.#grantIds.has(grantId)) return
    this.#grantIds.add(grantId)
    const grant = this.#options.sealed.grant(grantId)
    for (const [key, item] of this.#own) if (item?.grant === grant) this.#own.set(key, null)
    this.#changes.push({ do: 'revokeGrant', grant })
  }

  /** Refuses what stands on this. */
  revoke(revoked: Revoked): void {
    this.#revoked.push(revoked)
  }

  /** Forgets what the request wanted, except the marks against replay: what was shown once was shown. */
  drop(): void {
    const marks = this.#changes.filter((change) => change.do === 'putNew')
    this.#changes.length = 0
    this.#changes.push(...marks)
    this.#grantIds.clear()
    this.#revoked.length = 0
    this.#own.clear()
    this.#consumed.clear()
  }

  /** Keeps all of the changes or none. Afterwards there are none left. */
  async commit(): Promise<Applied> {
    const { items, revocations, now } = this.#options
    const at = now()
    const revoked = [...[...this.#grantIds].map((id) => ({ what: 'grant', id }) as const), ...this.#revoked]
    const changes = [...this.#changes, ...revoked.map((one) => revocations.changeFor(one, at))]
    if (changes.length === 0) return { ok: true }
    const applied = await items.apply(changes, { now: at })
    if (!applied.ok) return applied
    this.#changes.length = 0
    this.#grantIds.clear()
    this.#revoked.length = 0
    for (const one of revoked) await revocations.tell(one, at)
    return applied
  }

  #seen(kind: string, item: OauthItem | undefined): OauthItem | undefined {
    const isThere = item !== undefined && (item.endsAt === undefined || item.endsAt > this.#options.now())
    if (!isThere || this.#isRevoked(item)) {
      this.missing.add(kind)
      return undefined
    }
    if (item.consumedAt !== undefined) this.foundConsumed = item
    const at = this.#consumed.get(keyOf(item))
    return at === undefined ? item : { ...item, consumedAt: at }
  }

  /** Of what stands in the storage only: what was put after the revocation counts. */
  #isRevoked(item: OauthItem): boolean {
    if (item.grant === undefined || this.#own.has(keyOf(item))) return false
    return [...this.#grantIds].some((grantId) => this.#options.sealed.grant(grantId) === item.grant)
  }
}

/** The unit of the request that runs. */
export class UnitsOfWork {
  readonly #options: UnitOptions
  readonly #running = new AsyncLocalStorage<UnitOfWork>()

  constructor(options: UnitOptions) {
    this.#options = options
  }

  get current(): UnitOfWork | undefined {
    return this.#running.getStore()
  }

  /**
   * Runs the work, and keeps what it changed when it is done; nothing when it rejects. Within another unit it is part of that
   * one.
   *
   * @throws GatewayError of the storage: `unavailable`, or `conflict` when another request was faster.
   */
  async serve<Result>(work: (unit: UnitOfWork) => Promise<Result>): Promise<Result> {
    if (this.current !== undefined) return work(this.current)
    const unit = new UnitOfWork(this.#options)
    const result = await this.#running.run(unit, () => work(unit))
    if (unit.failure !== undefined) throw unit.failure
    const applied = await unit.commit()
    if (!applied.ok) throw takenError()
    return result
  }

  /** The same, in a unit of its own also within another: kept when it is done, whatever becomes of the request. */
  serveApart<Result>(work: (unit: UnitOfWork) => Promise<Result>): Promise<Result> {
    return this.#running.exit(() => this.serve(work))
  }

  /** Runs one call of the library's adapter, in the unit of its request or in one of its own. */
  async call<Result>(work: (unit: UnitOfWork) => Promise<Result>): Promise<Result> {
    return this.serve(async (unit) => {
      try {
        return await work(unit)
      } catch (error) {
        unit.failure ??= toGatewayError(error)
        throw error
      }
    })
  }
}

export function takenError(): GatewayError {
  return new GatewayError('conflict', 'Another request has used this at the same time. Start again.')
}

function keyOf({ kind, id }: OauthItemName): string {
  return `${kind}:${id}`
}

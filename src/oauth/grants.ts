import * as z from 'zod'
import type { OauthItem, OauthListing } from '../store/oauth-items.ts'
import type { Revocations } from './revocations.ts'
import type { SealedItems } from './sealed-items.ts'
import type { UnitOptions, UnitsOfWork } from './unit-of-work.ts'

/** Of one person or client: a list of connected apps is shown whole. */
const GRANTS_MAX = 1_000

/** What a person has allowed a client. */
export interface GrantView {
  readonly grantId: string
  readonly clientId: string
  readonly accountId: string
  /** Seconds since the epoch. */
  readonly grantedAtSeconds: number
  /** Scopes by resource. */
  readonly resources: Readonly<Record<string, string>>
}

export interface GrantsOptions extends Pick<UnitOptions, 'items' | 'now'> {
  readonly units: UnitsOfWork
  readonly sealed: SealedItems
  readonly revocations: Revocations
}

const grantPayload = z.object({
  jti: z.string(),
  clientId: z.string(),
  accountId: z.string(),
  iat: z.number(),
  resources: z.record(z.string(), z.string()).default({}),
})

/** The connected apps of people, and the ways to end them. What is ended takes its access tokens along, in every process. */
export class Grants {
  readonly #options: GrantsOptions

  constructor(options: GrantsOptions) {
    this.#options = options
  }

  /** At most the newest 1,000. */
  ofPerson(accountId: string): Promise<GrantView[]> {
    return this.#list({ kind: 'Grant', by: 'owner', name: this.#options.sealed.owner(accountId) })
  }

  /** At most the newest 1,000. */
  ofClient(clientId: string): Promise<GrantView[]> {
    return this.#list({ kind: 'Grant', by: 'client', name: this.#options.sealed.client(clientId) })
  }

  /** Ends one grant: its refresh tokens are gone, its access tokens refused. One that is not there is no error. */
  async revoke(grantId: string): Promise<void> {
    const { units, sealed } = this.#options
    await units.serve(async (unit) => {
      unit.revokeGrant(grantId)
      unit.delete(sealed.name('Grant', grantId))
    })
  }

  /**
   * Ends everything of a person: grants, tokens and sessions of browsers, also where the password was given and the next page is
   * due.
   */
  async revokePerson(accountId: string): Promise<void> {
    const { revocations, sealed } = this.#options
    // First: what is made while the rest is deleted is of this second at the latest.
    await revocations.revoke({ what: 'subject', id: accountId })
    await revocations.revoke({ what: 'sign_ins', id: accountId })
    await this.#end({ by: 'owner', name: sealed.owner(accountId) })
  }

  /** The session of one browser counts no more, also where a request of it still runs. */
  async endSession(uid: string): Promise<void> {
    await this.#options.units.serve(async (unit) => unit.revoke({ what: 'session', id: uid }))
  }

  /** Ends everything of a client, whoever allowed it. Its registration stays. */
  async revokeClient(clientId: string): Promise<void> {
    const name = this.#options.sealed.client(clientId)
    await this.#options.revocations.revoke({ what: 'client', id: clientId })
    await this.#end({ by: 'client', name })
  }

  /** A page at a time until there is no more. Sessions have an owner only. */
  async #end(of: Pick<OauthListing, 'by' | 'name'>): Promise<void> {
    for (const kind of ['Grant', 'Session', 'RefreshToken', 'AuthorizationCode'] as const) {
      for (;;) {
        const items = await this.#items({ kind, ...of })
        if (items.length === 0) break
        // Not with the request, whose changes the storage does not show yet: the same page would come again and again.
        await this.#options.units.serveApart(async (unit) => {
          for (const item of items) {
            if (kind === 'Grant') unit.revokeGrant(grantPayload.parse(this.#options.sealed.payload(item)).jti)
            unit.delete(item)
          }
        })
      }
    }
  }

  async #list(of: Omit<OauthListing, 'limit'>): Promise<GrantView[]> {
    const now = this.#options.now()
    const items = (await this.#items(of)).filter(({ endsAt }) => endsAt === undefined || endsAt > now)
    return items.map((item) => {
      const { jti, iat, ...grant } = grantPayload.parse(this.#options.sealed.payload(item))
      return { grantId: jti, grantedAtSeconds: iat, ...grant }
    })
  }

  #items(of: Omit<OauthListing, 'limit'>): Promise<OauthItem[]> {
    return this.#options.items.list({ ...of, limit: GRANTS_MAX })
  }
}

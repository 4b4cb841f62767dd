import { type Account, DEFAULT_SLUG, defaultAccount, listAccounts } from '../accounts/account.ts'
import type { Standing } from '../accounts/permissions.ts'
import type { Person } from '../accounts/person.ts'
import { randomId } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import type { AuditAction, AuditEvent, Origin } from '../records/audit-event.ts'
import type { IssuedRow } from '../store/schema.ts'
import type { ChangeTables, Store } from '../store/store.ts'
import { slugOf } from './workspace-manager.ts'

/** Makes a change together with the event that tells of it: both are kept, or neither. */
export type Change = <Result>(event: AuditEvent, work: (tables: ChangeTables) => Promise<Result>) => Promise<Result>

export interface AccountsOptions {
  readonly store: Pick<Store, 'accounts' | 'issued'>
  readonly change: Change
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const ISSUED_KINDS = ['token', 'session', 'key'] as const satisfies readonly IssuedRow['kind'][]
const LISTED_MAX = 10_000

/** The accounts of the installation. */
export class Accounts {
  readonly #options: AccountsOptions

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  /** Oldest first. With a person, those that let this person in. */
  async list(person?: Person): Promise<readonly Account[]> {
    const all = await listAccounts(this.#options.store)
    return person === undefined ? all : all.filter(({ id }) => person.roles.has(id))
  }

  /**
   * The account of an id or slug, and what the caller is in it. Without a name: the person's only one, the operator's default.
   *
   * @throws GatewayError `not_found`, the same for an account of others as for none; `invalid_request` when one has to be named.
   */
  async enter(
    person: Person | undefined,
    named: string | undefined,
  ): Promise<{ readonly account: Account; readonly standing: Standing; readonly isNamed: boolean }> {
    const isNamed = named !== undefined
    if (person === undefined) {
      if (!isNamed) return { account: await defaultAccount(this.#options.store), standing: 'operator', isNamed }
      return { account: chosen(await this.list(), named), standing: 'operator', isNamed }
    }
    const theirs = await this.list(person)
    const [only, second] = theirs
    if (!isNamed && second !== undefined) {
      const slugs = theirs.map(({ slug }) => slug).slice(0, 10)
      throw new GatewayError(
        'invalid_request',
        `You belong to several accounts: name one with X-Gatehouse-Account (${slugs.join(', ')}).`,
      )
    }
    const account = isNamed ? chosen(theirs, named) : only
    const standing = account === undefined ? undefined : person.roles.get(account.id)
    if (account === undefined || standing === undefined) throw notFound()
    return { account, standing, isNamed }
  }

  /** @throws GatewayError `conflict` when the slug is taken. */
  async create({ name, slug }: { readonly name: string; readonly slug?: string | undefined }, by: Origin) {
    const at = Math.round(this.#options.now())
    const account: Account = { id: randomId(16), slug: slug ?? slugOf(name), name, createdAt: at }
    const row = { id: account.id, slug: account.slug, name, created_at: at }
    try {
      await this.#options.change(eventOf('account.created', account, by), ({ accounts }) => accounts.insert(row))
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'conflict') throw error
      throw new GatewayError('conflict', `There is an account ${account.slug} already.`, { cause: error })
    }
    return account
  }

  /** The slug stays: it is in people's scripts. */
  async rename(account: Account, name: string, by: Origin): Promise<Account> {
    const changes = [{ setting: 'name', from: account.name, to: name }]
    const event = { ...eventOf('account.renamed', account, by), changes }
    await this.#options.change(event, ({ accounts }) => accounts.rename(account.id, name))
    return { ...account, name }
  }

  /**
   * Deletes an account that is empty: no workspaces, no credentials in force, and one person at most, who leaves with it.
   *
   * @throws GatewayError `conflict` for one that is not, and for the default account.
   */
  async delete(account: Account, by: Origin): Promise<void> {
    const { store, change, now } = this.#options
    if (account.slug === DEFAULT_SLUG) throw new GatewayError('conflict', 'The default account cannot be deleted.')
    for (const kind of ISSUED_KINDS) {
      const issued = await store.issued.list({ accountId: account.id, kind, limit: LISTED_MAX })
      if (issued.some((row) => row.revoked_at === null && (row.expires_at === null || row.expires_at > now()))) {
        throw new GatewayError('conflict', 'The account has tokens or keys that are in force: revoke them first.')
      }
    }
    await change(eventOf('account.deleted', account, by), async (tables) => {
      const members = await tables.members.ofAccount(account.id)
      if (members.length > 1) throw new GatewayError('conflict', 'The account has people: remove all but one first.')
      await tables.accounts.delete(account.id)
      for (const { person_id } of members) await forgetIfNowhere(person_id, tables)
    })
  }
}

/** A person without any account is deleted, sign-ins included. */
export async function forgetIfNowhere(personId: string, tables: ChangeTables): Promise<void> {
  if ((await tables.members.ofPerson(personId)).length === 0) await tables.people.delete(personId)
}

function chosen(accounts: readonly Account[], named: string): Account {
  const found = accounts.find(({ id, slug }) => id === named || slug === named)
  if (found === undefined) throw notFound()
  return found
}

function eventOf(action: AuditAction, { id, slug }: Account, by: Origin): AuditEvent {
  return { action, by, accountId: id, target: { kind: 'account', id, label: slug } }
}

function notFound(): GatewayError {
  return new GatewayError('not_found', 'There is no such account.')
}

import type { Account } from '../accounts/account.ts'
import { type Passwords, passwordProblem } from '../accounts/password.ts'
import { requirePermission, type Standing } from '../accounts/permissions.ts'
import { normalEmail, type Role } from '../accounts/person.ts'
import { sha256 } from '../crypto/hash.ts'
import { randomId, randomSecret } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import type { AuditAction, AuditEvent, AuditTarget, Origin, SettingChange } from '../records/audit-event.ts'
import type { InvitationRow } from '../store/schema.ts'
import type { ChangeTables, MemberView, Store } from '../store/store.ts'
import { type Change, forgetIfNowhere } from './accounts.ts'

export interface TeamOptions {
  readonly store: Pick<Store, 'members' | 'invitations'>
  readonly passwords: Passwords
  readonly change: Change
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Who changes something, what that is worth in the account, and for the audit. */
export interface ActingAs {
  readonly account: Account
  readonly standing: Standing
  readonly by: Origin
}

/** What is not mentioned stays. */
interface MemberChange {
  readonly role?: Role | undefined
  readonly disabled?: boolean | undefined
}

const INVITATION_MS = 72 * 3_600_000
/** Waiting ones of an account. */
const INVITATIONS_MAX = 200
const CODE_PREFIX = 'mgi_'

/**
 * The people of an account. Whoever may change people may not touch owners, or make any, without being one; and an account
 * with people never loses its last owner.
 */
export class Team {
  readonly #options: TeamOptions
  /** Changes of a membership run one after the other: what one of them leaves alone, it must not take back from another. */
  #lastChange: Promise<unknown> = Promise.resolve()

  constructor(options: TeamOptions) {
    this.#options = options
  }

  /** In the order in which they came. */
  list({ id }: Account): Promise<readonly MemberView[]> {
    return this.#options.store.members.ofAccount(id)
  }

  /** @throws GatewayError `not_found`, also for a person of another account. */
  async get(account: Account, personId: string): Promise<MemberView> {
    return memberOf(await this.list(account), personId)
  }

  /**
   * Makes a person with a password who is a member at once. For the operator: nobody is asked.
   *
   * @throws GatewayError `conflict` for one who is there already: only that person can accept another account.
   */
  async create(
    { email, name, role, password }: { email: string; name: string; role: Role; password: string },
    { account, by }: ActingAs,
  ): Promise<MemberView> {
    const address = normalEmail(email)
    const problem = passwordProblem(password, address)
    if (problem !== undefined) throw new GatewayError('invalid_request', problem)
    const password_hash = await this.#options.passwords.hash(password)
    const at = Math.round(this.#options.now())
    const id = randomId(16)
    const changes = [{ setting: 'role', from: null, to: role }]
    const event = { ...eventOf('person.created', account, by), target: personTarget(id, address), changes }
    await this.#options.change(event, async ({ people, members }) => {
      if ((await people.findByEmail(address)) !== undefined) {
        throw new GatewayError('conflict', `There is a person ${address} already: invite them to this account.`)
      }
      await people.insert({ id, email: address, name, password_hash, created_at: at })
      await members.insert({ account_id: account.id, person_id: id, role, joined_at: at, disabled_at: null })
    })
    return this.get(account, id)
  }

  /** Puts role or access in place. @throws GatewayError `not_found`, `forbidden`, `conflict` for the last owner. */
  update(personId: string, change: MemberChange, acting: ActingAs): Promise<MemberView> {
    const turn = this.#lastChange.then(() => this.#update(personId, change, acting))
    this.#lastChange = turn.catch(() => undefined)
    return turn
  }

  async #update(personId: string, change: MemberChange, { account, standing, by }: ActingAs): Promise<MemberView> {
    const before = await this.get(account, personId)
    const role = change.role ?? before.role
    const isDisabled = change.disabled ?? before.disabled_at !== null
    const disabled_at = isDisabled ? (before.disabled_at ?? Math.round(this.#options.now())) : null
    const changes: SettingChange[] = []
    if (role !== before.role) changes.push({ setting: 'role', from: before.role, to: role })
    if (isDisabled !== (before.disabled_at !== null))
      changes.push({ setting: 'disabled', from: !isDisabled, to: isDisabled })
    if (role === 'owner' || before.role === 'owner') requirePermission(standing, 'owners')
    const event = { ...eventOf('person.changed', account, by), target: personTarget(personId, before.email), changes }
    await this.#options.change(event, async (tables) => {
      // Once more within the transaction: meanwhile the person may have been removed.
      memberOf(await tables.members.ofAccount(account.id), personId)
      await tables.members.update({ account_id: account.id, person_id: personId, role, disabled_at })
      await requireOwner(account, tables, before)
      if (isDisabled) await endSignIns(personId, tables)
    })
    return this.get(account, personId)
  }

  /** @throws GatewayError `not_found`, `forbidden`, `conflict` for the last owner. */
  async remove(personId: string, { account, standing, by }: ActingAs): Promise<void> {
    const { email } = await this.get(account, personId)
    const event = { ...eventOf('person.removed', account, by), target: personTarget(personId, email) }
    await this.#options.change(event, async (tables) => {
      const before = memberOf(await tables.members.ofAccount(account.id), personId)
      if (before.role === 'owner') requirePermission(standing, 'owners')
      await tables.members.delete({ account_id: account.id, person_id: personId })
      await requireOwner(account, tables, before)
      await forgetIfNowhere(personId, tables)
    })
  }

  /** Those that are not used and have not ended, oldest first. */
  async invitations({ id }: Account): Promise<readonly InvitationRow[]> {
    const now = this.#options.now()
    return (await this.#options.store.invitations.ofAccount(id)).filter(({ expires_at }) => expires_at > now)
  }

  /**
   * A one-time code, good for 72 hours, with which somebody becomes a member. It takes the place of an earlier one to the same
   * address. Its value is in this answer and nowhere else. Whether there is such a person already nobody is told.
   */
  async invite(
    { email, role }: { readonly email: string; readonly role: Role },
    { account, standing, by }: ActingAs,
  ): Promise<InvitationRow & { readonly code: string }> {
    if (role === 'owner') requirePermission(standing, 'owners')
    const address = normalEmail(email)
    if ((await this.list(account)).some((member) => member.email === address)) {
      throw new GatewayError('conflict', `${address} is a member of this account already.`)
    }
    const { row, code } = this.#code(account, { email: address, role, person_id: null })
    const changes = [{ setting: 'role', from: null, to: role }]
    const target = { kind: 'invitation', id: row.id, label: address } as const
    await this.#options.change({ ...eventOf('person.invited', account, by), target, changes }, async (tables) => {
      await this.#keep(row, tables)
    })
    return { ...row, code }
  }

  /**
   * A one-time code with which a member sets a new password, good for 72 hours. For the operator: a member of one account may
   * belong to others too, so no account may take a person over.
   */
  async resetPassword(personId: string, { account, by }: ActingAs): Promise<InvitationRow & { readonly code: string }> {
    const { email, role } = await this.get(account, personId)
    const { row, code } = this.#code(account, { email, role, person_id: personId })
    const event = { ...eventOf('password.reset_issued', account, by), target: personTarget(personId, email) }
    await this.#options.change(event, (tables) => this.#keep(row, tables))
    return { ...row, code }
  }

  /** @throws GatewayError `not_found` */
  async withdraw(id: string, { account, standing, by }: ActingAs): Promise<void> {
    const found = (await this.invitations(account)).find((row) => row.id === id)
    if (found === undefined) throw new GatewayError('not_found', 'There is no such invitation.')
    if (found.role === 'owner') requirePermission(standing, 'owners')
    const target = { kind: 'invitation', id, label: found.email } as const
    const event = { ...eventOf('invitation.withdrawn', account, by), target }
    await this.#options.change(event, ({ invitations }) => invitations.delete({ account_id: account.id, id }))
  }

  #code(account: Account, what: Pick<InvitationRow, 'email' | 'role' | 'person_id'>) {
    const code = CODE_PREFIX + randomSecret(24)
    const at = Math.round(this.#options.now())
    const times = { created_at: at, expires_at: at + INVITATION_MS }
    const row: InvitationRow = { id: randomId(16), account_id: account.id, ...what, code_hash: sha256(code), ...times }
    return { row, code }
  }

  async #keep(row: InvitationRow, { invitations }: ChangeTables): Promise<void> {
    await invitations.deleteEnded({ endedBy: row.created_at })
    await invitations.deleteTo(row)
    if ((await invitations.ofAccount(row.account_id)).length >= INVITATIONS_MAX) {
      throw new GatewayError('conflict', `${INVITATIONS_MAX} invitations wait already: withdraw some first.`)
    }
    await invitations.insert(row)
  }
}

function memberOf(members: readonly MemberView[], personId: string): MemberView {
  const found = members.find(({ person_id }) => person_id === personId)
  if (found === undefined) throw new GatewayError('not_found', 'There is no such person.')
  return found
}

/** Refuses, by rolling the change back, to leave an account without an owner who can come in. */
async function requireOwner({ id }: Account, { members }: ChangeTables, changed: MemberView): Promise<void> {
  if (changed.role !== 'owner' || changed.disabled_at !== null) return
  const isOwner = ({ role, disabled_at }: MemberView) => role === 'owner' && disabled_at === null
  if ((await members.ofAccount(id)).some(isOwner)) return
  throw new GatewayError('conflict', 'This is the last owner of the account: make somebody else an owner first.')
}

/** Of one whom no account lets in any more. */
async function endSignIns(personId: string, { members, signIns }: ChangeTables): Promise<void> {
  const isLetIn = (await members.ofPerson(personId)).some(({ disabled_at }) => disabled_at === null)
  if (!isLetIn) await signIns.deleteOf(personId)
}

function eventOf(action: AuditAction, { id }: Account, by: Origin): AuditEvent {
  return { action, by, accountId: id }
}

function personTarget(id: string, email: string): AuditTarget {
  return { kind: 'person', id, label: email }
}

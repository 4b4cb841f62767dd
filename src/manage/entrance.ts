import type { Account } from '../accounts/account.ts'
import type { FirstRunCode } from '../accounts/first-run.ts'
import { type Passwords, passwordProblem } from '../accounts/password.ts'
import type { People, Recognized } from '../accounts/people.ts'
import { normalEmail, type Person } from '../accounts/person.ts'
import type { SignIns } from '../accounts/sign-ins.ts'
import { sha256 } from '../crypto/hash.ts'
import { randomId } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import type { SignInLimits } from '../limits/sign-in-limits.ts'
import type { AuditEvent, Origin } from '../records/audit-event.ts'
import type { InvitationRow } from '../store/schema.ts'
import type { ChangeTables, Store } from '../store/store.ts'
import type { Change } from './accounts.ts'

export interface EntranceOptions {
  readonly store: Pick<Store, 'people' | 'invitations'>
  readonly people: People
  readonly passwords: Passwords
  readonly signIns: SignIns
  readonly limits: SignInLimits
  readonly firstRunCode: FirstRunCode
  /** Whose owner the first run makes. */
  readonly defaultAccount: Account
  readonly change: Change
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A sign-in that has just begun. The token is here and nowhere else. */
export interface BegunSignIn {
  readonly person: Person
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** What strangers may try: to sign in, to accept an invitation, to be the first. Every try is limited first. */
export class Entrance {
  readonly #options: EntranceOptions

  constructor(options: EntranceOptions) {
    this.#options = options
  }

  /**
   * Who has this e-mail and password, for whoever keeps a session of its own; limited like every try.
   *
   * @throws GatewayError `rate_limited`; `invalid_token`, the same for an unknown e-mail as for a wrong password.
   */
  async recognize(
    { email, password }: { readonly email: string; readonly password: string },
    by: Origin,
  ): Promise<Person> {
    const recognized = await this.#recognized({ email, password }, by)
    if (!(await isStill(recognized, this.#options.store))) throw wrongPassword(email)
    return recognized.person
  }

  /** The same, with a session for `/api`. */
  async signIn(given: { readonly email: string; readonly password: string }, by: Origin): Promise<BegunSignIn> {
    const recognized = await this.#recognized(given, by)
    const { person } = recognized
    const account = onlyAccountOf(person)
    const event = eventOf('person.signed_in', person, {
      ...by,
      actor: 'person',
      subject: person.id,
      name: person.email,
    })
    const begun = await this.#options.change({ ...event, accountId: account }, async (tables) => {
      if (!(await isStill(recognized, tables))) throw wrongPassword(given.email)
      return this.#options.signIns.begin(person.id, tables)
    })
    return { person, ...begun }
  }

  async signOut(person: Person, tokenHash: string, by: Origin): Promise<void> {
    const event = { ...eventOf('person.signed_out', person, by), accountId: onlyAccountOf(person) }
    await this.#options.change(event, ({ signIns }) => signIns.delete(tokenHash))
  }

  /**
   * Sets another password, and ends the person's other sign-ins.
   *
   * @throws GatewayError `forbidden` when the current one is wrong, `invalid_request` for one that will not do.
   */
  async changePassword(
    { person, tokenHash }: { readonly person: Person; readonly tokenHash: string },
    { current, password }: { readonly current: string; readonly password: string },
    by: Origin,
  ): Promise<void> {
    const { passwords, people } = this.#options
    // Whoever has found an open screen may not guess on.
    this.#limit(by, person.email)
    requireGood(password, person.email)
    const recognized = await people.signIn(person.email, current)
    if (recognized === undefined) throw notTheCurrentOne()
    const hash = await passwords.hash(password)
    const event = { ...eventOf('password.changed', person, by), accountId: onlyAccountOf(person) }
    await this.#options.change(event, async (tables) => {
      if (!(await isStill(recognized, tables))) throw notTheCurrentOne()
      await setPassword(person.id, { hash, tables, except: tokenHash })
    })
  }

  /**
   * Accepts an invitation: a new person is made with this password; one who is there already proves to be that person by it. A
   * code for a new password sets it, and ends all sign-ins of its person.
   *
   * @throws GatewayError `forbidden` for a code that is not good, `invalid_token` for the wrong password of a person.
   */
  async accept(
    { code, name, password }: { readonly code: string; readonly name?: string | undefined; readonly password: string },
    by: Origin,
  ): Promise<{ readonly email: string }> {
    const { store, now } = this.#options
    this.#limit(by)
    const found = await store.invitations.findByCode(sha256(code))
    if (found === undefined || found.expires_at <= now()) throw codeNotGood()
    const person = await store.people.findByEmail(found.email)
    if (found.person_id !== null) await this.#reset(found, password, by)
    else if (person !== undefined) await this.#join(found, { personId: person.id, password }, by)
    else await this.#make(found, { name: name ?? found.email, password }, by)
    return { email: found.email }
  }

  /**
   * Makes the first person, owner of the default account.
   *
   * @throws GatewayError `not_found` when there is somebody already, `forbidden` for a code that is not good.
   */
  async firstRun(
    { code, email, name, password }: Readonly<Record<'code' | 'email' | 'name' | 'password', string>>,
    by: Origin,
  ): Promise<{ readonly email: string }> {
    const { store, passwords, firstRunCode, defaultAccount, change } = this.#options
    this.#limit(by)
    if (!(await store.people.isEmpty())) throw thereIsSomebody()
    const address = normalEmail(email)
    requireGood(password, address)
    if (!firstRunCode.matches(code)) throw codeNotGood()
    const password_hash = await passwords.hash(password)
    const { id, row } = this.#newPerson({ email: address, name, password_hash })
    const changes = [{ setting: 'role', from: null, to: 'owner' }]
    const target = { kind: 'person', id, label: address } as const
    await change({ action: 'person.created', by, accountId: defaultAccount.id, target, changes }, async (tables) => {
      // Asked again where nobody can come between: of two at once one is the first.
      if (!(await tables.people.isEmpty())) throw thereIsSomebody()
      await tables.people.insert(row)
      await tables.members.insert(membership(id, { account_id: defaultAccount.id, role: 'owner' }, row.created_at))
    })
    firstRunCode.end()
    return { email: address }
  }

  /**
   * A code for the first run; an earlier one is worth nothing any more.
   *
   * @throws GatewayError `not_found` when there is somebody already.
   */
  async newFirstRunCode(): Promise<string> {
    if (!(await this.#options.store.people.isEmpty())) throw thereIsSomebody()
    return this.#options.firstRunCode.make()
  }

  async #recognized(
    { email, password }: { readonly email: string; readonly password: string },
    by: Origin,
  ): Promise<Recognized> {
    this.#limit(by, email)
    const recognized = await this.#options.people.signIn(email, password)
    if (recognized === undefined) throw wrongPassword(email)
    return recognized
  }

  async #make(
    invitation: InvitationRow,
    { name, password }: { readonly name: string; readonly password: string },
    by: Origin,
  ): Promise<void> {
    const { email } = invitation
    requireGood(password, email)
    const password_hash = await this.#options.passwords.hash(password)
    const { id, row } = this.#newPerson({ email, name, password_hash })
    await this.#options.change(joined(invitation, id, by), async (tables) => {
      await use(invitation, tables)
      await tables.people.insert(row)
      await tables.members.insert(membership(id, invitation, row.created_at))
    })
  }

  /** The code alone is not enough: whoever invites would be that person in every other account. */
  async #join(
    invitation: InvitationRow,
    { personId, password }: { readonly personId: string; readonly password: string },
    by: Origin,
  ): Promise<void> {
    this.#options.limits.take({ address: by.clientAddress ?? '', email: invitation.email, now: this.#options.now() })
    const row = await this.#options.store.people.find(personId)
    if (!(await this.#options.passwords.verify(password, row?.password_hash))) throw wrongPassword(invitation.email)
    const at = Math.round(this.#options.now())
    await this.#options.change(joined(invitation, personId, by), async (tables) => {
      await use(invitation, tables)
      await tables.members.insert(membership(personId, invitation, at))
    })
  }

  async #reset(invitation: InvitationRow, password: string, by: Origin): Promise<void> {
    const { account_id: accountId, email, person_id: id } = invitation
    requireGood(password, email)
    const hash = await this.#options.passwords.hash(password)
    const target = { kind: 'person', id: id ?? undefined, label: email } as const
    await this.#options.change({ action: 'password.changed', by, accountId, target }, async (tables) => {
      await use(invitation, tables)
      await setPassword(id ?? '', { hash, tables })
    })
  }

  #newPerson(person: { readonly email: string; readonly name: string; readonly password_hash: string }) {
    const id = randomId(16)
    return { id, row: { id, ...person, created_at: Math.round(this.#options.now()) } }
  }

  #limit({ clientAddress = '' }: Origin, email?: string): void {
    const { limits, now } = this.#options
    limits.take({ address: clientAddress, email: email === undefined ? undefined : normalEmail(email), now: now() })
  }
}

/**
 * Whether the person still has the password that was compared: hashing takes its time, more when many wait for it, and whoever
 * sets another one meanwhile ends all that the old one opens.
 */
async function isStill(
  { person, passwordHash }: Recognized,
  { people }: { readonly people: Pick<ChangeTables['people'], 'find'> },
): Promise<boolean> {
  return (await people.find(person.id))?.password_hash === passwordHash
}

/** Takes the code away; of two who use it at once, one finds it gone. */
async function use({ account_id, id }: InvitationRow, { invitations }: ChangeTables): Promise<void> {
  if (!(await invitations.delete({ account_id, id }))) throw codeNotGood()
}

async function setPassword(
  id: string,
  { hash, tables, except }: { readonly hash: string; readonly tables: ChangeTables; readonly except?: string },
): Promise<void> {
  await tables.people.setPassword(id, hash)
  await tables.signIns.deleteOf(id, except)
}

function membership(personId: string, { account_id, role }: Pick<InvitationRow, 'account_id' | 'role'>, at: number) {
  return { account_id, person_id: personId, role, joined_at: at, disabled_at: null }
}

function requireGood(password: string, email: string): void {
  const problem = passwordProblem(password, email)
  if (problem !== undefined) throw new GatewayError('invalid_request', problem)
}

/** Of one who belongs to several accounts it is no account's line: each would read of the others. */
function onlyAccountOf({ roles }: Person): string | undefined {
  const [only, second] = roles.keys()
  return second === undefined ? only : undefined
}

function eventOf(action: AuditEvent['action'], { id, email }: Person, by: Origin): AuditEvent {
  return { action, by, target: { kind: 'person', id, label: email } }
}

function joined({ account_id, email, role }: InvitationRow, personId: string, by: Origin): AuditEvent {
  const who: Origin = { ...by, actor: 'person', subject: personId, name: email }
  const changes = [{ setting: 'role', from: null, to: role }]
  const target = { kind: 'person', id: personId, label: email } as const
  return { action: 'person.joined', by: who, accountId: account_id, target, changes }
}

function wrongPassword(email: string): GatewayError {
  return new GatewayError('invalid_token', 'E-mail or password is wrong.', { cause: `as ${email.slice(0, 100)}` })
}

function notTheCurrentOne(): GatewayError {
  return new GatewayError('forbidden', 'The current password is not right.')
}

function codeNotGood(): GatewayError {
  return new GatewayError('forbidden', 'This code is wrong, used or has ended. Ask for a new one.')
}

function thereIsSomebody(): GatewayError {
  return new GatewayError('not_found', 'The first run is over: somebody has an account here. Sign in, or be invited.')
}

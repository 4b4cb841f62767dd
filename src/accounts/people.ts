import type { MemberRow, PersonRow } from '../store/schema.ts'
import type { ChangeTables } from '../store/store.ts'
import type { PasswordHash, Passwords } from './password.ts'
import { normalEmail, type Person, personOf } from './person.ts'

export interface PeopleOptions {
  readonly store: Pick<ChangeTables, 'people' | 'members'>
  readonly passwords: Passwords
}

/** Somebody who has just shown a password. */
export interface Recognized {
  readonly person: Person
  /** What it was compared with: before it counts for anything, ask whether it is still this one. */
  readonly passwordHash: PasswordHash
}

/** Who may sign in. Reads only; what changes people is in `manage/`. */
export class People {
  readonly #store: PeopleOptions['store']
  readonly #passwords: Passwords

  constructor({ store, passwords }: PeopleOptions) {
    this.#store = store
    this.#passwords = passwords
  }

  /**
   * The person with this e-mail and password, whom some account lets in. The same answer and the same cost whether the
   * e-mail is unknown, the password wrong or the person disabled. Limits nothing: whoever calls it does, before.
   *
   * @throws GatewayError `rate_limited` when too many sign in at once.
   */
  async signIn(email: string, password: string): Promise<Recognized | undefined> {
    const row = await this.#store.people.findByEmail(normalEmail(email))
    // Asked for nobody too, so that both ways have as many questions.
    const members = await this.#store.members.ofPerson(row?.id ?? '')
    const isRight = await this.#passwords.verify(password, row?.password_hash)
    if (row === undefined || !isRight) return undefined
    const person = personOf(row, members)
    return person.isDisabled ? undefined : { person, passwordHash: row.password_hash }
  }

  async find(id: string): Promise<Person | undefined> {
    return this.#person(await this.#store.people.find(id))
  }

  /**
   * The person who was invited under this e-mail. That a mailbox is this person's own nobody has checked: trust it as far as
   * whoever may invite people to the account.
   */
  async findByEmail(email: string): Promise<Person | undefined> {
    return this.#person(await this.#store.people.findByEmail(normalEmail(email)))
  }

  async #person(row: PersonRow | undefined): Promise<Person | undefined> {
    if (row === undefined) return undefined
    const members: readonly MemberRow[] = await this.#store.members.ofPerson(row.id)
    return personOf(row, members)
  }
}

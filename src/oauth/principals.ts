import * as z from 'zod'
import type { Person } from '../accounts/person.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Origin } from '../records/audit-event.ts'
import type { ModelAdapter } from './adapter.ts'
import type { Identity } from './federation/sign-in-provider.ts'
import type { OAuthResource } from './resources.ts'

/** Whoever has signed in at our pages, and gives clients access. */
export interface Principal {
  /** `sub` of the tokens: the person's id, or a name made of the provider's issuer and subject. */
  readonly id: string
  readonly name: string
  readonly email: string | undefined
  /** A provider has said that the mailbox is this person's. Our own people's were given by whoever invited them. */
  readonly isEmailVerified: boolean
  /** Role by account. */
  readonly roles: ReadonlyMap<string, string>
  /** The provider that vouched lets this person in everywhere, by the operator's word. */
  readonly isAllowed: boolean
}

/** Our own people. */
export interface OwnPeople {
  /**
   * Who has this e-mail and password; limited like every try.
   *
   * @throws GatewayError `rate_limited`; `invalid_token`, the same for an unknown e-mail as for a wrong password.
   */
  recognize(given: { readonly email: string; readonly password: string }, by: Origin): Promise<Person>
  find(id: string): Promise<Person | undefined>
  findByEmail(email: string): Promise<Person | undefined>
}

export interface PrincipalsOptions {
  readonly people: OwnPeople
  /** Keeps those who came through a provider, under the model `Principal`. */
  readonly adapter: ModelAdapter
  /** Keeps which of them have the e-mail of one of our people, under the model `PersonPrincipals`. */
  readonly ofPeople: ModelAdapter
  readonly adminUsers: readonly string[]
  readonly ttlSeconds: number
  /** Whether this provider still lets somebody in, by today's settings. */
  readonly isAllowedBy: (providerId: string, identity: Identity) => boolean
}

const kept = z.object({
  providerId: z.string(),
  issuer: z.string(),
  subject: z.string(),
  email: z.string().optional(),
  name: z.string().optional(),
  isAllowed: z.boolean(),
})

const names = z.object({ ids: z.array(z.string()) })

const FEDERATED = 'fed_'
/** Sign-ins at providers that one person has. */
const NAMES_MAX = 50

/**
 * Who can sign in. Somebody who comes through a provider is another principal than the person with the same e-mail and a
 * password: whoever may invite people sets those passwords, and must not become what a provider vouches for.
 */
export class Principals {
  readonly #options: PrincipalsOptions

  constructor(options: PrincipalsOptions) {
    this.#options = options
  }

  /** @throws GatewayError as `OwnPeople.recognize` does. */
  async signIn(given: { readonly email: string; readonly password: string }, by: Origin): Promise<Principal> {
    return ofPerson(await this.#options.people.recognize(given, by))
  }

  /** The principal of an identity that a provider has just vouched for. It is kept under its id. */
  async ofIdentity(providerId: string, identity: Identity): Promise<Principal> {
    const { issuer, subject, email, name, isAllowed } = identity
    const id = federatedId(issuer, subject)
    const { adapter, ttlSeconds } = this.#options
    await adapter.upsert(id, { providerId, issuer, subject, email, name, isAllowed }, ttlSeconds)
    await this.#noteFor(email, id)
    return this.#federated(id, identity, isAllowed)
  }

  /** All under which this person may have signed in. */
  async idsOf(personId: string): Promise<readonly string[]> {
    const found = names.safeParse(await this.#options.ofPeople.find(personId))
    return [personId, ...(found.success ? found.data.ids : [])]
  }

  /** Undefined when there is nobody of that id, or nobody may sign in as that one any more. */
  async find(id: string): Promise<Principal | undefined> {
    if (!id.startsWith(FEDERATED)) {
      const person = await this.#options.people.find(id)
      return person === undefined || person.isDisabled ? undefined : ofPerson(person)
    }
    const found = kept.safeParse(await this.#options.adapter.find(id))
    if (!found.success) return undefined
    const { providerId, email, name, ...rest } = found.data
    const identity = { ...rest, email, name }
    return this.#federated(id, identity, this.#options.isAllowedBy(providerId, identity))
  }

  /** Members of the workspace's account, and those whom the operator lets in by their provider. */
  mayUse(principal: Principal, resource: Pick<OAuthResource, 'accountId'>): boolean {
    return principal.isAllowed || principal.roles.has(resource.accountId)
  }

  /**
   * Who may have the scopes of administrators: those of the account, who could set the workspace's rules anyway, and
   * `adminUsers`, whose e-mail a provider has verified (FEATURES C14; THREATS.md, T11).
   */
  isAdmin(principal: Principal, { accountId }: Pick<OAuthResource, 'accountId'>): boolean {
    const role = principal.roles.get(accountId)
    if (role === 'owner' || role === 'admin') return true
    const { email, isEmailVerified } = principal
    return isEmailVerified && email !== undefined && this.#options.adminUsers.includes(email.toLowerCase())
  }

  async #noteFor(email: string | undefined, id: string): Promise<void> {
    const person = email === undefined ? undefined : await this.#options.people.findByEmail(email)
    if (person === undefined) return
    const [, ...known] = await this.idsOf(person.id)
    const ids = [...new Set([...known, id])].slice(-NAMES_MAX)
    await this.#options.ofPeople.upsert(person.id, { ids }, this.#options.ttlSeconds)
  }

  async #federated(id: string, { email, name }: Identity, isAllowed: boolean): Promise<Principal> {
    const person = email === undefined ? undefined : await this.#options.people.findByEmail(email)
    return {
      id,
      name: name ?? email ?? 'Somebody',
      email,
      isEmailVerified: email !== undefined,
      roles: person === undefined || person.isDisabled ? new Map() : person.roles,
      isAllowed,
    }
  }
}

/** What there is to know of somebody (OpenID Connect Core §5.1). */
export function personClaims({ name, email, isEmailVerified }: Principal): Record<string, unknown> {
  return { name, ...(email === undefined ? {} : { email, email_verified: isEmailVerified }) }
}

/** The id of whoever an issuer calls so. */
export function federatedId(issuer: string, subject: string): string {
  return FEDERATED + sha256(JSON.stringify([issuer, subject])).slice(0, 32)
}

function ofPerson({ id, name, email, roles }: Person): Principal {
  return { id, name, email, isEmailVerified: false, roles, isAllowed: false }
}

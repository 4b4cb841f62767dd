import * as z from 'zod'
import type { ModelAdapter } from './adapter.ts'
import type { Grants, GrantView } from './grants.ts'

/** What is kept of a grant besides what the library keeps: as the person saw it. */
const details = z.object({
  clientName: z.string(),
  redirectUri: z.string(),
  /** The browser session in which it was allowed. */
  sessionUid: z.string().optional(),
})

export type ConnectionDetails = z.output<typeof details>

/** An app that a person has let use a workspace. */
export interface Connection extends GrantView, ConnectionDetails {}

/** What people have allowed, and how they take it back: at once, since every call asks whether its grant was revoked. */
export class Connections {
  readonly #grants: Grants
  readonly #adapter: ModelAdapter

  /** `adapter` keeps the details, under the model `Connection`. */
  constructor(grants: Grants, adapter: ModelAdapter) {
    this.#grants = grants
    this.#adapter = adapter
  }

  async keep(grantId: string, seen: ConnectionDetails, ttlSeconds: number): Promise<void> {
    await this.#adapter.upsert(grantId, { ...seen }, ttlSeconds)
  }

  /** Newest first. At most 1,000. */
  async ofPerson(personId: string): Promise<readonly Connection[]> {
    const grants = await this.#grants.ofPerson(personId)
    const found = await Promise.all(grants.map((grant) => this.#connection(grant)))
    return found.sort((one, other) => other.grantedAtSeconds - one.grantedAtSeconds)
  }

  /** Its refresh tokens are gone, its access tokens are refused from the next call on. */
  async end(grantId: string): Promise<void> {
    await this.#grants.revoke(grantId)
    await this.#adapter.destroy(grantId)
  }

  /** Takes back those of a person that `which` chooses, and gives them. */
  async endOfPerson(personId: string, which: (connection: Connection) => boolean): Promise<readonly Connection[]> {
    const chosen = (await this.ofPerson(personId)).filter(which)
    for (const { grantId } of chosen) await this.end(grantId)
    return chosen
  }

  /** The browser is signed out, also where a request of it still runs. */
  async endSession(uid: string): Promise<void> {
    await this.#grants.endSession(uid)
  }

  /** Everything of a person: grants, tokens and sessions of browsers. */
  async endAllOfPerson(personId: string): Promise<void> {
    await this.#grants.revokePerson(personId)
  }

  async #connection(grant: GrantView): Promise<Connection> {
    const kept = details.safeParse(await this.#adapter.find(grant.grantId))
    return { ...grant, ...(kept.success ? kept.data : { clientName: grant.clientId, redirectUri: '' }) }
  }
}

import type { OAuthResource } from '../resources.ts'
import type { OAuthClientSettings } from './client-settings.ts'
import { FOR_KNOWN_CLIENTS, GRANT_TYPE_OF, type GrantName } from './grant-types.ts'

/** The clients of the settings, and what each may. */
export class KnownClients {
  readonly #byId: ReadonlyMap<string, OAuthClientSettings>

  constructor(clients: readonly OAuthClientSettings[]) {
    this.#byId = new Map(clients.map((client) => [client.id, client]))
  }

  /** The client, when the settings give it this grant. What a client writes of itself elsewhere does not count. */
  withGrant(clientId: string, grant: GrantName): OAuthClientSettings | undefined {
    const client = this.#byId.get(clientId)
    return client?.grants.includes(grant) === true ? client : undefined
  }

  /** Whether some client has this grant: only then it is on. */
  someHave(grant: GrantName): boolean {
    return [...this.#byId.values()].some(({ grants }) => grants.includes(grant))
  }

  /** Whether this client may use the grant of that name on the wire. Grants that are for everybody: yes. */
  mayUse(clientId: string, grantType: string): boolean {
    const grant = FOR_KNOWN_CLIENTS.find((name) => GRANT_TYPE_OF[name] === grantType)
    return grant === undefined || this.withGrant(clientId, grant) !== undefined
  }
}

/** Whether the client may have tokens for this workspace where no person is asked. */
export function mayEnter({ workspaces }: Pick<OAuthClientSettings, 'workspaces'>, { url }: Pick<OAuthResource, 'url'>) {
  return workspaces.includes('*') || workspaces.includes(url.slice(url.lastIndexOf('/') + 1))
}

import { GatewayError } from '../errors.ts'
import type { AuditEvent, Origin } from '../records/audit-event.ts'
import type { Connection, Connections } from './connections.ts'
import type { Principals } from './principals.ts'

/** What a list of connected apps says of a workspace. */
export interface ConnectedWorkspace {
  readonly id: string
  readonly accountId: string
  readonly name: string
}

/** An app that a person has let use a workspace, for people to read. */
export interface ConnectedApp {
  readonly id: string
  readonly clientId: string
  readonly name: string
  readonly redirectUri: string
  /** Undefined: the workspace is gone. */
  readonly workspace: ConnectedWorkspace | undefined
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly allowedAt: number
}

export interface ConnectedAppsOptions {
  readonly principals: Pick<Principals, 'idsOf'>
  readonly connections: Connections
  /** The workspace of this URL. */
  readonly workspaceOf: (url: string) => ConnectedWorkspace | undefined
  /** Writes to the audit. */
  readonly note: (event: AuditEvent) => Promise<void>
}

/** The connected apps of people, however they have signed in. `accountId` narrows to the workspaces of one account. */
export class ConnectedApps {
  readonly #options: ConnectedAppsOptions

  constructor(options: ConnectedAppsOptions) {
    this.#options = options
  }

  /** Newest first. */
  async list(personId: string, accountId?: string): Promise<readonly ConnectedApp[]> {
    const apps = await this.#appsOf(await this.#options.principals.idsOf(personId))
    return apps
      .filter(({ workspace }) => accountId === undefined || workspace?.accountId === accountId)
      .toSorted((one, other) => other.allowedAt - one.allowedAt)
  }

  /** In force for the next call. @throws GatewayError `not_found`, also for somebody else's. */
  async end(personId: string, id: string, by: Origin): Promise<void> {
    const found = (await this.list(personId)).find((app) => app.id === id)
    if (found === undefined) throw new GatewayError('not_found', 'There is no such connected app.')
    await this.#options.connections.end(found.id)
    await this.#noteEnd(found, by)
  }

  /** Ends all of them. Without an account the person's browsers are signed out as well. */
  async endAll(personId: string, by: Origin, accountId?: string): Promise<void> {
    const { principals, connections } = this.#options
    const apps = await this.list(personId, accountId)
    if (accountId !== undefined) for (const { id } of apps) await connections.end(id)
    else for (const id of await principals.idsOf(personId)) await connections.endAllOfPerson(id)
    for (const app of apps) await this.#noteEnd(app, by)
  }

  /** Ends what was opened with this person's password: apps, and the sign-ins of browsers. What a provider vouched for stays. */
  async endOfPassword(personId: string, by: Origin): Promise<void> {
    const apps = await this.#appsOf([personId])
    await this.#options.connections.endAllOfPerson(personId)
    for (const app of apps) await this.#noteEnd(app, by)
  }

  async #appsOf(ids: readonly string[]): Promise<readonly ConnectedApp[]> {
    const found = await Promise.all(ids.map((id) => this.#options.connections.ofPerson(id)))
    return found.flat().map((connection) => this.#app(connection))
  }

  /** After it has ended: what an audit that cannot be written holds up is never the end of an access. */
  #noteEnd({ id, name, scopes, workspace }: ConnectedApp, by: Origin): Promise<void> {
    return this.#options.note(appEvent('app.disconnected', { id, name, accountId: workspace?.accountId, scopes }, by))
  }

  #app({ grantId, clientId, clientName, redirectUri, resources, grantedAtSeconds }: Connection): ConnectedApp {
    const [[url, scope] = ['', '']] = Object.entries(resources)
    return {
      id: grantId,
      clientId,
      name: clientName,
      redirectUri,
      workspace: this.#options.workspaceOf(url),
      scopes: scope.split(' ').filter((one) => one !== ''),
      allowedAt: grantedAtSeconds * 1000,
    }
  }
}

/** That somebody let an app use a workspace, or took that back. */
export function appEvent(
  action: 'app.connected' | 'app.disconnected',
  app: Pick<ConnectedApp, 'id' | 'name' | 'scopes'> & { readonly accountId: string | undefined },
  by: Origin,
): AuditEvent {
  const { id, name, accountId, scopes } = app
  const [added, removed] = action === 'app.connected' ? [scopes, []] : [[], scopes]
  return {
    action,
    by,
    accountId,
    target: { kind: 'app', id, label: name },
    changes: [{ setting: 'scopes', added, removed }],
  }
}

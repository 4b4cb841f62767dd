import { GatewayError } from '../errors.ts'
import { type WorkspaceSettings, workspaceSettings } from '../workspaces/settings.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import { type ManagerOptions, WorkspaceManager, type WorkspaceRows } from './workspace-manager.ts'

/** Rows in memory, as the manager wants them: what is there survives a manager. */
export class MemoryRows implements WorkspaceRows {
  readonly kept = new Map<string, Workspace>()
  /** Thrown by the next write. */
  failure: Error | undefined
  /** Writes wait for it. */
  gate: Promise<void> = Promise.resolve()

  async list(): ReturnType<WorkspaceRows['list']> {
    const unreadable = [{ id: 'lost', slug: 'lost', reason: 'A stored secret cannot be read.' }]
    return { workspaces: [...this.kept.values()], unreadable }
  }

  async insert(workspace: Workspace): Promise<void> {
    await this.#mayWrite()
    this.kept.set(workspace.id, workspace)
  }

  async update(workspace: Workspace): Promise<void> {
    await this.#mayWrite()
    this.kept.set(workspace.id, workspace)
  }

  async delete(id: string): Promise<void> {
    await this.#mayWrite()
    this.kept.delete(id)
  }

  async #mayWrite(): Promise<void> {
    await this.gate
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
  }
}

/** What a workspace is compiled to here: the workspace itself. One whose name or document says `broken` cannot be. */
export interface Compiled {
  readonly workspace: Workspace
}

export interface Setup {
  readonly manager: WorkspaceManager<Compiled>
  readonly rows: MemoryRows
  /** Names of the served workspaces, one list for each time that they were put in place. */
  readonly published: string[][]
  readonly broken: string[]
  readonly clock: { now: number }
  /** What a URL answers; a URL that is not here cannot be reached. */
  readonly documents: Map<string, string>
}

export function createSetup(options: Partial<ManagerOptions<Compiled>> = {}, rows = new MemoryRows()): Setup {
  const published: string[][] = []
  const broken: string[] = []
  const clock = { now: 1_000 }
  const documents = new Map<string, string>()
  const manager = new WorkspaceManager<Compiled>({
    rows,
    accountId: 'account',
    open: async (workspace) => {
      if (workspace.name === 'broken') throw new GatewayError('config_invalid', 'This cannot be served.')
      if (workspace.document?.text === 'broken') throw new GatewayError('document_invalid', 'This is no document.')
      return { workspace }
    },
    publish: (served) => published.push(served.map(({ workspace }) => workspace.name)),
    fetchDocument: async (url) => {
      const text = documents.get(url)
      if (text === undefined) throw new GatewayError('upstream_unreachable', 'The document’s server is not there.')
      return text
    },
    now: () => clock.now,
    isServed: () => true,
    onBroken: (slug) => broken.push(slug),
    ...options,
  })
  return { manager, rows, published, broken, clock, documents }
}

/** Settings with their defaults filled in. */
export function settingsOf(given: object): WorkspaceSettings {
  return workspaceSettings.parse({ name: 'My API', ...given })
}

export const byApi = { keptBy: 'api', reach: 'operator' } as const

import { readFile } from 'node:fs/promises'
import { GatewayError } from '../errors.ts'
import { byConfigFile } from '../records/audit-event.ts'
import type { SourceSettings, WorkspaceSettings } from '../workspaces/settings.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import { slugOf, type WorkspaceManager } from './workspace-manager.ts'

/** A workspace as the config file has it: its source is a URL or an absolute path. */
export type WorkspaceInFile = Omit<WorkspaceSettings, 'source'> & { readonly source?: string | undefined }

export interface FileWorkspacesOptions {
  readonly warn: (message: string) => void
  readonly info: (message: string) => void
  /** Waits before an API description that could not be fetched is tried again; ends early when the gateway stops. */
  readonly wait: (milliseconds: number) => Promise<boolean>
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000

/** The slugs that the file keeps. A workspace that it kept once and names no more is not served. */
export function slugsInFile(workspaces: readonly WorkspaceInFile[]): ReadonlySet<string> {
  return new Set(workspaces.map((workspace) => workspace.slug ?? slugOf(workspace.name)))
}

/**
 * Makes the store's workspaces as the config file says. Id and slug stay from start to start, so URLs do too. An API
 * description that cannot be fetched does not stop the gateway: the one of the last start serves, and fetching goes on.
 *
 * @throws GatewayError for settings that cannot be served, `conflict` when `/api` keeps a workspace of the same slug.
 */
export async function keepFileWorkspaces<Open>(
  manager: WorkspaceManager<Open>,
  workspaces: readonly WorkspaceInFile[],
  options: FileWorkspacesOptions,
): Promise<void> {
  for (const { source, ...settings } of workspaces) {
    const slug = settings.slug ?? slugOf(settings.name)
    const known = manager.list().find((workspace) => workspace.slug === slug)
    if (known !== undefined && known.keptBy === 'api') {
      throw new GatewayError(
        'conflict',
        `The config file names the workspace ${slug}, which was made by the API. Rename one.`,
      )
    }
    const { id } =
      known ?? (await manager.create({ ...settings, slug }, { keptBy: 'file', reach: 'operator' }, byConfigFile))
    if (known !== undefined) await manager.replaceSettings(id, settings, byConfigFile)
    if (source !== undefined) await keepDocument(manager, manager.get(id), source, options)
  }
}

async function keepDocument<Open>(
  manager: WorkspaceManager<Open>,
  workspace: Workspace,
  source: string,
  options: FileWorkspacesOptions,
): Promise<void> {
  try {
    await manager.import(workspace.id, await sourceOf(source), byConfigFile)
  } catch (error) {
    if (!(error instanceof GatewayError) || !isPassing(error)) throw error
    const meanwhile = workspace.document === undefined ? 'It has no tools yet' : 'The last one serves'
    options.warn(`Workspace ${workspace.slug}: ${error.message} ${meanwhile}; fetching goes on.`)
    void retry(manager, workspace, source, options)
  }
}

async function retry<Open>(
  manager: WorkspaceManager<Open>,
  workspace: Workspace,
  source: string,
  options: FileWorkspacesOptions,
): Promise<void> {
  for (let waitMs = FIRST_WAIT_MS; await options.wait(waitMs); waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      await manager.import(workspace.id, await sourceOf(source), byConfigFile)
      options.info(`Workspace ${workspace.slug}: its API description was fetched and serves.`)
      return
    } catch (error) {
      if (error instanceof GatewayError && isPassing(error)) continue
      options.warn(`Workspace ${workspace.slug}: ${error instanceof Error ? error.message : 'import failed'}`)
      return
    }
  }
}

/** Whether the same import may work later. */
function isPassing(error: GatewayError): boolean {
  return error.code === 'upstream_unreachable' || error.code === 'upstream_timeout'
}

async function sourceOf(source: string): Promise<SourceSettings> {
  if (/^https?:\/\//i.test(source)) return { url: source }
  try {
    return { document: await readFile(source, 'utf8') }
  } catch (error) {
    throw new GatewayError('config_invalid', `The API description ${source} cannot be read.`, { cause: error })
  }
}

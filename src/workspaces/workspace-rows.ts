import * as z from 'zod'
import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import type { WorkspaceRow } from '../store/schema.ts'
import type { ChangeTables } from '../store/store.ts'
import { accessSettings } from './access-settings.ts'
import {
  inboundAuthSettings,
  paramsSettings,
  rateLimitingSettings,
  toolsSettings,
  upstreamSettings,
} from './settings.ts'
import type { Workspace, WorkspaceDocument } from './workspace.ts'

/** The workspaces in the store. Everything that may be a secret is sealed before it leaves this file. */
export interface WorkspaceRows {
  /** All of them. One that cannot be read does not take the others with it. */
  list(): Promise<StoredWorkspaces>
  /** @throws GatewayError `conflict` when the slug or the id is taken. */
  insert(workspace: Workspace): Promise<void>
  /** Replaces everything but id, account, slug and creation time. @throws GatewayError `not_found` */
  update(workspace: Workspace): Promise<void>
  /** @throws GatewayError `not_found` */
  delete(id: string): Promise<void>
}

/** What the store holds, told apart by whether it can be read. */
export interface StoredWorkspaces {
  /** In the order in which they were made. */
  readonly workspaces: readonly Workspace[]
  readonly unreadable: readonly UnreadableWorkspace[]
}

/** A row that was sealed under another key or for another row, or whose settings this program does not accept. */
export interface UnreadableWorkspace {
  readonly id: string
  readonly slug: string
  /** For the operator; names settings, never their values. */
  readonly reason: string
}

/** What is sealed together: the settings that can hold secrets, and those that nobody shall alter in the file. */
const sealedSettings = z.strictObject({
  inbound: inboundAuthSettings.optional(),
  access: accessSettings.prefault({}),
  rateLimiting: rateLimitingSettings.optional(),
  upstream: upstreamSettings,
  params: paramsSettings,
})

/** The workspaces of this store, or of a transaction on it, under this key. */
export function createWorkspaceRows(store: Pick<ChangeTables, 'workspaces'>, keyring: Keyring): WorkspaceRows {
  return {
    async list() {
      const workspaces: Workspace[] = []
      const unreadable: UnreadableWorkspace[] = []
      for (const row of await store.workspaces.list()) {
        try {
          workspaces.push(fromRow(row, keyring))
        } catch (error) {
          unreadable.push({ id: row.id, slug: row.slug, reason: reasonOf(error) })
        }
      }
      return { workspaces, unreadable }
    },
    async insert(workspace) {
      try {
        await store.workspaces.insert(toRow(workspace, keyring))
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== 'conflict') throw error
        throw new GatewayError('conflict', `There is a workspace ${workspace.slug} already.`, { cause: error })
      }
    },
    async update(workspace) {
      if (!(await store.workspaces.update(toRow(workspace, keyring)))) throw notFound()
    },
    async delete(id) {
      if (!(await store.workspaces.delete(id))) throw notFound()
    },
  }
}

function toRow(workspace: Workspace, keyring: Keyring): WorkspaceRow {
  const { id, inbound, access, rateLimiting, upstream, params, document } = workspace
  // Parsed on the way in too: what could not be read back must not be kept.
  const settings = sealedSettings.parse({ inbound, access, rateLimiting, upstream, params })
  return {
    id,
    account_id: workspace.accountId,
    slug: workspace.slug,
    name: workspace.name,
    kept_by: workspace.keptBy,
    reach: workspace.reach,
    sealed_settings: seal(keyring, sealedFor(id, 'settings'), JSON.stringify(settings)),
    tools: JSON.stringify(workspace.tools),
    // Sealed too: addresses of API descriptions are known to carry keys in their query.
    sealed_document_url:
      document?.url === undefined ? null : seal(keyring, sealedFor(id, 'document_url'), document.url),
    document_text: document?.text ?? null,
    document_imported_at: document?.importedAt ?? null,
    created_at: workspace.createdAt,
    updated_at: workspace.updatedAt,
  }
}

function fromRow(row: WorkspaceRow, keyring: Keyring): Workspace {
  const settings = sealedSettings.parse(JSON.parse(unseal(keyring, sealedFor(row.id, 'settings'), row.sealed_settings)))
  return {
    id: row.id,
    accountId: row.account_id,
    slug: row.slug,
    name: row.name,
    keptBy: row.kept_by,
    reach: row.reach,
    inbound: settings.inbound,
    access: settings.access,
    rateLimiting: settings.rateLimiting,
    upstream: settings.upstream,
    params: settings.params,
    tools: toolsSettings.parse(JSON.parse(row.tools)),
    document: documentOf(row, keyring),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

function documentOf(row: WorkspaceRow, keyring: Keyring): WorkspaceDocument | undefined {
  if (row.document_text === null || row.document_imported_at === null) return undefined
  const sealedUrl = row.sealed_document_url
  const url = sealedUrl === null ? undefined : unseal(keyring, sealedFor(row.id, 'document_url'), sealedUrl)
  return { url, text: row.document_text, importedAt: row.document_imported_at }
}

/** The row and column that a sealed value belongs to: moved anywhere else it does not open (THREATS.md, T30). */
function sealedFor(id: string, column: 'settings' | 'document_url'): string {
  return `workspace:${id}:${column}`
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    // Paths and codes only: messages may quote the value.
    const issues = error.issues.map((issue) => `${issue.path.slice(0, 2).join('.')} ${issue.code}`)
    return `its settings are not accepted: ${issues.slice(0, 5).join(', ')}`
  }
  if (error instanceof GatewayError) return error.message
  return 'its settings are not JSON'
}

function notFound(): GatewayError {
  return new GatewayError('not_found', 'There is no such workspace.')
}

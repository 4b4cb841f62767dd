import type { Reach } from '../egress/egress.ts'
import type { AccessSettings } from './access-settings.ts'
import type { InboundAuthSettings, RateLimitingSettings, ToolsSettings, UpstreamSettings } from './settings.ts'

/** One MCP endpoint with its settings. Slug and id never change (PRODUCT.md, 6). */
export interface Workspace {
  /** 16 random characters: 80 bits, not to be guessed (PRODUCT.md, 2). */
  readonly id: string
  /** The tenant that it belongs to; never changes. */
  readonly accountId: string
  readonly slug: string
  readonly name: string
  /** Who keeps it: `gatehouse.yaml` (changed only there) or `/api`. */
  readonly keptBy: 'file' | 'api'
  /** How far its upstream, login and document addresses may reach. */
  readonly reach: Reach
  /** Undefined: the gateway's own setting counts. */
  readonly inbound: InboundAuthSettings | undefined
  /** Who may call which tool. */
  readonly access: AccessSettings
  /** Undefined: the gateway's own setting counts. */
  readonly rateLimiting: RateLimitingSettings | undefined
  readonly upstream: UpstreamSettings
  /** Values are secrets, whatever they are called: no answer and no record shows them. */
  readonly params: Readonly<Record<string, string>>
  readonly tools: ToolsSettings
  readonly document: WorkspaceDocument | undefined
  /** Instead of a document: the MCP server that is passed through. */
  readonly mcp?: McpSource | undefined
  readonly createdAt: number
  readonly updatedAt: number
}

/** The API description that the tools are made from, as it was imported. */
export interface WorkspaceDocument {
  /** Where it was fetched; undefined when it was uploaded. */
  readonly url: string | undefined
  readonly text: string
  readonly importedAt: number
}

/** An MCP server that is passed through. */
export interface McpSource {
  readonly url: string
  /** The only tools that are offered; undefined: all it has. */
  readonly tools: readonly string[] | undefined
}

/** The workspace's path below the public URL: `/<slug>-<id>`. */
export function workspacePath(workspace: Pick<Workspace, 'slug' | 'id'>): string {
  return `/${workspace.slug}-${workspace.id}`
}

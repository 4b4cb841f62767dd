import { workspacePath } from '../workspaces/workspace.ts'
import type { Issued, IssuedKind } from './token-manager.ts'

/** A credential that we issued as `/api` and the CLI show it: everything but its value. */
export interface IssuedView {
  readonly id: string
  readonly kind: IssuedKind
  readonly description: string
  readonly status: 'Active' | 'Inactive'
  /** Why it is inactive. */
  readonly reason: 'expired' | 'revoked' | null
  /** The value cut down, to tell one from another. */
  readonly preview: string
  readonly subject: string
  readonly scopes: readonly string[]
  readonly workspaces: readonly {
    readonly id: string
    readonly slug: string
    readonly url: string
    readonly isDefault: boolean
  }[]
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
  /** How it is used at the first workspace that it opens; null when it opens none. */
  readonly usage: Usage | null
}

/** Both hold a placeholder where the value belongs. */
export interface Usage {
  readonly curl: string
  readonly client: unknown
}

/** `now` in milliseconds since the epoch; `publicUrl` has no trailing slash. */
export function viewIssued(
  { row, opens }: Issued,
  { now, publicUrl }: { readonly now: number; readonly publicUrl: string },
): IssuedView {
  const isEnded = row.expires_at !== null && row.expires_at <= now
  const reason = row.revoked_at !== null ? 'revoked' : isEnded ? 'expired' : null
  const [first] = opens
  return {
    id: row.id,
    kind: row.kind,
    description: row.description,
    status: reason === null ? 'Active' : 'Inactive',
    reason,
    preview: row.preview,
    subject: row.subject,
    scopes: row.scopes === '' ? [] : row.scopes.split(' '),
    workspaces: opens.map(({ workspace, isDefault }) => ({
      id: workspace.id,
      slug: workspace.slug,
      url: publicUrl + workspacePath(workspace),
      isDefault,
    })),
    createdAt: timeOf(row.created_at),
    expiresAt: row.expires_at === null ? null : timeOf(row.expires_at),
    lastUsedAt: row.last_used_at === null ? null : timeOf(row.last_used_at),
    revokedAt: row.revoked_at === null ? null : timeOf(row.revoked_at),
    usage:
      first === undefined ? null : usageOf(row.kind, first.workspace.slug, publicUrl + workspacePath(first.workspace)),
  }
}

function usageOf(kind: IssuedKind, slug: string, url: string): Usage {
  const authorization = `Bearer ${kind === 'key' ? 'YOUR_API_KEY' : 'YOUR_JWT_TOKEN'}`
  const message = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
  return {
    curl: [
      `curl -X POST ${url}`,
      `-H "Authorization: ${authorization}"`,
      '-H "Content-Type: application/json"',
      '-H "Accept: application/json, text/event-stream"',
      `-d '${message}'`,
    ].join(' \\\n  '),
    client: { mcpServers: { [slug]: { type: 'http', url, headers: { Authorization: authorization } } } },
  }
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

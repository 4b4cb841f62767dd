import type { Account } from '../accounts/account.ts'
import type { AuditLine } from '../records/audit-rows.ts'
import type { AuditFilter } from '../store/store.ts'
import { auditAnswer, auditQuery, verifyAnswer } from './contract.ts'
import { type Route, route } from './routes.ts'

export interface AuditRoutesOptions {
  /** The id of the account's workspace with this id or slug; of one that is gone, what was given. */
  readonly workspaceId: (account: Account, reference: string) => string
  /** Lines in the order in which they happened, newest last. */
  readonly read: (query: AuditFilter) => Promise<readonly AuditLine[]>
  readonly verify: () => Promise<unknown>
}

/** The audit in `/api`. */
export function auditRoutes({ workspaceId, read, verify }: AuditRoutesOptions): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/audit',
      summary: 'Read the audit: who changed what, and who was refused, newest last',
      needs: 'audit',
      status: 200,
      query: auditQuery,
      answer: auditAnswer,
      handle: async ({ account, readable: accountId, query: { workspace, since, ...query } }) => {
        const lines = await read({
          ...query,
          accountId,
          since: since === undefined ? undefined : Date.parse(since),
          targetId: workspace === undefined ? undefined : workspaceId(account, workspace),
        })
        return { lines: accountId === undefined ? lines : lines.map(alone) }
      },
    }),
    route({
      method: 'GET',
      path: '/api/audit/verify',
      summary: 'Check that no line of the audit was changed, removed, added or moved',
      needs: 'operator',
      status: 200,
      answer: verifyAnswer,
      handle: async () => verify(),
    }),
  ]
}

/** Without the hash of the line before, which may be another account's. */
function alone({ previousHash: _previousHash, ...line }: AuditLine): Omit<AuditLine, 'previousHash'> {
  return line
}

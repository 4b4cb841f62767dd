import type { Keyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import type { Audit } from '../records/audit.ts'
import type { Store } from '../store/store.ts'
import { createWorkspaceRows } from '../workspaces/workspace-rows.ts'
import type { WorkspaceRows } from './workspace-manager.ts'

/** The workspaces of this store; every change is kept together with the event that tells of it. */
export function auditedRows(store: Store, keyring: Keyring, audit: Audit): WorkspaceRows {
  return {
    list: () => createWorkspaceRows(store, keyring).list(),
    insert: (workspace, event) =>
      audit.change(event, async (tables) => {
        const accounts = await tables.accounts.list()
        if (!accounts.some(({ id }) => id === workspace.accountId)) {
          throw new GatewayError('not_found', 'There is no such account.')
        }
        await createWorkspaceRows(tables, keyring).insert(workspace)
      }),
    update: (workspace, event) =>
      audit.change(event, (tables) => createWorkspaceRows(tables, keyring).update(workspace)),
    delete: (id, event) => audit.change(event, (tables) => createWorkspaceRows(tables, keyring).delete(id)),
  }
}

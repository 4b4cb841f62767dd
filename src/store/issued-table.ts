import type { Kysely } from 'kysely'
import type { IssuedRow, Tables } from './schema.ts'
import type { SqliteClient } from './sqlite-client.ts'
import type { IssuedChanges, IssuedTable } from './store.ts'

const NOTE_USE = 'update issued set last_used_at = ? where id = ? and (last_used_at is null or last_used_at < ?)'

/** The credentials that were issued, in SQLite. */
export function issuedTable(database: Kysely<Tables>, client: SqliteClient): IssuedTable {
  return {
    page: ({ after, limit }) =>
      database.selectFrom('issued').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute(),
    async workspacesOf(ids) {
      if (ids.length === 0) return []
      return database.selectFrom('issued_workspaces').selectAll().where('issued_id', 'in', ids).execute()
    },
    async list({ accountId, kind, workspaceId, limit }) {
      let query = database
        .selectFrom('issued')
        .selectAll('issued')
        .where('account_id', '=', accountId)
        .where('kind', '=', kind)
      if (workspaceId !== undefined) {
        query = query
          .innerJoin('issued_workspaces', 'issued_workspaces.issued_id', 'issued.id')
          .where('issued_workspaces.workspace_id', '=', workspaceId)
      }
      return query.orderBy('issued.created_at', 'desc').orderBy('issued.id').limit(limit).execute()
    },
    find: (id) => database.selectFrom('issued').selectAll().where('id', '=', id).executeTakeFirst(),
    ...issuedChanges(database),
    async use(uses) {
      const lines = uses.map(({ id, at }) => `${JSON.stringify([at, id, at])}\n`).join('')
      if (lines !== '') await database.connection().execute(() => client.batch(NOTE_USE, Buffer.from(lines)))
    },
    ...lifetimes(database),
  }
}

/** The changes alone: also within a transaction that holds more. */
export function issuedChanges(database: Kysely<Tables>): IssuedChanges {
  return {
    insert: (row, workspaces) =>
      inTransaction(database, async (transaction) => {
        await transaction.insertInto('issued').values(row).execute()
        for (const workspace of workspaces) await insertWorkspace(transaction, { issued_id: row.id, ...workspace })
      }),
    associate: (row) => inTransaction(database, (transaction) => insertWorkspace(transaction, row)),
    async dissociate({ issued_id, workspace_id }) {
      const { numDeletedRows } = await database
        .deleteFrom('issued_workspaces')
        .where('issued_id', '=', issued_id)
        .where('workspace_id', '=', workspace_id)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
    async revoke(id, revokedAt) {
      const { numUpdatedRows } = await database
        .updateTable('issued')
        .set((row) => ({ revoked_at: row.fn.coalesce('revoked_at', row.val(revokedAt)) }))
        .where('id', '=', id)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }
}

/** In the transaction that `database` is already, or else in one of its own: SQLite has none within another. */
export function inTransaction<Result>(
  database: Kysely<Tables>,
  work: (transaction: Kysely<Tables>) => Promise<Result>,
): Promise<Result> {
  return database.isTransaction ? work(database) : database.transaction().execute(work)
}

function lifetimes(database: Kysely<Tables>): Pick<IssuedTable, 'needsOfKeys' | 'deleteSessions'> {
  return {
    async needsOfKeys() {
      const rows = await database
        .selectFrom('issued')
        .select(({ fn }) => [
          'signing_kid as kid',
          fn.max('expires_at').as('latest'),
          fn.countAll<number>().as('tokens'),
          fn.count<number>('expires_at').as('ending'),
        ])
        .where('signing_kid', 'is not', null)
        .where('revoked_at', 'is', null)
        .groupBy('signing_kid')
        .execute()
      return rows.flatMap(({ kid, latest, tokens, ending }) =>
        kid === null ? [] : [{ kid, until: ending === tokens ? latest : null }],
      )
    },
    async deleteSessions({ endedBy }) {
      const { numDeletedRows } = await database
        .deleteFrom('issued')
        .where('kind', '=', SESSION)
        .where('expires_at', '<=', endedBy)
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

const SESSION: IssuedRow['kind'] = 'session'

async function insertWorkspace(transaction: Kysely<Tables>, row: Tables['issued_workspaces']): Promise<void> {
  if (row.is_default === 1) {
    // A workspace has one default: the new one takes the place of the old.
    await transaction
      .updateTable('issued_workspaces')
      .set({ is_default: 0 })
      .where('workspace_id', '=', row.workspace_id)
      .execute()
  }
  await transaction
    .insertInto('issued_workspaces')
    .values(row)
    .onConflict((conflict) => {
      const again = conflict.columns(['issued_id', 'workspace_id'])
      return row.is_default === 1 ? again.doUpdateSet({ is_default: 1 }) : again.doNothing()
    })
    .execute()
}

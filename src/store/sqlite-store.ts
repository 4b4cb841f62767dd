import { Kysely } from 'kysely'
import { randomId } from '../crypto/random.ts'
import { inTransaction, issuedChanges, issuedTable } from './issued-table.ts'
import { migrate } from './migrations.ts'
import { oauthItemTable } from './oauth-items-sqlite.ts'
import { accountTable, peopleTables } from './people-tables.ts'
import { RECORD_COLUMNS } from './record-text.ts'
import type { Tables } from './schema.ts'
import { auditTable } from './sqlite-audit.ts'
import { SqliteClient } from './sqlite-client.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import type { ChangeTables, MetaTable, RecordTable, SigningKeyTable, Store, WorkspaceTable } from './store.ts'

// The account is looked up here, off the request's thread: a request knows its workspace, and that is enough.
const WORKSPACE_PLACE = RECORD_COLUMNS.indexOf('workspace_id') + 1
const APPEND_RECORD = `insert into records (${RECORD_COLUMNS.join(', ')}, account_id)
  values (${RECORD_COLUMNS.map((_column, index) => `?${index + 1}`).join(', ')},
    (select account_id from workspaces where id = ?${WORKSPACE_PLACE}))`

/**
 * The store in `gatehouse.db` of a folder, which is made when it is missing.
 *
 * @throws GatewayError `config_invalid` when another process uses the folder, when the file is damaged, not ours, or
 * written by a newer Gatehouse. Nothing is changed then.
 */
export async function openSqliteStore(options: { readonly folder: string }): Promise<Store> {
  const client = await SqliteClient.open(options.folder)
  const database = new Kysely<Tables>({ dialect: sqliteDialect(client) })
  try {
    await migrate(database)
    const tables = changeTables(database)
    await tables.meta.keepFirst('installation_id', randomId(16))
    return {
      ...tables,
      records: recordTable(database, client),
      issued: issuedTable(database, client),
      oauthItems: oauthItemTable(database),
      transaction: (work) => database.transaction().execute((transaction) => work(changeTables(transaction))),
      // In turn, like any other statement; Kysely's own `destroy` would make later calls fail with errors of its own.
      close: () => database.connection().execute(() => client.close()),
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

function changeTables(database: Kysely<Tables>): ChangeTables {
  return {
    meta: metaTable(database),
    accounts: accountTable(database),
    ...peopleTables(database),
    workspaces: workspaceTable(database),
    issued: issuedChanges(database),
    signingKeys: signingKeyTable(database),
    audit: auditTable(database),
  }
}

function metaTable(database: Kysely<Tables>): MetaTable {
  const find = async (key: string) => {
    const row = await database.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst()
    return row?.value
  }
  return {
    find,
    async keepFirst(key, value) {
      await database
        .insertInto('meta')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute()
      return (await find(key)) ?? value
    },
  }
}

function signingKeyTable(database: Kysely<Tables>): SigningKeyTable {
  return {
    list: () => database.selectFrom('signing_keys').selectAll().orderBy('created_at').orderBy('kid').execute(),
    async replace(key, retiredAt) {
      await inTransaction(database, async (transaction) => {
        await transaction
          .updateTable('signing_keys')
          .set({ retired_at: retiredAt, sealed_private_jwk: null })
          .where('retired_at', 'is', null)
          .execute()
        await transaction.insertInto('signing_keys').values(key).execute()
      })
    },
    async delete(kid) {
      await database.deleteFrom('signing_keys').where('kid', '=', kid).execute()
    },
  }
}

function workspaceTable(database: Kysely<Tables>): WorkspaceTable {
  return {
    list: () => database.selectFrom('workspaces').selectAll().orderBy('created_at').orderBy('id').execute(),
    async insert(row) {
      await database.insertInto('workspaces').values(row).execute()
    },
    async update({ id, account_id: _accountId, slug: _slug, created_at: _createdAt, ...columns }) {
      const { numUpdatedRows } = await database
        .updateTable('workspaces')
        .set(columns)
        .where('id', '=', id)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    async delete(id) {
      const { numDeletedRows } = await database.deleteFrom('workspaces').where('id', '=', id).executeTakeFirst()
      return numDeletedRows > 0n
    },
  }
}

function recordTable(database: Kysely<Tables>, client: SqliteClient): RecordTable {
  return {
    async append({ count, lines }, options) {
      // All rows are one message, one statement and one commit.
      if (count > 0) await database.connection().execute(() => client.batch(APPEND_RECORD, lines, options))
    },
    async read(filter) {
      const oldestFirst = filter.after !== undefined && filter.before === undefined
      let query = database.selectFrom('records').selectAll().limit(filter.limit)
      if (filter.accountId !== undefined) query = query.where('account_id', '=', filter.accountId)
      if (filter.workspaceId !== undefined) query = query.where('workspace_id', '=', filter.workspaceId)
      if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
      if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome)
      if (filter.tool !== undefined) query = query.where('tool', '=', filter.tool)
      if (filter.requestId !== undefined) query = query.where('request_id', '=', filter.requestId)
      if (filter.before !== undefined) query = query.where('seq', '<', filter.before)
      if (filter.after !== undefined) query = query.where('seq', '>', filter.after)
      const rows = await query.orderBy('seq', oldestFirst ? 'asc' : 'desc').execute()
      return oldestFirst ? rows : rows.reverse()
    },
    async trim({ keep }) {
      const { numDeletedRows } = await database
        .deleteFrom('records')
        .where('seq', '<=', (oldest) =>
          oldest.selectFrom('records').select((of) => of(of.fn.max('seq'), '-', of.val(keep)).as('seq')),
        )
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
    async expire({ before, limit }) {
      // By place, since only that has an index: the oldest lines stand first.
      const oldest = database.selectFrom('records').select(['seq', 'at']).orderBy('seq').limit(limit)
      const kept = database.selectFrom(oldest.as('oldest')).where('at', '>=', before)
      const { numDeletedRows } = await database
        .deleteFrom('records')
        .where('seq', 'in', (of) => of.selectFrom(oldest.as('old')).select('old.seq'))
        .where((of) =>
          of.or([
            of.not(of.exists(kept.select('seq'))),
            of(
              'seq',
              '<',
              kept.select((first) => first.fn.min('seq').as('seq')),
            ),
          ]),
        )
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

import type { Kysely } from 'kysely'
import { inTransaction } from './issued-table.ts'
import type { Applied, OauthChange, OauthItem, OauthItemName, OauthItems } from './oauth-items.ts'
import type { OauthItemRow, Tables } from './schema.ts'

/** Items in SQLite: one process, and what is acknowledged is on the disk. They are closed with the store. */
export function oauthItemTable(database: Kysely<Tables>): OauthItems {
  return {
    find: async (name) => itemOf(await findRow(database, name)),
    async findBy(index, kind, name) {
      const column = index === 'uid' ? 'uid' : 'user_code'
      const row = await database
        .selectFrom('oauth_items')
        .selectAll()
        .where('kind', '=', kind)
        .where(column, '=', name)
        .orderBy('kept_at', 'desc')
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst()
      return itemOf(row)
    },
    apply: (changes, { now }) =>
      inTransaction(database, async (transaction): Promise<Applied> => {
        for (const change of changes) {
          if (!(await isMet(transaction, change, now))) return { ok: false, unmet: change }
        }
        for (const change of changes) await applyOne(transaction, change, now)
        return { ok: true }
      }),
    async list({ kind, by, name, limit }) {
      const rows = await database
        .selectFrom('oauth_items')
        .selectAll()
        .where('kind', '=', kind)
        .where(by, '=', name)
        .orderBy('ends_at', (end) => end.desc().nullsFirst())
        .limit(limit)
        .execute()
      return rows.flatMap((row) => itemOf(row) ?? [])
    },
    async count(kind, { now }) {
      const row = await database
        .selectFrom('oauth_items')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('kind', '=', kind)
        .where((of) => of.or([of('ends_at', 'is', null), of('ends_at', '>', now)]))
        .executeTakeFirstOrThrow()
      return row.count
    },
    async expire({ endedBy, limit }) {
      const ended = database.selectFrom('oauth_items').select('seq').where('ends_at', '<=', endedBy).limit(limit)
      const { numDeletedRows } = await database.deleteFrom('oauth_items').where('seq', 'in', ended).executeTakeFirst()
      return Number(numDeletedRows)
    },
    notes: undefined,
    close: async () => {},
  }
}

function findRow(database: Kysely<Tables>, { kind, id }: OauthItemName): Promise<OauthItemRow | undefined> {
  return database.selectFrom('oauth_items').selectAll().where('kind', '=', kind).where('id', '=', id).executeTakeFirst()
}

async function isMet(database: Kysely<Tables>, change: OauthChange, now: number): Promise<boolean> {
  switch (change.do) {
    case 'putNew': {
      const row = await findRow(database, change.item)
      return row === undefined || (row.ends_at !== null && row.ends_at <= now)
    }
    case 'consume': {
      const row = await findRow(database, change)
      return row !== undefined && row.consumed_at === null
    }
    case 'put':
    case 'delete':
    case 'revokeGrant':
      return true
  }
}

async function applyOne(database: Kysely<Tables>, change: OauthChange, now: number): Promise<void> {
  switch (change.do) {
    case 'put':
    case 'putNew': {
      const { kind, id, ...columns } = rowOf(change.item, now)
      await database
        .insertInto('oauth_items')
        .values({ kind, id, ...columns })
        .onConflict((conflict) => conflict.columns(['kind', 'id']).doUpdateSet(columns))
        .execute()
      return
    }
    case 'consume': {
      const end = change.endsAt === undefined ? {} : { ends_at: change.endsAt }
      await database
        .updateTable('oauth_items')
        .set({ consumed_at: change.at, ...end })
        .where('kind', '=', change.kind)
        .where('id', '=', change.id)
        .execute()
      return
    }
    case 'delete':
      await database.deleteFrom('oauth_items').where('kind', '=', change.kind).where('id', '=', change.id).execute()
      return
    case 'revokeGrant':
      await database.deleteFrom('oauth_items').where('grant_id', '=', change.grant).execute()
  }
}

function rowOf(item: OauthItem, now: number): Omit<OauthItemRow, 'seq'> {
  return {
    kind: item.kind,
    id: item.id,
    sealed: item.sealed,
    uid: item.uid ?? null,
    user_code: item.userCode ?? null,
    grant_id: item.grant ?? null,
    owner: item.owner ?? null,
    client: item.client ?? null,
    consumed_at: item.consumedAt ?? null,
    ends_at: item.endsAt ?? null,
    kept_at: now,
  }
}

function itemOf(row: OauthItemRow | undefined): OauthItem | undefined {
  if (row === undefined) return undefined
  return {
    kind: row.kind,
    id: row.id,
    sealed: row.sealed,
    uid: row.uid ?? undefined,
    userCode: row.user_code ?? undefined,
    grant: row.grant_id ?? undefined,
    owner: row.owner ?? undefined,
    client: row.client ?? undefined,
    consumedAt: row.consumed_at ?? undefined,
    endsAt: row.ends_at ?? undefined,
  }
}

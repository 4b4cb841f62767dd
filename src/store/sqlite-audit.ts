import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'
import type { AuditTable } from './store.ts'

const CHAIN_COLUMNS = ['anchor_seq', 'anchor_hash', 'head_seq', 'head_hash', 'proof'] as const

/** The audit in this database, or in a transaction on it. */
export function auditTable(database: Kysely<Tables>): AuditTable {
  return {
    chain: () => database.selectFrom('audit_chain').select(CHAIN_COLUMNS).where('id', '=', 1).executeTakeFirst(),
    async keepChain(chain) {
      await database
        .insertInto('audit_chain')
        .values({ id: 1, ...chain })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(chain))
        .execute()
    },
    async lastSeq() {
      const row = await database.selectFrom('audit').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
      return row?.seq ?? 0
    },
    async append(rows) {
      for (const row of rows) await database.insertInto('audit').values(row).execute()
    },
    async read(filter) {
      const oldestFirst = filter.after !== undefined && filter.before === undefined
      let query = database.selectFrom('audit').selectAll().limit(filter.limit)
      if (filter.accountId !== undefined) query = query.where('account_id', '=', filter.accountId)
      if (filter.action !== undefined) query = query.where('action', '=', filter.action)
      if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome)
      if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor)
      if (filter.issuer !== undefined) query = query.where('issuer', '=', filter.issuer)
      if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject)
      if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId)
      if (filter.requestId !== undefined) query = query.where('request_id', '=', filter.requestId)
      if (filter.since !== undefined) query = query.where('at', '>=', filter.since)
      if (filter.before !== undefined) query = query.where('seq', '<', filter.before)
      if (filter.after !== undefined) query = query.where('seq', '>', filter.after)
      const rows = await query.orderBy('seq', oldestFirst ? 'asc' : 'desc').execute()
      return oldestFirst ? rows : rows.reverse()
    },
    async deleteThrough(seq) {
      const { numDeletedRows } = await database.deleteFrom('audit').where('seq', '<=', seq).executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

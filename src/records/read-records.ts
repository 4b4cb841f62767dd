import type { RecordFilter, Store } from '../store/store.ts'
import { fromRow, type StoredLine } from './record-rows.ts'
import type { RecordWriter } from './write-records.ts'

const LIMIT_MAX = 1000
const LIMIT_DEFAULT = 100

/** Every field that is given must match. `before` and `after` are places in the order, exclusive. `limit` is at most 1,000. */
export type RecordQuery = Partial<RecordFilter>

/**
 * The newest lines that match, or with `after` the ones that follow it; always in the order in which they ended, newest
 * last. With the writer at hand, lines that wait are stored first.
 */
export async function readRecords(store: Store, query: RecordQuery, writer?: RecordWriter): Promise<StoredLine[]> {
  await writer?.flush()
  const limit = Math.min(Math.max(1, Math.trunc(query.limit ?? LIMIT_DEFAULT)), LIMIT_MAX)
  const rows = await store.records.read({ ...query, limit })
  return rows.map(fromRow)
}

import type { NewRecordRow } from './schema.ts'

/** The columns of a record that is new, in the order in which `recordText` writes their values. */
export const RECORD_COLUMNS = [
  'request_id',
  'kind',
  'at',
  'duration_ms',
  'outcome',
  'code',
  'detail',
  'workspace_id',
  'workspace',
  'method',
  'tool',
  'arguments',
  'issuer',
  'subject',
  'client',
  'session',
  'protocol_version',
  'client_address',
  'status',
  'upstream_status',
  'upstream_ms',
] as const satisfies readonly (keyof NewRecordRow)[]

/**
 * A record in the form in which it waits for the store and crosses to its thread: the JSON text of an array. One text
 * costs the collection of garbage less than a row of twenty-one values. A number that is not finite becomes null.
 */
export function recordText(row: NewRecordRow): string {
  return JSON.stringify(RECORD_COLUMNS.map((column) => row[column]))
}

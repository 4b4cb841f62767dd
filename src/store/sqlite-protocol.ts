/** What may be bound to a statement. `undefined` is not in it: node:sqlite would take a missing value for NULL. */
export type SqlValue = string | number | null | Uint8Array

/** What the request's thread asks of the thread that holds the database. */
export type SqliteRequest =
  | { readonly id: number; readonly kind: 'query'; readonly sql: string; readonly parameters: readonly SqlValue[] }
  /** One statement for many rows, in one transaction of its own. Each row is a line of JSON. */
  | {
      readonly id: number
      readonly kind: 'batch'
      readonly sql: string
      readonly lines: Uint8Array
      readonly unhurried: boolean
    }
  | { readonly id: number; readonly kind: 'close' }

/** The answer to the request of the same id. The worker's first message has id 0 and says whether it could open the files. */
export type SqliteReply =
  | { readonly id: number; readonly ok: true; readonly rows: readonly unknown[]; readonly changes: number }
  | { readonly id: number; readonly ok: false; readonly failure: SqliteFailure }

/** Errors do not cross threads with their fields, so this does. */
export interface SqliteFailure {
  readonly message: string
  /** SQLite's extended result code (https://sqlite.org/rescode.html), when it was SQLite that failed. */
  readonly resultCode: number | undefined
  /** The message is written for the operator, who has to change something before the store can open. */
  readonly refusesToStart: boolean
}

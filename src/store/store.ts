import type { RecordRow, WorkspaceRow } from './schema.ts'

/**
 * Everything that outlives the process. What a promise of it acknowledges survives `kill -9` and a loss of power.
 *
 * Every call may throw a GatewayError: `unavailable` (the disk is full, the store is closed), `internal` (a bad value), or
 * what is said at the call. Every engine runs `store-contract.ts`.
 */
export interface Store {
  readonly meta: MetaTable
  readonly workspaces: WorkspaceTable
  readonly records: RecordTable
  /** Waits for what was begun, then lets go of the files. A second call does nothing. */
  close(): Promise<void>
}

/** What the store knows of itself: schema version, installation id, key check. */
export interface MetaTable {
  find(key: string): Promise<string | undefined>
  /** Keeps `value` when nothing is kept under `key` yet. Gives what is kept afterwards: the first value stands. */
  keepFirst(key: string, value: string): Promise<string>
}

export interface WorkspaceTable {
  /** In the order in which they were made. */
  list(): Promise<WorkspaceRow[]>
  /** @throws GatewayError `conflict` when the id or the slug is taken. */
  insert(row: WorkspaceRow): Promise<void>
  /** Replaces everything but id, slug and creation time. False: there is no such row. */
  update(row: WorkspaceRow): Promise<boolean>
  /** False: there was no such row. */
  delete(id: string): Promise<boolean>
}

export interface RecordTable {
  /** All or none of them, in this order. Each is what `recordText` made of a row. */
  append(records: readonly string[]): Promise<void>
  /** The newest that fit the filter, or with `after` the oldest; always in the order of `seq`. */
  read(filter: RecordFilter): Promise<RecordRow[]>
  /** Deletes the oldest, so that at most `keep` are left. Gives the number of deleted rows. */
  trim(options: { readonly keep: number }): Promise<number>
}

/** Every field that is set must match. `before` and `after` are exclusive. */
export interface RecordFilter {
  readonly workspaceId?: string | undefined
  readonly kind?: RecordRow['kind'] | undefined
  readonly outcome?: RecordRow['outcome'] | undefined
  readonly tool?: string | undefined
  readonly requestId?: string | undefined
  readonly before?: number | undefined
  readonly after?: number | undefined
  readonly limit: number
}

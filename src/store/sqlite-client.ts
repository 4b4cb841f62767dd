import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { GatewayError } from '../errors.ts'
import type { SqliteFailure, SqliteReply, SqliteRequest, SqlValue } from './sqlite-protocol.ts'

/** SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE. */
const TAKEN = new Set([1555, 2067])
/** BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: the statement was fine, the store was not. */
const OUT_OF_ORDER = new Set([5, 6, 7, 8, 10, 11, 13, 14, 26])

/** Batches are read and dropped: a young generation as large as the main thread's would only hold more of what is over. */
const LIMITS = { maxYoungGenerationSizeMb: 2 } as const

/** What a statement gave. */
export interface SqliteResult<Row> {
  readonly rows: Row[]
  readonly changes: number
}

/** Asks the thread that holds the database. Requests are answered in order, one at a time. */
export class SqliteClient {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #ended = false

  /** Opens the files of the folder in a thread of their own; `sqlite-files.ts` says when it refuses. */
  static async open(folder: string): Promise<SqliteClient> {
    const client = new SqliteClient(folder)
    await client.#answer(0)
    return client
  }

  private constructor(folder: string) {
    // `.ts` when run from the sources, `.js` in the package.
    const file = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url)
    // Flags of the process (`--eval`, `--input-type`) are not for this file.
    this.#worker = new Worker(file, { workerData: { folder }, execArgv: [], resourceLimits: LIMITS })
    this.#worker.on('message', (reply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', () => this.#end(new Error('the thread has ended')))
  }

  /** Runs one statement. The row type is the query builder's claim; nothing is checked here. */
  async query<Row>(sql: string, parameters: readonly unknown[]): Promise<SqliteResult<Row>> {
    return this.#ask({ id: ++this.#lastId, kind: 'query', sql, parameters: parameters.map(sqlValue) })
  }

  /**
   * Runs one statement for every row, in one transaction: all or none. Must not be called inside another transaction.
   * Each row is a line: the JSON text of an array of texts, numbers and nulls, one for every parameter of the statement. In
   * shared memory they are not copied, and must not change meanwhile. `unhurried`: the thread rests between them.
   */
  async batch(sql: string, lines: Uint8Array, { unhurried = false } = {}): Promise<void> {
    await this.#ask({ id: ++this.#lastId, kind: 'batch', sql, lines, unhurried })
  }

  /** Ends the thread after everything that was asked before. */
  async close(): Promise<void> {
    if (this.#ended) return
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve))
    const closed = this.#ask({ id: ++this.#lastId, kind: 'close' })
    this.#ended = true
    await Promise.all([closed, exited])
  }

  #ask<Row>(request: SqliteRequest): Promise<SqliteResult<Row>> {
    if (this.#ended) return Promise.reject(unavailable(new Error('the store is closed')))
    const answer = this.#answer<Row>(request.id)
    this.#worker.postMessage(request)
    return answer
  }

  #answer<Row>(id: number): Promise<SqliteResult<Row>> {
    return new Promise<SqliteResult<Row>>((resolve, reject) => {
      const waiting = { resolve: (result: SqliteResult<Row>) => resolve(result), reject }
      this.#waiting.set(id, waiting)
    })
  }

  #settle(reply: SqliteReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.ok) waiting?.resolve({ rows: [...reply.rows], changes: reply.changes })
    else waiting?.reject(toGatewayError(reply.failure))
  }

  #end(cause: Error): void {
    this.#ended = true
    for (const { reject } of this.#waiting.values()) reject(unavailable(cause))
    this.#waiting.clear()
  }
}

/** Method syntax on purpose: the row type of one question is unknown to the map of all of them. */
interface Waiting {
  resolve(result: SqliteResult<unknown>): void
  reject(error: Error): void
}

function sqlValue(value: unknown): SqlValue {
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return value
  // NaN would be kept as NULL.
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw badValue(typeof value)
}

function badValue(what: string): GatewayError {
  return new GatewayError('internal', 'Internal error', { cause: new TypeError(`cannot be kept in SQLite: ${what}`) })
}

function toGatewayError(failure: SqliteFailure): GatewayError {
  // Messages of SQLite name tables and columns, never values, so the operator may read them; any other may quote what it met.
  const cause = failure.resultCode === undefined ? new Error(failure.message) : failure.message
  if (failure.refusesToStart) return new GatewayError('config_invalid', failure.message)
  if (failure.resultCode === undefined) return new GatewayError('internal', 'Internal error', { cause })
  if (TAKEN.has(failure.resultCode)) return new GatewayError('conflict', 'This name is taken already.', { cause })
  // The low byte is the primary result code (https://sqlite.org/rescode.html#pve).
  if (OUT_OF_ORDER.has(failure.resultCode & 0xff)) return unavailable(cause)
  return new GatewayError('internal', 'Internal error', { cause })
}

function unavailable(cause: Error | string): GatewayError {
  return new GatewayError('unavailable', 'The store cannot be used at the moment.', { cause })
}

import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { GatewayError } from '../errors.ts'
import { Pace } from './pace.ts'
import { recordsIn } from './record-batch.ts'
import { openSqliteFiles, type SqliteFiles } from './sqlite-files.ts'
import type { SqliteFailure, SqliteReply, SqliteRequest, SqlValue } from './sqlite-protocol.ts'

const STATEMENTS_MAX = 200
const LOWER_PRIORITY = 10

// The one file that runs on import: it is the main file of a thread, which waits for the disk so that requests need not.
if (parentPort !== null && typeof workerData?.folder === 'string') serve(parentPort, workerData.folder)

function serve(port: MessagePort, folder: string): void {
  stepBack()
  const reply = (message: SqliteReply) => port.postMessage(message)
  let files: SqliteFiles
  try {
    files = openSqliteFiles(folder)
  } catch (error) {
    reply({ id: 0, ok: false, failure: failureOf(error) })
    return
  }
  const run = runner(files.database)
  port.on('message', (request: SqliteRequest) => {
    try {
      if (request.kind === 'close') files.close()
      reply({ id: request.id, ok: true, ...run(request) })
    } catch (error) {
      reply({ id: request.id, ok: false, failure: failureOf(error) })
    }
    if (request.kind === 'close') port.close()
  })
  reply({ id: 0, ok: true, rows: [], changes: 0 })
}

/**
 * Where processors are short, calls come before the log that tells of them: on two busy cores 5 to 9 % more calls (measured).
 * With two more programs that take all they can get, the log still keeps up. Linux alone has a priority for each thread.
 */
function stepBack(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(thread, LOWER_PRIORITY)
  } catch {
    // Another system, or one without /proc: it works as well with the priority of all.
  }
}

interface Ran {
  readonly rows: readonly unknown[]
  readonly changes: number
}

const nothing: Ran = { rows: [], changes: 0 }

function runner(database: DatabaseSync): (request: SqliteRequest) => Ran {
  const statements = new Map<string, StatementSync>()
  const pace = new Pace()

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql)
    if (statement === undefined) {
      if (statements.size >= STATEMENTS_MAX) statements.clear()
      statement = database.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }

  function query(sql: string, parameters: readonly SqlValue[]): Ran {
    // After some failures (a full disk) SQLite has rolled back by itself, and then `rollback` is an error of its own.
    if (sql === 'rollback' && !database.isTransaction) return nothing
    const statement = prepare(sql)
    if (statement.columns().length > 0) return { rows: statement.all(...parameters), changes: 0 }
    return { rows: [], changes: Number(statement.run(...parameters).changes) }
  }

  function batch(sql: string, lines: Uint8Array, pace: Pace | undefined): Ran {
    const statement = prepare(sql)
    let changes = 0
    pace?.begin()
    database.exec('begin immediate')
    try {
      // One by one: a thousand rows that live at once would let this thread's young generation grow to its limit.
      for (const row of recordsIn<SqlValue>(lines)) {
        statement.run(...row)
        changes += 1
        pace?.step()
      }
      database.exec('commit')
    } catch (error) {
      if (database.isTransaction) database.exec('rollback')
      throw error
    }
    return { rows: [], changes }
  }

  return (request) => {
    switch (request.kind) {
      case 'query':
        return query(request.sql, request.parameters)
      case 'batch':
        return batch(request.sql, request.lines, request.unhurried ? pace : undefined)
      case 'close':
        return nothing
    }
  }
}

function failureOf(error: unknown): SqliteFailure {
  const message = error instanceof Error ? error.message : 'unknown failure'
  const resultCode =
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
  return { message, resultCode, refusesToStart: error instanceof GatewayError }
}

import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { GatewayError } from '../errors.ts'

/** `GATE` in ASCII: how our files are told from other SQLite files (https://sqlite.org/fileformat.html, offset 68). */
const APPLICATION_ID = 0x47415445
const APPLICATION_ID_OFFSET = 68
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'
/** For a reader from outside, such as the `sqlite3` shell or a backup. */
const BUSY_TIMEOUT_MS = 5_000
const SQLITE_BUSY = 5
/** CORRUPT and NOTADB. */
const DAMAGED = new Set([11, 26])

/** The open database, and the lock that keeps other processes out. */
export interface SqliteFiles {
  readonly database: DatabaseSync
  close(): void
}

/**
 * Opens `gatehouse.db` in the folder and keeps every other process out until `close`. Blocks: for the worker thread only.
 *
 * A folder that is made gets mode 700, the files 600. A file that is not ours, or damaged, is left as it is.
 *
 * @throws GatewayError `config_invalid` in words that tell the operator what to do.
 */
export function openSqliteFiles(folder: string): SqliteFiles {
  makeFolder(folder)
  const lock = takeLock(folder)
  try {
    const path = join(folder, 'gatehouse.db')
    prepareFile(path)
    refuseForeignFile(path)
    const database = openDatabase(path)
    return {
      database,
      close: () => {
        database.close()
        lock.close()
      },
    }
  } catch (error) {
    lock.close()
    throw error
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new GatewayError('config_invalid', `The data folder ${folder} cannot be made${reasonOf(error)}.`, {
      cause: error,
    })
  }
}

/**
 * An exclusive transaction on a file of its own. The operating system drops it with the process, so a crash leaves no
 * stale lock behind, and the database itself stays open to readers such as a backup.
 */
function takeLock(folder: string): DatabaseSync {
  const path = join(folder, 'gatehouse.lock')
  prepareFile(path)
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(path, { timeout: 0 })
    // Nothing is ever written to it, so its journal needs no file.
    lock.exec('pragma journal_mode = memory')
    lock.exec('begin exclusive')
    return lock
  } catch (error) {
    lock?.close()
    if (primaryCodeOf(error) !== SQLITE_BUSY) throw unusable(path, error)
    throw new GatewayError(
      'config_invalid',
      `Another Gatehouse process uses the data folder ${folder}. Stop it, or give this one a folder of its own.`,
      { cause: error },
    )
  }
}

function prepareFile(path: string): void {
  try {
    // Made before SQLite opens it, so that it is never readable by others; -wal and -shm take over its mode. A file that
    // exists is not opened here: closing it would drop this process' own locks on it (POSIX fcntl).
    if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600))
    else if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  } catch (error) {
    throw unusable(path, error)
  }
}

/** Looks at the header before SQLite does: opening somebody else's database could already change it (WAL recovery). */
function refuseForeignFile(path: string): void {
  const header = readHeader(path)
  if (header.length === 0) return
  const isSqlite = header.subarray(0, MAGIC.length).toString('latin1') === MAGIC
  const isWhole = header.length === HEADER_BYTES
  if (isSqlite && isWhole && header.readUInt32BE(APPLICATION_ID_OFFSET) === APPLICATION_ID) return
  throw new GatewayError(
    'config_invalid',
    `${path} is not a Gatehouse store, or it is damaged. Nothing was changed. Restore a backup, or give another data folder.`,
  )
}

/** The first bytes of the file; fewer where it has no more. */
function readHeader(path: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  try {
    const file = openSync(path, 'r')
    try {
      return header.subarray(0, readSync(file, header, 0, HEADER_BYTES, 0))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw unusable(path, error)
  }
}

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
    // Small tables only: a check of the records would take seconds, and a lost line there refuses nothing.
    for (const table of ['meta', 'accounts', 'workspaces', 'signing_keys']) refuseDamagedTable(database, table)
    database.exec(`pragma application_id = ${APPLICATION_ID}`)
    // FULL: a commit is on the disk before it is acknowledged, also in WAL mode (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = full')
    return database
  } catch (error) {
    database?.close()
    if (error instanceof DamagedTable || DAMAGED.has(primaryCodeOf(error) ?? 0)) throw damaged(path, error)
    throw unusable(path, error)
  }
}

/** Some of a table can no longer be read. */
class DamagedTable extends Error {}

function refuseDamagedTable(database: DatabaseSync, table: string): void {
  const exists = database.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(table)
  if (exists === undefined) return
  const [finding] = database.prepare(`pragma quick_check(${table})`).all()
  if (finding?.['quick_check'] !== 'ok') throw new DamagedTable(`the table ${table} is damaged`)
}

function damaged(path: string, cause: unknown): GatewayError {
  return new GatewayError(
    'config_invalid',
    `${path} is damaged${reasonOf(cause)}. Nothing was overwritten. Restore a backup, or give another data folder.`,
    { cause },
  )
}

/** Of another user, read-only, a folder in its place, a full disk: what the operator can change. */
function unusable(path: string, cause: unknown): GatewayError {
  return new GatewayError(
    'config_invalid',
    `${path} cannot be used${reasonOf(cause)}. Nothing was overwritten. It and its folder must be open to the user who runs Gatehouse, for reading and writing, on a disk with room.`,
    { cause },
  )
}

/** SQLite's primary result code, the low byte of the extended one (https://sqlite.org/rescode.html#pve). */
function primaryCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined
}

/** The reason as a system error or SQLite names it; those hold no content of the file. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return ` (${'code' in error && error.code !== 'ERR_SQLITE_ERROR' ? error.code : error.message})`
}

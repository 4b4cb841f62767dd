import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import * as z from 'zod'
import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import type { OauthItem, OauthItems } from './oauth-items.ts'
import { closedError, ItemTable, type MemoryItemsOptions } from './oauth-items-memory.ts'

const FILE_ROW = 'oauth_items_file'
/** What `seal` makes: version, key id, ciphertext. */
const SEALED = /^v1\.([\w-]{1,64})\.[\w-]+\s*$/

export interface FileItemsOptions extends MemoryItemsOptions {
  /** The file; made with mode 600 when it is missing, its folder with 700. */
  readonly path: string
  readonly keyring: Keyring
  /** Told what the operator should know. */
  readonly warn: (message: string) => void
}

/**
 * Items in memory and in one file, which is sealed whole with AES-256-GCM and replaced at every change: what is acknowledged is
 * on the disk. For one process and a few thousand sessions.
 *
 * A file that was sealed with another key opens no session. It is put aside, never overwritten.
 *
 * @throws GatewayError `config_invalid` when another process uses the file, when it is none of ours, damaged, or cannot be made.
 */
export async function openFileItems(options: FileItemsOptions): Promise<OauthItems> {
  const { path } = options
  await makeFolder(path)
  const lock = takeLock(path)
  try {
    const table = new ItemTable(options)
    const items = await readItems(options)
    table.apply(
      items.map((item) => ({ do: 'put', item }) as const),
      Number.NEGATIVE_INFINITY,
    )
    return new FileItems(table, lock, options)
  } catch (error) {
    lock.close()
    throw error
  }
}

class FileItems implements OauthItems {
  readonly notes = undefined
  readonly #table: ItemTable
  readonly #lock: DatabaseSync
  readonly #options: FileItemsOptions
  /** Counts the changes in memory, and those that are on the disk. */
  #changed = 0
  #written = 0
  #writing: Promise<void> | undefined
  #isClosed = false

  constructor(table: ItemTable, lock: DatabaseSync, options: FileItemsOptions) {
    this.#table = table
    this.#lock = lock
    this.#options = options
  }

  find(name: Parameters<OauthItems['find']>[0]): ReturnType<OauthItems['find']> {
    return this.#read(() => this.#table.find(name))
  }

  findBy(...[index, kind, name]: Parameters<OauthItems['findBy']>): ReturnType<OauthItems['findBy']> {
    return this.#read(() => this.#table.newest(index, kind, name))
  }

  list(listing: Parameters<OauthItems['list']>[0]): ReturnType<OauthItems['list']> {
    return this.#read(() => this.#table.list(listing))
  }

  count(...[kind, { now }]: Parameters<OauthItems['count']>): Promise<number> {
    return this.#read(() => this.#table.count(kind, now))
  }

  async apply(...[changes, { now }]: Parameters<OauthItems['apply']>): ReturnType<OauthItems['apply']> {
    this.#refuseClosed()
    const applied = this.#table.apply(changes, now)
    if (applied.ok) this.#changed += 1
    await this.#flush()
    return applied
  }

  async expire({ endedBy, limit }: Parameters<OauthItems['expire']>[0]): Promise<number> {
    this.#refuseClosed()
    const deleted = this.#table.expire(endedBy, limit)
    if (deleted > 0) this.#changed += 1
    await this.#flush()
    return deleted
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#flush().finally(() => this.#lock.close())
  }

  /**
   * What is read is on the disk. Otherwise a request could answer with what another one is about to keep, and a kill in between
   * would leave its client with tokens that nobody knows.
   */
  async #read<Result>(work: () => Result): Promise<Result> {
    this.#refuseClosed()
    await this.#flush()
    return work()
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw closedError()
  }

  /** Changes that come while the file is written go together into the next one. A write that failed is tried again by the next call. */
  async #flush(): Promise<void> {
    const wanted = this.#changed
    while (this.#written < wanted) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined
      })
      await this.#writing
    }
  }

  async #write(): Promise<void> {
    const { path, keyring } = this.#options
    const count = this.#changed
    const text = seal(keyring, FILE_ROW, JSON.stringify({ version: 1, items: [...this.#table.all()] }))
    try {
      await replaceFile(path, text)
    } catch (cause) {
      throw new GatewayError('unavailable', 'The session storage cannot be used at the moment.', { cause })
    }
    this.#written = count
  }
}

/** Whoever opens the file finds the old content or the new one whole, also after a loss of power. */
async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`
  // What a kill has left there, or a link that somebody has put there.
  await rm(unfinished, { force: true })
  const file = await open(unfinished, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
  await syncFolder(path)
}

/** A rename is on the disk once its folder is. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const text = z.string().optional()
const content = z.object({
  version: z.literal(1),
  items: z.array(
    z.object({
      ...{ kind: z.string(), id: z.string(), sealed: z.string() },
      ...{ uid: text, userCode: text, grant: text, owner: text, client: text },
      ...{ consumedAt: z.number().optional(), endsAt: z.number().optional() },
    }),
  ),
})

async function readItems({ path, keyring, warn }: FileItemsOptions): Promise<OauthItem[]> {
  if (!existsSync(path)) return []
  const sealed = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw refusal(`${path} cannot be read.`, cause)
  })
  const keyId = SEALED.exec(sealed)?.[1]
  if (keyId === undefined) {
    throw refusal(
      `${path} is no session file of Gatehouse. Nothing was changed. Give another oauth.sessionStorage.filePath.`,
    )
  }
  if (keyId !== keyring.keyId) {
    const aside = await putAside(path, keyId)
    warn(
      `Session not found: ${basename(path)} was sealed with another ENCRYPTION_KEY (key ${keyId}, given key ${keyring.keyId}), so everybody signs in again. The file was put aside as ${aside}; start with its key and move it back to use it.`,
    )
    return []
  }
  try {
    const { items } = content.parse(JSON.parse(unseal(keyring, FILE_ROW, sealed.trim())))
    return items.map(({ uid, userCode, grant, owner, client, consumedAt, endsAt, ...item }) => ({
      ...item,
      ...{ uid, userCode, grant, owner, client, consumedAt, endsAt },
    }))
  } catch (cause) {
    throw refusal(
      `${path} is damaged. Nothing was changed. Restore a backup, or move it away: everybody signs in again.`,
      cause,
    )
  }
}

async function putAside(path: string, keyId: string): Promise<string> {
  for (let number = 0; ; number += 1) {
    const aside = `${path}.key-${keyId}${number === 0 ? '' : `.${number}`}`
    if (existsSync(aside)) continue
    await rename(path, aside)
    await syncFolder(path)
    return aside
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw refusal(`The folder of ${path} cannot be made.`, cause)
  }
}

/** As for the store: an exclusive transaction on a file of its own, which the operating system ends with the process. */
function takeLock(path: string): DatabaseSync {
  const lockPath = `${path}.lock`
  let lock: DatabaseSync | undefined
  try {
    // Made before SQLite opens it, so that it is never readable by others.
    if (!existsSync(lockPath)) closeSync(openSync(lockPath, 'wx', 0o600))
    lock = new DatabaseSync(lockPath, { timeout: 0 })
    lock.exec('pragma journal_mode = memory')
    lock.exec('begin exclusive')
    return lock
  } catch (cause) {
    lock?.close()
    const problem = lock === undefined ? 'cannot be made' : 'is used by another process'
    throw refusal(`${lockPath} ${problem}. Stop that one, or give another oauth.sessionStorage.filePath.`, cause)
  }
}

function refusal(message: string, cause?: unknown): GatewayError {
  return new GatewayError('config_invalid', message, { cause })
}

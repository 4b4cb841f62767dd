import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { Kysely, sql } from 'kysely'
import { GatewayError } from '../errors.ts'
import { RecordBatch } from './record-batch.ts'
import type { Tables } from './schema.ts'
import { SqliteClient } from './sqlite-client.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import { openSqliteStore } from './sqlite-store.ts'
import { exampleRecord, exampleWorkspaceRow, storeContract } from './store-contract.ts'

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-store-'))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

storeContract('SQLite', async () => {
  const { folder } = await temporaryFolder()
  let store = await openSqliteStore({ folder })
  return {
    store,
    async reopen() {
      await store.close()
      store = await openSqliteStore({ folder })
      return store
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
})

/** The nice value of every thread of this process: proc(5), the 19th field of `stat`. */
async function threadPriorities(): Promise<readonly number[]> {
  const threads = await readdir('/proc/self/task')
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/self/task/${thread}/stat`, 'utf8')))
  return stats.map((stat) => Number(stat.replace(/^.*\) /, '').split(' ')[16]))
}

function refusal(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GatewayError)
    assert.equal(error.code, 'config_invalid')
    assert.match(error.message, words)
    return true
  }
}

suite('openSqliteStore', () => {
  const onLinux = { skip: process.platform === 'linux' ? false : 'only Linux has a priority for each thread' }
  test('works on a thread that steps back for the calls', onLinux, async () => {
    await using temporary = await temporaryFolder()
    const lowered = async () => (await threadPriorities()).filter((nice) => nice > 0).length
    const before = await lowered()
    const store = await openSqliteStore({ folder: temporary.folder })
    const after = await lowered()
    await store.close()
    assert.equal(after - before, 1)
  })

  test('makes the folder with mode 700 and every file with 600, whatever the umask', async () => {
    await using temporary = await temporaryFolder()
    const folder = join(temporary.folder, 'new', 'data')
    const umask = process.umask(0)
    const store = await openSqliteStore({ folder }).finally(() => process.umask(umask))
    await store.workspaces.insert(exampleWorkspaceRow('one'))
    assert.equal((await stat(folder)).mode & 0o777, 0o700)
    const files = await readdir(folder)
    assert.deepEqual(files.sort(), ['gatehouse.db', 'gatehouse.db-shm', 'gatehouse.db-wal', 'gatehouse.lock'])
    for (const file of files) assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600, file)
    await store.close()
  })

  test('refuses a folder that another process or another store uses, until that one closes', async () => {
    await using temporary = await temporaryFolder()
    const child = startWriter(temporary.folder)
    await once(child.lines, 'line')
    await assert.rejects(openSqliteStore(temporary), refusal(/Another Gatehouse process/))
    await child.kill()
    const store = await openSqliteStore(temporary)
    await assert.rejects(openSqliteStore(temporary), refusal(/Another Gatehouse process/))
    // The refused second store must not have dropped the first one's lock.
    const other = startWriter(temporary.folder)
    assert.notEqual(await other.exited, 0)
    await store.close()
    await (await openSqliteStore(temporary)).close()
  })

  test('refuses a file that is no database, a foreign database and a truncated one, and leaves them as they are', async () => {
    await using temporary = await temporaryFolder()
    const path = join(temporary.folder, 'gatehouse.db')
    const foreign = new DatabaseSync(path)
    foreign.exec('pragma journal_mode = wal; create table mine (a)')
    foreign.close()
    const cases = [await readFile(path), Buffer.from('my diary'), Buffer.alloc(8192, 7)]
    for (const content of cases) {
      await writeFile(path, content)
      await assert.rejects(openSqliteStore(temporary), refusal(/not a Gatehouse store/))
      assert.ok(content.equals(await readFile(path)))
    }
  })

  test('refuses a damaged store and leaves it as it is', async () => {
    await using temporary = await temporaryFolder()
    const path = join(temporary.folder, 'gatehouse.db')
    const store = await openSqliteStore(temporary)
    for (let n = 0; n < 50; n++) {
      await store.workspaces.insert(exampleWorkspaceRow(`w${n}`, { document_text: 'x'.repeat(9000) }))
    }
    await store.close()
    const whole = await readFile(path)
    const scribbled = Buffer.from(whole).fill(0xab, 4096, 4096 * 20)
    await writeFile(path, scribbled)
    await assert.rejects(openSqliteStore(temporary), refusal(/damaged/))
    assert.ok(scribbled.equals(await readFile(path)))
    await writeFile(path, whole)
    await truncate(path, 4096 * 3)
    await assert.rejects(openSqliteStore(temporary), refusal(/damaged/))
  })

  test('refuses a schema that is newer than the program and changes nothing', async () => {
    await using temporary = await temporaryFolder()
    await (await openSqliteStore(temporary)).close()
    const database = new DatabaseSync(join(temporary.folder, 'gatehouse.db'))
    database.exec(`update meta set value = '99' where key = 'schema_version'`)
    database.close()
    await assert.rejects(openSqliteStore(temporary), refusal(/newer Gatehouse \(schema 99/))
    // The refusal has let go of the lock.
    await assert.rejects(openSqliteStore(temporary), refusal(/newer Gatehouse/))
  })

  test('refuses a folder that cannot be made', async () => {
    await using temporary = await temporaryFolder()
    await writeFile(join(temporary.folder, 'file'), '')
    await assert.rejects(openSqliteStore({ folder: join(temporary.folder, 'file', 'x') }), refusal(/cannot be made/))
  })

  test('says which file it cannot use and why, and blames no other process for it', async () => {
    await using temporary = await temporaryFolder()
    const folderInPlace = (name: string) => (folder: string) => mkdir(join(folder, name), { recursive: true })
    const cases = [
      { spoil: folderInPlace('gatehouse.db'), words: /gatehouse\.db cannot be used \(EISDIR\)\. .*open to the user/ },
      {
        spoil: folderInPlace('gatehouse.lock'),
        words: /gatehouse\.lock cannot be used \(unable to open database file\)/,
      },
      {
        spoil: (folder: string) => writeFile(join(folder, 'gatehouse.lock'), 'no lock'.repeat(100)),
        words: /gatehouse\.lock cannot be used \(file is not a database\)/,
      },
    ]
    for (const [index, { spoil, words }] of cases.entries()) {
      const folder = join(temporary.folder, String(index))
      await mkdir(folder)
      await spoil(folder)
      await assert.rejects(openSqliteStore({ folder }), refusal(words))
    }
  })

  test('waits for the disk and works through a large batch without blocking the loop', async () => {
    await using temporary = await temporaryFolder()
    const store = await openSqliteStore(temporary)
    const rows = Array.from({ length: 20_000 }, (_, n) => exampleRecord(`r${n}`))
    let turns = 0
    let isDone = false
    const appended = store.records.append(RecordBatch.of(...rows)).finally(() => {
      isDone = true
    })
    while (!isDone) {
      turns += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    await appended
    assert.ok(turns > 10, `${turns} turns of the loop`)
    await store.close()
  })
})

suite('the Kysely driver', () => {
  async function openDatabase(folder: string) {
    const client = await SqliteClient.open(folder)
    const database = new Kysely<Tables>({ dialect: sqliteDialect(client) })
    await sql`create table t (a integer not null, b text) strict`.execute(database)
    const count = async () => (await sql<{ n: number }>`select count(*) as n from t`.execute(database)).rows[0]?.n
    return { client, database, count, [Symbol.asyncDispose]: () => database.destroy() }
  }

  test('rolls a failed transaction back and lets nobody else into it', async () => {
    await using temporary = await temporaryFolder()
    await using under = await openDatabase(temporary.folder)
    const inside = Promise.withResolvers<void>()
    const halfway = Promise.withResolvers<void>()
    const failing = under.database.transaction().execute(async (transaction) => {
      await sql`insert into t values (1, 'lost')`.execute(transaction)
      inside.resolve()
      await halfway.promise
      throw new Error('no')
    })
    await inside.promise
    const outside = sql`insert into t values (2, 'kept')`.execute(under.database)
    // Were the transaction open to others, the row would be in it by now, and be lost with it.
    await new Promise((resolve) => setImmediate(resolve))
    halfway.resolve()
    await assert.rejects(failing, /no/)
    await outside
    const { rows } = await sql`select * from t`.execute(under.database)
    assert.deepEqual(rows, [{ a: 2, b: 'kept' }])
  })

  test('refuses undefined, NaN and objects as parameters', async () => {
    await using temporary = await temporaryFolder()
    await using under = await openDatabase(temporary.folder)
    for (const value of [undefined, Number.NaN, {}, true, 1n]) {
      await assert.rejects(sql`insert into t values (1, ${value})`.execute(under.database), GatewayError)
    }
    await assert.rejects(
      under.client.batch('insert into t values (?, ?)', Buffer.from('[1,"a"]\n[1,{}]\n')),
      GatewayError,
    )
    assert.equal(await under.count(), 0)
  })

  test('says for the operator what the store lacks, and gives it again when there is room', async () => {
    await using temporary = await temporaryFolder()
    await using under = await openDatabase(temporary.folder)
    const insert = (size: number) => sql`insert into t values (1, ${'x'.repeat(size)})`.execute(under.database)
    await under.client.query('pragma max_page_count = 3', [])
    await assert.rejects(insert(50_000), (error) => {
      assert.ok(error instanceof GatewayError)
      assert.deepEqual([error.code, error.cause], ['unavailable', 'database or disk is full'])
      assert.doesNotMatch(error.message, /full/)
      return true
    })
    await under.client.query('pragma max_page_count = 1000', [])
    await insert(50_000)
    assert.equal(await under.count(), 1)
  })

  test('answers what was asked before it closed, and refuses what comes after', async () => {
    await using temporary = await temporaryFolder()
    await using under = await openDatabase(temporary.folder)
    const asked = under.client.query('select 1 as one', [])
    await under.client.close()
    assert.deepEqual((await asked).rows, [{ one: 1 }])
    await assert.rejects(under.count(), GatewayError)
  })
})

/** A process that inserts workspaces and prints the id of each one that was acknowledged. */
function startWriter(folder: string) {
  const code = `
    const { openSqliteStore } = await import(${JSON.stringify(new URL('./sqlite-store.ts', import.meta.url).href)})
    const { exampleRecord, exampleWorkspaceRow } = await import(${JSON.stringify(new URL('./store-contract.ts', import.meta.url).href)})
    const { RecordBatch } = await import(${JSON.stringify(new URL('./record-batch.ts', import.meta.url).href)})
    const store = await openSqliteStore({ folder: process.argv[1] })
    for (let n = 0; ; n++) {
      const id = process.pid + '-' + n
      await Promise.all([store.workspaces.insert(exampleWorkspaceRow(id)), store.records.append(RecordBatch.of(exampleRecord(id)))])
      process.stdout.write(id + '\\n')
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // Without this the child of a test believes that it is a test file.
    env: {},
  })
  const exited = once(child, 'exit').then(([status]) => status)
  const lines = createInterface({ input: child.stdout })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { lines, exited, kill }
}

test('everything acknowledged before a kill -9 is there afterwards, in five rounds', async () => {
  await using temporary = await temporaryFolder()
  const acknowledged: string[] = []
  for (let round = 1; round <= 5; round++) {
    const child = startWriter(temporary.folder)
    let isKilled = false
    for await (const id of child.lines) {
      acknowledged.push(id)
      // Pipe buffers are read to their end after the kill: those lines were acknowledged too.
      if (!isKilled && acknowledged.length >= round * 15) {
        isKilled = true
        await child.kill()
      }
    }
    const store = await openSqliteStore(temporary)
    const kept = new Set((await store.workspaces.list()).map((row) => row.id))
    const recorded = new Set((await store.records.read({ limit: 10_000 })).map((row) => row.request_id))
    for (const id of acknowledged) assert.ok(kept.has(id) && recorded.has(id), id)
    await store.close()
  }
  assert.ok(acknowledged.length >= 75)
})

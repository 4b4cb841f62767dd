import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createLog } from './log.ts'
import { readRecords } from './read-records.ts'
import type { RecordLine } from './record.ts'
import { createRecordWriter } from './write-records.ts'

function line(requestId: string, fields: Partial<RecordLine> = {}): RecordLine {
  return { requestId, kind: 'request', at: 5, durationMs: 1, outcome: 'ok', ...fields }
}

async function openStore() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-records-'))
  const store = await openSqliteStore({ folder })
  let text = ''
  const destination = { write: (piece: string) => (text += piece) }
  const log = createLog({ format: 'text', level: 'info', destination, now: () => 0 })
  return {
    store,
    log,
    said: () => text,
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

/** The store whose `append` fails while `isFailing` says so; tells of every attempt. */
function failingStore(store: Store, isFailing: () => boolean, attempted: () => void = () => {}): Store {
  return {
    ...store,
    records: {
      ...store.records,
      async append(batch, options) {
        try {
          if (isFailing()) throw new GatewayError('unavailable', 'Not now.', { cause: 'database or disk is full' })
          await store.records.append(batch, options)
        } finally {
          attempted()
        }
      },
    },
  }
}

const quiet = { flushMs: 3_600_000, retryMs: 3_600_000 }
const ids = (lines: readonly RecordLine[]) => lines.map((one) => one.requestId).join(' ')

suite('createRecordWriter', () => {
  test('gives back every field of a line, in the order in which lines ended', async () => {
    await using under = await openStore()
    const writer = createRecordWriter(under.store, under.log, quiet)
    const full: Required<RecordLine> = {
      ...line('full', { kind: 'login', outcome: 'failed', code: 'login_failed', detail: 'd', arguments: '{}' }),
      ...{
        code: 'login_failed',
        detail: 'd',
        arguments: '{}',
        workspaceId: 'w1',
        workspace: 'shop',
        method: 'POST /l',
      },
      ...{ tool: 't', issuer: 'i', subject: 's', client: 'c', session: 'x', protocolVersion: 'p', clientAddress: 'a' },
      ...{ status: 502, upstreamStatus: 401, upstreamMs: 2.5 },
    }
    writer.write(full)
    writer.write(line('second'))
    const [first, second] = await readRecords(under.store, {}, writer)
    assert.deepEqual(first, { seq: 1, ...full })
    assert.equal(second?.requestId, 'second')
    assert.equal(second?.code, undefined)
    await writer.close()
  })

  test('stores a line within the flush time, and a full batch at once', async () => {
    await using under = await openStore()
    const attempts = new PassThrough({ objectMode: true })
    const store = failingStore(
      under.store,
      () => false,
      () => attempts.write('append'),
    )
    const soon = createRecordWriter(store, under.log, { flushMs: 1 })
    soon.write(line('soon'))
    await once(attempts, 'data')
    assert.equal(ids(await readRecords(under.store, {})), 'soon')
    const batched = createRecordWriter(store, under.log, quiet)
    const appended = once(attempts, 'data')
    for (let n = 0; n < 500; n++) batched.write(line(`r${n}`))
    await appended
    assert.equal((await readRecords(under.store, { limit: 5000 })).length, 501)
  })

  test('keeps lines in order while the store fails, says so once, and stores them afterwards', async () => {
    await using under = await openStore()
    let isFailing = true
    const store = failingStore(under.store, () => isFailing)
    const writer = createRecordWriter(store, under.log, quiet)
    for (const id of ['a', 'b', 'c']) {
      writer.write(line(id))
      await writer.flush()
    }
    assert.equal(under.said().match(/cannot be stored/g)?.length, 1)
    isFailing = false
    await writer.flush()
    assert.equal(ids(await readRecords(under.store, {})), 'a b c')
    assert.match(under.said(), /stored again/)
    await writer.close()
  })

  test('tries again by itself after a failure', async () => {
    await using under = await openStore()
    const attempts = new PassThrough({ objectMode: true })
    let failures = 2
    const store = failingStore(
      under.store,
      () => failures-- > 0,
      () => attempts.write('append'),
    )
    const writer = createRecordWriter(store, under.log, { flushMs: 1, retryMs: 1 })
    writer.write(line('a'))
    for (let attempt = 0; attempt < 3; attempt++) await once(attempts, 'data')
    assert.equal(ids(await readRecords(under.store, {})), 'a')
  })

  test('drops the oldest when too many wait, counts them and says so', async () => {
    await using under = await openStore()
    let isFailing = true
    const store = failingStore(under.store, () => isFailing)
    const writer = createRecordWriter(store, under.log, { ...quiet, waitingMax: 1500 })
    for (let n = 0; n < 1700; n++) writer.write(line(`r${n}`))
    await writer.flush()
    assert.match(under.said(), /the oldest are dropped {2}lines=500/)
    assert.match(
      under.said(),
      /cannot be stored, they wait {2}code=unavailable {2}detail="[^"]*database or disk is full"/,
    )
    isFailing = false
    await writer.flush()
    const kept = await readRecords(under.store, { after: 0, limit: 1 })
    assert.equal(ids(kept), 'r500')
    assert.match(under.said(), /stored again {2}dropped=500/)
    await writer.close()
  })

  test('bounds what waits also while the store takes its time', async () => {
    await using under = await openStore()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const slow = { ...under.store.records, append: () => released }
    const writer = createRecordWriter({ ...under.store, records: slow }, under.log, { ...quiet, waitingMax: 1000 })
    for (let n = 0; n < 1501; n++) writer.write(line(`r${n}`))
    assert.match(under.said(), /the oldest are dropped {2}lines=500/)
    release()
    await writer.close()
  })

  test('gives the store its time, unless it falls behind or somebody waits', async () => {
    await using under = await openStore()
    const hurried: boolean[] = []
    const taken = new PassThrough({ objectMode: true })
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const append: Store['records']['append'] = (_batch, { unhurried = false } = {}) => {
      hurried.push(!unhurried)
      taken.write('batch')
      return released
    }
    const writer = createRecordWriter({ ...under.store, records: { ...under.store.records, append } }, under.log, quiet)
    for (let n = 0; n < 6 * 500; n++) writer.write(line(`r${n}`))
    for (let batch = 1; batch <= 6; batch++) {
      await once(taken, 'data')
      release()
    }
    assert.deepEqual(hurried.splice(0), [false, true, false, false, false, false])
    writer.write(line('awaited'))
    await writer.flush()
    assert.deepEqual(hurried, [true])
    await writer.close()
  })

  test('bounds what waits by its size, too: long lines are dropped before there are many', async () => {
    await using under = await openStore()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const slow = { ...under.store.records, append: () => released }
    const writer = createRecordWriter({ ...under.store, records: slow }, under.log, quiet)
    const long = 'x'.repeat(500)
    const fields = { arguments: 'a'.repeat(2000), tool: long, method: long, issuer: long, subject: long, client: long }
    for (let n = 0; n < 30_000; n++) writer.write(line(`r${n}`, fields))
    assert.match(under.said(), /the oldest are dropped {2}lines=\d{2,3}\n/)
    release()
    await writer.close()
  })

  test('loses a line that the store refuses for what it is, not the ones after it', async () => {
    await using under = await openStore()
    const writer = createRecordWriter(under.store, under.log, quiet)
    writer.write(line('bad', { status: 1.5 }))
    await writer.flush()
    writer.write(line('odd', { durationMs: Number.NaN, upstreamMs: Number.POSITIVE_INFINITY }))
    assert.equal(ids(await readRecords(under.store, {}, writer)), 'odd')
    assert.match(under.said(), /refused by the store {2}code=internal {2}detail="[^"]*records\.status" {2}lines=1/)
    await writer.close()
  })

  test('cuts what a stranger made long', async () => {
    await using under = await openStore()
    const writer = createRecordWriter(under.store, under.log, quiet)
    writer.write(line('r', { tool: 't'.repeat(9000), arguments: 'a'.repeat(2000), session: 's'.repeat(9000) }))
    const [kept] = await readRecords(under.store, {}, writer)
    assert.deepEqual([kept?.tool?.length, kept?.arguments?.length, kept?.session?.length], [500, 2000, 500])
    await writer.close()
  })

  test('keeps the newest lines in the store and deletes the oldest', async () => {
    await using under = await openStore()
    const writer = createRecordWriter(under.store, under.log, { ...quiet, keptMax: 10 })
    for (let n = 0; n < 10_000; n++) writer.write(line(`r${n}`))
    const kept = await readRecords(under.store, { limit: 1000 }, writer)
    assert.equal(kept.length, 10)
    assert.equal(kept.at(-1)?.requestId, 'r9999')
    await writer.close()
  })

  test('stores what waits when it closes, takes nothing later, and says what is lost', async () => {
    await using under = await openStore()
    const writer = createRecordWriter(under.store, under.log, quiet)
    writer.write(line('last'))
    await writer.close()
    await writer.close()
    writer.write(line('late'))
    assert.equal(ids(await readRecords(under.store, {}, writer)), 'last')
    const losing = createRecordWriter(
      failingStore(under.store, () => true),
      under.log,
      quiet,
    )
    losing.write(line('lost'))
    await losing.close()
    assert.match(under.said(), /lost at the stop {2}lines=1/)
  })
})

test('readRecords filters by every field, pages, and gives at most 1,000 lines', async () => {
  await using under = await openStore()
  const writer = createRecordWriter(under.store, under.log, quiet)
  for (let n = 1; n <= 1100; n++) writer.write(line(`r${n}`, n === 7 ? { tool: 'seven', workspaceId: 'w' } : {}))
  assert.equal((await readRecords(under.store, { limit: 9999 }, writer)).length, 1000)
  assert.equal(ids(await readRecords(under.store, { limit: 2 })), 'r1099 r1100')
  assert.equal(ids(await readRecords(under.store, { limit: 2, before: 4 })), 'r2 r3')
  assert.equal(ids(await readRecords(under.store, { limit: 2, after: 4 })), 'r5 r6')
  assert.equal(ids(await readRecords(under.store, { tool: 'seven', workspaceId: 'w', outcome: 'ok' })), 'r7')
  assert.equal(ids(await readRecords(under.store, { requestId: 'r9', kind: 'request' })), 'r9')
  assert.equal((await readRecords(under.store, {})).length, 100)
  await writer.close()
})

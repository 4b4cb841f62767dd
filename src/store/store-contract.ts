import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import { auditContract } from './audit-contract.ts'
import { checkKey } from './check-key.ts'
import { issuedContract } from './issued-contract.ts'
import { peopleContract } from './people-contract.ts'
import { RecordBatch } from './record-batch.ts'
import type { NewRecordRow, WorkspaceRow } from './schema.ts'
import type { Store } from './store.ts'

/** What the contract needs of an engine. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store
  /** Closes the store and opens it again on what it kept. */
  reopen(): Promise<Store>
}

/** A workspace row with every column set. */
export function exampleWorkspaceRow(id: string, changes: Partial<WorkspaceRow> = {}): WorkspaceRow {
  return {
    id,
    account_id: 'account',
    slug: `slug-${id}`,
    name: `Name of ${id}`,
    kept_by: 'api',
    reach: 'person',
    sealed_settings: 'v1.key.settings',
    tools: '"reads"',
    sealed_document_url: 'v1.key.url',
    document_text: '{"openapi":"3.1.0"}',
    document_imported_at: 3,
    created_at: 1,
    updated_at: 2,
    ...changes,
  }
}

/** A record row with every column set. */
export function exampleRecord(requestId: string, changes: Partial<NewRecordRow> = {}): NewRecordRow {
  return {
    request_id: requestId,
    kind: 'request',
    at: 1_700_000_000_000,
    duration_ms: 1.25,
    outcome: 'failed',
    code: 'upstream_timeout',
    detail: 'no answer',
    workspace_id: 'w1',
    workspace: 'shop',
    method: 'tools/call',
    tool: 'listItems',
    arguments: '{"a":1}',
    issuer: 'https://idp.example',
    subject: 'admin',
    client: 'claude/1.0',
    session: 's1',
    protocol_version: '2025-06-18',
    client_address: '192.0.2.1',
    status: 200,
    upstream_status: 504,
    upstream_ms: 0.5,
    ...changes,
  }
}

/** Holds an engine to what `store.ts` promises. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  suite(`${name} keeps the contract of a store:`, () => {
    metaContract(open)
    peopleContract(open)
    workspaceContract(open)
    recordContract(open)
    auditContract(open)
    keyContract(open)
    issuedContract(open)

    test('a closed store refuses everything as unavailable, and closes twice', async () => {
      await using under = await open()
      await under.store.close()
      await under.store.close()
      await assert.rejects(under.store.workspaces.list(), hasCode('unavailable'))
      await assert.rejects(under.store.records.append(RecordBatch.of(exampleRecord('r'))), hasCode('unavailable'))
    })
  })
}

function metaContract(open: () => Promise<StoreUnderTest>): void {
  test('the first value of a key stands, also after a restart', async () => {
    await using under = await open()
    assert.equal(await under.store.meta.find('color'), undefined)
    assert.equal(await under.store.meta.keepFirst('color', 'red'), 'red')
    assert.equal(await under.store.meta.keepFirst('color', 'blue'), 'red')
    const again = await under.reopen()
    assert.equal(await again.meta.find('color'), 'red')
  })

  test('the installation id is made once', async () => {
    await using under = await open()
    const id = await under.store.meta.find('installation_id')
    assert.match(id ?? '', /^[a-z2-7]{16}$/)
    assert.equal(await (await under.reopen()).meta.find('installation_id'), id)
  })
}

function workspaceContract(open: () => Promise<StoreUnderTest>): void {
  test('a workspace comes back column by column after a restart', async () => {
    await using under = await open()
    const full = exampleWorkspaceRow('one')
    const bare = exampleWorkspaceRow('two', {
      sealed_document_url: null,
      document_text: null,
      document_imported_at: null,
      created_at: 9,
    })
    await under.store.workspaces.insert(bare)
    await under.store.workspaces.insert(full)
    assert.deepEqual(await (await under.reopen()).workspaces.list(), [full, bare])
  })

  test('a slug that is taken in its account, or an id, is a conflict and changes nothing', async () => {
    await using under = await open()
    const row = exampleWorkspaceRow('one')
    await under.store.workspaces.insert(row)
    await assert.rejects(
      under.store.workspaces.insert(exampleWorkspaceRow('two', { slug: row.slug })),
      hasCode('conflict'),
    )
    await assert.rejects(
      under.store.workspaces.insert(exampleWorkspaceRow('one', { slug: 'new' })),
      hasCode('conflict'),
    )
    assert.deepEqual(await under.store.workspaces.list(), [row])
    // Another account may call one of its own so: nobody can feel for the names of others.
    const theirs = exampleWorkspaceRow('two', { slug: row.slug, account_id: 'another' })
    await under.store.workspaces.insert(theirs)
    assert.deepEqual(await under.store.workspaces.list(), [row, theirs])
  })

  test('an update changes its row only, and neither account, slug nor creation time', async () => {
    await using under = await open()
    const [one, two] = [exampleWorkspaceRow('one'), exampleWorkspaceRow('two')]
    await under.store.workspaces.insert(one)
    await under.store.workspaces.insert(two)
    const change = { ...one, name: 'New', document_text: null, slug: 'stolen', account_id: 'another', created_at: 77 }
    assert.equal(await under.store.workspaces.update(change), true)
    const expected = { ...change, slug: one.slug, account_id: one.account_id, created_at: one.created_at }
    assert.deepEqual(await under.store.workspaces.list(), [expected, two])
    assert.equal(await under.store.workspaces.update(exampleWorkspaceRow('none')), false)
  })

  test('a deleted workspace is gone, once', async () => {
    await using under = await open()
    await under.store.workspaces.insert(exampleWorkspaceRow('one'))
    assert.equal(await under.store.workspaces.delete('one'), true)
    assert.equal(await under.store.workspaces.delete('one'), false)
    assert.deepEqual(await under.store.workspaces.list(), [])
  })
}

function recordContract(open: () => Promise<StoreUnderTest>): void {
  test('records come back column by column, in the order in which they were appended', async () => {
    await using under = await open()
    const full = exampleRecord('r1')
    const bare: NewRecordRow = {
      ...exampleRecord('r2', { kind: 'login', outcome: 'ok', code: null, detail: null, workspace_id: null }),
      ...{ workspace: null, method: null, tool: null, arguments: null, issuer: null, subject: null, client: null },
      ...{ session: null, protocol_version: null, client_address: null, status: null, upstream_status: null },
      upstream_ms: null,
    }
    await under.store.records.append(RecordBatch.of(full, bare))
    const rows = await (await under.reopen()).records.read({ limit: 10 })
    assert.deepEqual(rows, [
      { seq: 1, ...full, account_id: null },
      { seq: 2, ...bare, account_id: null },
    ])
  })

  test('a line is kept with the account of its workspace, and read by it, also when the workspace is gone', async () => {
    await using under = await open()
    const { records, workspaces } = under.store
    await workspaces.insert(exampleWorkspaceRow('w1', { account_id: 'ours' }))
    await workspaces.insert(exampleWorkspaceRow('w2', { account_id: 'theirs' }))
    const none = exampleRecord('c', { workspace_id: null })
    await records.append(
      RecordBatch.of(exampleRecord('a'), exampleRecord('b', { workspace_id: 'w2' }), none, exampleRecord('d')),
    )
    await workspaces.delete('w1')
    const ids = async (accountId: string) =>
      (await records.read({ accountId, limit: 9 })).map((row) => row.request_id).join('')
    assert.deepEqual([await ids('ours'), await ids('theirs'), await ids('')], ['ad', 'b', ''])
  })

  test('a batch with a bad row is refused whole', async () => {
    await using under = await open()
    const rows = [exampleRecord('good'), exampleRecord('bad', { at: 1.5 })]
    await assert.rejects(under.store.records.append(RecordBatch.of(...rows)), hasCode('internal'))
    await assert.rejects(
      under.store.records.append(RecordBatch.of(exampleRecord('bad', { at: Number.NaN }))),
      hasCode('internal'),
    )
    assert.deepEqual(await under.store.records.read({ limit: 10 }), [])
    await under.store.records.append(RecordBatch.of(exampleRecord('next')))
    assert.equal((await under.store.records.read({ limit: 10 })).length, 1)
  })

  test('reading gives the newest, pages backwards and forwards, and filters', async () => {
    await using under = await open()
    const records = under.store.records
    await records.append(RecordBatch.of())
    await records.append(
      RecordBatch.of(
        exampleRecord('a'),
        exampleRecord('b', { workspace_id: 'w2', tool: 'other' }),
        exampleRecord('c', { kind: 'login', outcome: 'ok' }),
        exampleRecord('d'),
      ),
    )
    const ids = async (filter: Parameters<typeof records.read>[0]) =>
      (await records.read(filter)).map((row) => row.request_id).join('')
    assert.equal(await ids({ limit: 2 }), 'cd')
    assert.equal(await ids({ limit: 2, before: 3 }), 'ab')
    assert.equal(await ids({ limit: 2, after: 1 }), 'bc')
    assert.equal(await ids({ limit: 9, after: 1, before: 4 }), 'bc')
    assert.equal(await ids({ limit: 9, workspaceId: 'w1' }), 'acd')
    assert.equal(await ids({ limit: 9, kind: 'login' }), 'c')
    assert.equal(await ids({ limit: 9, outcome: 'failed', tool: 'listItems' }), 'ad')
    assert.equal(await ids({ limit: 9, requestId: 'd' }), 'd')
    assert.equal(await ids({ limit: 9, tool: `x' or '1'='1` }), '')
  })

  test('trimming keeps the newest, and a place in the order is never given twice', async () => {
    await using under = await open()
    await under.store.records.append(RecordBatch.of(exampleRecord('a'), exampleRecord('b'), exampleRecord('c')))
    assert.equal(await under.store.records.trim({ keep: 2 }), 1)
    assert.equal(await under.store.records.trim({ keep: 0 }), 2)
    assert.equal(await under.store.records.trim({ keep: 0 }), 0)
    await under.store.records.append(RecordBatch.of(exampleRecord('d')))
    assert.deepEqual(
      (await under.store.records.read({ limit: 10 })).map((row) => row.seq),
      [4],
    )
  })
}

function keyContract(open: () => Promise<StoreUnderTest>): void {
  test('another ENCRYPTION_KEY than the first refuses to start, and the first still opens', async () => {
    await using under = await open()
    const [first, other] = [createKeyring('first-'.repeat(8)), createKeyring('other-'.repeat(8))]
    await checkKey(under.store, first)
    await checkKey(under.store, first)
    const again = await under.reopen()
    await assert.rejects(checkKey(again, other), (error) => {
      assert.ok(error instanceof GatewayError)
      assert.equal(error.code, 'config_invalid')
      assert.match(error.message, /ENCRYPTION_KEY/)
      assert.ok(!error.message.includes('other-'))
      return true
    })
    // The same short id is not enough: the canary has to open.
    await assert.rejects(checkKey(again, { ...other, keyId: first.keyId }), hasCode('config_invalid'))
    await checkKey(again, first)
  })
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

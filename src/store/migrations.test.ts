import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { statementsUpTo } from './migrations.ts'
import { openSqliteStore } from './sqlite-store.ts'
import { exampleWorkspaceRow } from './store-contract.ts'

/** What the first release wrote, and its mark in the header ("GATE"). */
const SCHEMA_1 = [
  'create table meta (key text primary key not null, value text not null) strict',
  `create table workspaces (id text primary key not null, slug text not null unique, name text not null,
    kept_by text not null check (kept_by in ('file', 'api')), reach text not null check (reach in ('operator', 'person')),
    sealed_settings text not null, tools text not null, sealed_document_url text, document_text text,
    document_imported_at integer, created_at integer not null, updated_at integer not null) strict`,
  `create table records (seq integer primary key autoincrement, request_id text not null, kind text not null,
    at integer not null, duration_ms real not null, outcome text not null, code text, detail text, workspace_id text,
    workspace text, method text, tool text, arguments text, issuer text, subject text, client text, session text,
    protocol_version text, client_address text, status integer, upstream_status integer, upstream_ms real) strict`,
  `insert into meta values ('schema_version', '1'), ('installation_id', 'abcdefghijklmnop'), ('key_id', 'k')`,
  `insert into workspaces values ('one', 'slug-one', 'Name of one', 'api', 'person', 'v1.key.settings', '"reads"',
    'v1.key.url', '{"openapi":"3.1.0"}', 3, 1, 2)`,
  `insert into records (request_id, kind, at, duration_ms, outcome) values ('r1', 'request', 1, 2, 'ok')`,
]

/** What the second release may have written. */
const SCHEMA_4_ROWS = [
  `insert into meta values ('schema_version', '4')`,
  `insert into workspaces (id, account_id, slug, name, kept_by, reach, sealed_settings, tools, created_at, updated_at)
    values ('one', (select id from accounts), 'slug-one', 'One', 'api', 'person', 's', '"reads"', 1, 2)`,
  `insert into issued (id, account_id, kind, description, subject, scopes, preview, key_hash, created_at)
    values ('t', (select id from accounts), 'key', 'd', 's', '', 'p', 'h', 1)`,
  `insert into issued_workspaces values ('t', 'one', 1)`,
  `insert into records (request_id, kind, at, duration_ms, outcome, workspace_id)
    values ('r1', 'request', 1, 2, 'ok', 'one'), ('r2', 'request', 1, 2, 'ok', 'gone'),
    ('r3', 'request', 1, 2, 'failed', null)`,
  `insert into audit (seq, at, action, outcome, actor, detail, count, previous_hash, hash)
    values (1, 1, 'audit.started', 'ok', 'system', '[]', 1, '', 'h')`,
]

suite('a data folder of an older release', () => {
  test('is brought up to date once, with everything that was in it, and its workspaces in one account', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-old-'))
    try {
      const fresh = await openSqliteStore({ folder: join(folder, 'fresh') })
      await fresh.close()
      const newest = new DatabaseSync(join(folder, 'fresh', 'gatehouse.db'))
      const mark = newest.prepare('pragma application_id').get()?.['application_id']
      newest.close()
      const old = new DatabaseSync(join(folder, 'gatehouse.db'))
      for (const statement of SCHEMA_1) old.exec(statement)
      old.exec(`pragma application_id = ${Number(mark)}`)
      old.close()
      for (let start = 0; start < 2; start += 1) {
        const store = await openSqliteStore({ folder })
        const [account, ...more] = await store.accounts.list()
        assert.deepEqual([account?.slug, more], ['default', []])
        assert.deepEqual(await store.workspaces.list(), [exampleWorkspaceRow('one', { account_id: account?.id ?? '' })])
        assert.equal((await store.records.read({ limit: 9 })).length, 1)
        assert.equal(await store.meta.find('installation_id'), 'abcdefghijklmnop')
        assert.deepEqual(await store.issued.page({ after: '', limit: 9 }), [])
        await store.close()
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('keeps what its credentials open, its records and a chain that still verifies', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-old-'))
    try {
      const fresh = await openSqliteStore({ folder: join(folder, 'fresh') })
      await fresh.close()
      const newest = new DatabaseSync(join(folder, 'fresh', 'gatehouse.db'))
      const mark = newest.prepare('pragma application_id').get()?.['application_id']
      newest.close()
      const old = new DatabaseSync(join(folder, 'gatehouse.db'))
      for (const statement of statementsUpTo(4)) old.exec(statement)
      for (const statement of SCHEMA_4_ROWS) old.exec(statement)
      old.exec(`pragma application_id = ${Number(mark)}`)
      old.close()
      const store = await openSqliteStore({ folder })
      const [account] = await store.accounts.list()
      const accountId = account?.id ?? ''
      assert.deepEqual(await store.issued.workspacesOf(['t']), [{ issued_id: 't', workspace_id: 'one', is_default: 1 }])
      const opened = await store.issued.list({ accountId, kind: 'key', workspaceId: 'one', limit: 9 })
      assert.deepEqual(
        opened.map(({ id }) => id),
        ['t'],
      )
      const records = await store.records.read({ accountId, limit: 9 })
      assert.deepEqual(
        records.map(({ request_id }) => request_id),
        ['r1', 'r2'],
      )
      const lines = await store.audit.read({ limit: 9 })
      assert.deepEqual([lines[0]?.account_id, lines[0]?.actor_name, lines[0]?.hash], [null, null, 'h'])
      // What refers to a workspace goes on doing so: deleting it takes the opening along.
      await store.workspaces.delete('one')
      assert.deepEqual(await store.issued.workspacesOf(['t']), [])
      await store.close()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

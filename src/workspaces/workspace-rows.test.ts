import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { seal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { GUARDED } from './access-settings.ts'
import { inboundAuthSettings, upstreamSettings } from './settings.ts'
import type { Workspace } from './workspace.ts'
import { createWorkspaceRows } from './workspace-rows.ts'

const keyring = createKeyring('k'.repeat(40))
const CANARY = 'canary-6f1d'

const bare: Workspace = {
  accountId: 'account',
  id: 'a'.repeat(16),
  slug: 'bare',
  name: 'Bare',
  keptBy: 'file',
  reach: 'operator',
  inbound: undefined,
  access: GUARDED,
  rateLimiting: undefined,
  upstream: upstreamSettings.parse({}),
  params: {},
  tools: 'reads',
  document: undefined,
  createdAt: 1,
  updatedAt: 1,
}

/** Every field that may hold a secret holds the canary. */
const full: Workspace = {
  ...bare,
  id: 'b'.repeat(16),
  slug: 'full',
  keptBy: 'api',
  reach: 'person',
  inbound: inboundAuthSettings.parse({
    authType: 'jwt',
    jwt: { secret: `${CANARY}-inbound-secret-of-32-characters`, issuer: 'https://idp.example' },
  }),
  upstream: upstreamSettings.parse({
    baseUrl: `https://user:${CANARY}@api.example/v1`,
    auth: { type: 'bearer', token: `${CANARY}-token`, login: { body: { password: `${CANARY}-body` } } },
    headers: { 'X-Key': `${CANARY}-header` },
  }),
  params: { password: `${CANARY}-param` },
  tools: ['listItems'],
  document: { url: `https://api.example/openapi.json?key=${CANARY}`, text: '{"openapi":"3.1.0"}', importedAt: 5 },
  createdAt: 2,
}

async function openRows() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-rows-'))
  const store = await openSqliteStore({ folder })
  return {
    folder,
    store,
    rows: createWorkspaceRows(store, keyring),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

async function rowOf(store: Awaited<ReturnType<typeof openRows>>['store'], id: string) {
  const row = (await store.workspaces.list()).find((candidate) => candidate.id === id)
  assert.ok(row)
  return row
}

suite('createWorkspaceRows', () => {
  test('gives back what was inserted and updated', async () => {
    await using under = await openRows()
    await under.rows.insert(full)
    await under.rows.insert(bare)
    assert.deepEqual(await under.rows.list(), { workspaces: [bare, full], unreadable: [] })
    const changed = { ...bare, params: { a: 'b' }, document: full.document, inbound: full.inbound, updatedAt: 9 }
    await under.rows.update(changed)
    assert.deepEqual(await under.rows.list(), { workspaces: [changed, full], unreadable: [] })
    await under.rows.delete(bare.id)
    assert.deepEqual(await under.rows.list(), { workspaces: [full], unreadable: [] })
  })

  test('keeps the settings of a workspace that is open to everybody', async () => {
    await using under = await openRows()
    const open = { ...bare, inbound: inboundAuthSettings.parse({ authType: 'none' }) }
    await under.rows.insert(open)
    assert.deepEqual(await under.rows.list(), { workspaces: [open], unreadable: [] })
  })

  test('says conflict for a slug that is taken and not_found for a workspace that is not there', async () => {
    await using under = await openRows()
    await under.rows.insert(full)
    await assert.rejects(under.rows.insert({ ...bare, slug: 'full' }), hasCode('conflict'))
    await assert.rejects(under.rows.update(bare), hasCode('not_found'))
    await assert.rejects(under.rows.delete(bare.id), hasCode('not_found'))
  })

  test('leaves no secret readable in any file of the store (T24, T30)', async () => {
    await using under = await openRows()
    await under.rows.insert(full)
    await under.rows.update({ ...full, params: { ...full.params, other: `${CANARY}-other` } })
    const grep = async () => {
      const files = await readdir(under.folder)
      assert.ok(files.includes('gatehouse.db'))
      for (const file of files) assert.ok(!(await readFile(join(under.folder, file))).includes(CANARY), file)
      return Buffer.concat(await Promise.all(files.map((file) => readFile(join(under.folder, file)))))
    }
    // The slug is plain, so the search does look where the rows are.
    assert.ok((await grep()).includes('full'))
    await under.store.close()
    await grep()
  })

  test('opens no sealed value that was moved to another row or column (T30)', async () => {
    await using under = await openRows()
    await under.rows.insert(full)
    await under.rows.insert(bare)
    const [source, target] = [await rowOf(under.store, full.id), await rowOf(under.store, bare.id)]
    await under.store.workspaces.update({ ...target, sealed_settings: source.sealed_settings })
    const reason = 'A stored secret cannot be read.'
    const unreadable = [{ id: bare.id, slug: 'bare', reason }]
    assert.deepEqual(await under.rows.list(), { workspaces: [full], unreadable })
    await under.store.workspaces.update({ ...source, sealed_document_url: source.sealed_settings })
    assert.equal((await under.rows.list()).workspaces.length, 0)
  })

  test('names a workspace that it cannot read, without its secrets, and gives the others', async () => {
    await using under = await openRows()
    await under.rows.insert(full)
    await under.rows.insert(bare)
    const row = await rowOf(under.store, full.id)
    const cases = [
      { settings: `{"upstream":{"auth":{"type":"${CANARY}"}},"params":{}}`, reason: /not accepted: upstream\.auth/ },
      { settings: `{"upstream":{},"params":{},"${CANARY}":1}`, reason: /not accepted/ },
      { settings: `{"params":"${CANARY}`, reason: /not JSON/ },
    ]
    for (const { settings, reason } of cases) {
      const sealed = seal(keyring, `workspace:${full.id}:settings`, settings)
      await under.store.workspaces.update({ ...row, sealed_settings: sealed })
      const { workspaces, unreadable } = await under.rows.list()
      assert.deepEqual(workspaces, [bare])
      assert.equal(unreadable[0]?.slug, 'full')
      assert.match(unreadable[0]?.reason ?? '', reason)
      assert.ok(!JSON.stringify(unreadable).includes(CANARY))
    }
    const withOtherKey = createWorkspaceRows(under.store, createKeyring('o'.repeat(40)))
    assert.equal((await withOtherKey.list()).unreadable.length, 2)
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { IssuedRow, SigningKeyRow } from './schema.ts'
import type { Store } from './store.ts'
import { exampleWorkspaceRow, type StoreUnderTest } from './store-contract.ts'

/** A token's row with every column set that a token has. */
export function exampleIssuedRow(id: string, changes: Partial<IssuedRow> = {}): IssuedRow {
  return {
    id,
    account_id: 'set by whoever inserts it',
    kind: 'token',
    description: `What ${id} is for`,
    subject: 'ada',
    scopes: 'mcp mcp:call',
    preview: 'eyJhbG…abcd',
    key_hash: null,
    signing_kid: 'k1',
    created_at: 10,
    expires_at: 1000,
    last_used_at: null,
    revoked_at: null,
    ...changes,
  }
}

/** Holds an engine to what `store.ts` promises of signing keys and issued credentials. */
export function issuedContract(open: () => Promise<StoreUnderTest>): void {
  signingKeyContract(open)
  credentialContract(open)
  openingContract(open)

  test('until when a signing key is needed follows from the tokens that are not revoked', async () => {
    await using under = await open()
    const insert = inserter(under.store)
    await insert('a', { signing_kid: 'k1', expires_at: 5 })
    await insert('b', { signing_kid: 'k1', expires_at: 9 })
    await insert('c', { signing_kid: 'k2', expires_at: 7 })
    await insert('d', { signing_kid: 'k2', expires_at: null })
    await insert('e', { signing_kid: 'k3', expires_at: null, revoked_at: 1 })
    await insert('f', { kind: 'key', key_hash: 'h', signing_kid: null })
    const needs = await under.store.issued.needsOfKeys()
    assert.deepEqual(
      new Map(needs.map(({ kid, until }) => [kid, until])),
      new Map([
        ['k1', 9],
        ['k2', null],
      ]),
    )
  })

  test('session tokens that have ended are deleted, and nothing else is', async () => {
    await using under = await open()
    const insert = inserter(under.store)
    await insert('old', { kind: 'session', expires_at: 5 })
    await insert('new', { kind: 'session', expires_at: 50 })
    await insert('token', { expires_at: 5 })
    assert.equal(await under.store.issued.deleteSessions({ endedBy: 10 }), 1)
    assert.deepEqual(ids(await under.store.issued.page({ after: '', limit: 9 })), ['new', 'token'])
  })
}

function signingKeyContract(open: () => Promise<StoreUnderTest>): void {
  const key = (kid: string, created_at: number): SigningKeyRow => ({
    kid,
    public_jwk: `{"kid":"${kid}"}`,
    sealed_private_jwk: 'v1.key.private',
    created_at,
    retired_at: null,
  })

  test('a new signing key retires the one before, whose private half is gone', async () => {
    await using under = await open()
    await under.store.signingKeys.replace(key('k1', 1), 1)
    await under.store.signingKeys.replace(key('k2', 2), 2)
    const again = await under.reopen()
    const retired = { ...key('k1', 1), sealed_private_jwk: null, retired_at: 2 }
    assert.deepEqual(await again.signingKeys.list(), [retired, key('k2', 2)])
    await again.signingKeys.delete('k1')
    assert.deepEqual(await again.signingKeys.list(), [key('k2', 2)])
  })
}

function credentialContract(open: () => Promise<StoreUnderTest>): void {
  test('an issued credential comes back column by column after a restart, in pages and lists', async () => {
    await using under = await open()
    const insert = inserter(under.store)
    const token = await insert('b', { expires_at: null, last_used_at: 3, revoked_at: 4, created_at: 1 })
    const older = await insert('c', { created_at: 0 })
    const key = await insert('a', { kind: 'key', key_hash: 'hash', signing_kid: null })
    const { issued } = await under.reopen()
    const { account_id: accountId } = token
    assert.deepEqual(await issued.page({ after: '', limit: 2 }), [key, token])
    assert.deepEqual(await issued.page({ after: 'b', limit: 2 }), [older])
    assert.deepEqual(await issued.list({ accountId, kind: 'token', limit: 9 }), [token, older])
    assert.deepEqual(await issued.list({ accountId, kind: 'token', limit: 1 }), [token])
    assert.deepEqual(await issued.list({ accountId: 'another', kind: 'token', limit: 9 }), [])
    assert.deepEqual(await issued.find('a'), key)
    assert.equal(await issued.find('z'), undefined)
  })

  test('an id or a hash that is taken is a conflict and opens nothing', async () => {
    await using under = await open()
    await under.store.workspaces.insert(exampleWorkspaceRow('w'))
    const insert = inserter(under.store)
    await insert('a', { kind: 'key', key_hash: 'hash', signing_kid: null })
    const again = { ...exampleIssuedRow('b'), kind: 'key', key_hash: 'hash', signing_kid: null } as const
    const opens = [{ workspace_id: 'w', is_default: 0 }] as const
    await assert.rejects(insert('a', {}), hasCode('conflict'))
    await assert.rejects(
      under.store.issued.insert({ ...again, account_id: await accountOf(under.store) }, opens),
      hasCode('conflict'),
    )
    assert.deepEqual(await under.store.issued.workspacesOf(['a', 'b']), [])
  })

  test('a key without a hash and a token without a signing key are refused', async () => {
    await using under = await open()
    const insert = inserter(under.store)
    await assert.rejects(insert('a', { kind: 'key', signing_kid: null }), hasCode('internal'))
    await assert.rejects(insert('b', { signing_kid: null }), hasCode('internal'))
    await assert.rejects(insert('c', { key_hash: 'hash' }), hasCode('internal'))
  })

  test('the first revocation stands', async () => {
    await using under = await open()
    await inserter(under.store)('a')
    assert.equal(await under.store.issued.revoke('a', 5), true)
    assert.equal(await under.store.issued.revoke('a', 6), true)
    assert.equal((await (await under.reopen()).issued.find('a'))?.revoked_at, 5)
    assert.equal(await under.store.issued.revoke('z', 5).catch(() => false), false)
  })

  test('the latest use is kept, in whatever order uses come', async () => {
    await using under = await open()
    const insert = inserter(under.store)
    await insert('a')
    await insert('b', { last_used_at: 50 })
    const { issued } = under.store
    await issued.use([])
    await issued.use([
      { id: 'a', at: 7 },
      { id: 'a', at: 6 },
      { id: 'b', at: 49 },
      { id: 'gone', at: 1 },
    ])
    assert.deepEqual([(await issued.find('a'))?.last_used_at, (await issued.find('b'))?.last_used_at], [7, 50])
  })
}

function openingContract(open: () => Promise<StoreUnderTest>): void {
  test('what a credential opens is kept with it, changes, and leaves with the workspace', async () => {
    await using under = await open()
    const { issued, workspaces } = under.store
    for (const id of ['v', 'w', 'x']) await workspaces.insert(exampleWorkspaceRow(id))
    const insert = inserter(under.store)
    const { account_id: accountId } = await insert('a', {}, ['v', 'w'])
    await insert('b', {}, ['w'])
    const opens = async (id: string) => (await issued.workspacesOf([id])).map((row) => row.workspace_id)
    assert.deepEqual(await opens('a'), ['v', 'w'])
    await issued.associate({ issued_id: 'a', workspace_id: 'x', is_default: 0 })
    await issued.associate({ issued_id: 'a', workspace_id: 'x', is_default: 0 })
    assert.equal(await issued.dissociate({ issued_id: 'a', workspace_id: 'v' }), true)
    assert.equal(await issued.dissociate({ issued_id: 'a', workspace_id: 'v' }), false)
    assert.deepEqual(await opens('a'), ['w', 'x'])
    assert.deepEqual(ids(await issued.list({ accountId, kind: 'token', workspaceId: 'w', limit: 9 })), ['a', 'b'])
    await workspaces.delete('w')
    assert.deepEqual([await opens('a'), await opens('b')], [['x'], []])
    await assert.rejects(issued.associate({ issued_id: 'a', workspace_id: 'nowhere', is_default: 0 }))
    await assert.rejects(insert('c', {}, ['nowhere']))
    assert.equal(await issued.find('c'), undefined)
  })

  test('a workspace has one default at most: the newest', async () => {
    await using under = await open()
    const { issued, workspaces } = under.store
    await workspaces.insert(exampleWorkspaceRow('w'))
    const insert = inserter(under.store)
    await insert('a')
    await insert('b')
    await issued.associate({ issued_id: 'a', workspace_id: 'w', is_default: 1 })
    await issued.associate({ issued_id: 'b', workspace_id: 'w', is_default: 1 })
    await issued.associate({ issued_id: 'b', workspace_id: 'w', is_default: 0 })
    const rows = await issued.workspacesOf(['a', 'b'])
    assert.deepEqual(
      rows.map(({ issued_id, is_default }) => [issued_id, is_default]),
      [
        ['a', 0],
        ['b', 1],
      ],
    )
  })
}

/** Inserts a row of the store's own account and gives it back as it was inserted. */
function inserter(store: Store) {
  return async (id: string, changes: Partial<IssuedRow> = {}, opens: readonly string[] = []): Promise<IssuedRow> => {
    const row = exampleIssuedRow(id, { account_id: await accountOf(store), ...changes })
    await store.issued.insert(
      row,
      opens.map((workspace_id) => ({ workspace_id, is_default: 0 })),
    )
    return row
  }
}

async function accountOf(store: Store): Promise<string> {
  const [account] = await store.accounts.list()
  return account?.id ?? ''
}

function ids(rows: readonly IssuedRow[]): readonly string[] {
  return rows.map(({ id }) => id)
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

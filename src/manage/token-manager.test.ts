import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { defaultAccount } from '../accounts/account.ts'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { exampleWorkspaceRow } from '../store/store-contract.ts'
import { IssuedIndex } from '../tokens/revocation.ts'
import { SigningKeys } from '../tokens/signing-keys.ts'
import { Uses } from '../tokens/uses.ts'
import { createSetup, settingsOf } from './manage.test-support.ts'
import { type IssueRequest, TokenManager } from './token-manager.ts'

const NOW = 1_800_000_000_500

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-issue-'))
  const store = await openSqliteStore({ folder })
  const { manager } = createSetup()
  const workspace = await manager.create(settingsOf({ name: 'Shop' }), { keptBy: 'api', reach: 'operator' })
  await store.workspaces.insert(exampleWorkspaceRow(workspace.id, { slug: workspace.slug }))
  const now = () => NOW
  const index = await IssuedIndex.open(store, NOW)
  const keys = await SigningKeys.open({ store, keyring: createKeyring('k'.repeat(40)), now })
  const broken = new Set<string>()
  const notes: string[] = []
  /** The store, whose writes fail when they are named in `broken`. */
  const issued = {
    ...store.issued,
    insert: (...args: Parameters<typeof store.issued.insert>) => fails('insert') ?? store.issued.insert(...args),
    revoke: (...args: Parameters<typeof store.issued.revoke>) => fails('revoke') ?? store.issued.revoke(...args),
    associate: (...args: Parameters<typeof store.issued.associate>) =>
      fails('associate') ?? store.issued.associate(...args),
    dissociate: (...args: Parameters<typeof store.issued.dissociate>) =>
      fails('dissociate') ?? store.issued.dissociate(...args),
  }
  function fails(name: string): Promise<never> | undefined {
    if (!broken.has(name)) return undefined
    return Promise.reject(new GatewayError('unavailable', 'The store cannot be used at the moment.'))
  }
  const tokens = new TokenManager({
    store: { issued, people: store.people },
    keys,
    index,
    uses: new Uses(store, () => {}),
    account: await defaultAccount(store),
    publicUrl: () => 'https://mcp.example',
    workspace: (_accountId, reference) => manager.get(reference),
    askForCredential: ({ id }) => manager.askForCredential(id, { authType: 'none', jwt: [] }),
    change: (_event, work) => work({ issued, signingKeys: store.signingKeys }),
    now,
    note: (message) => notes.push(message),
  })
  return {
    ...{ tokens, index, broken, manager, notes, workspaceId: workspace.id, store },
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

const wanted: IssueRequest = { description: 'x', scopes: ['a', 'b'], lifetimeSeconds: 60, workspaces: ['shop'] }
const unavailable = { code: 'unavailable' }

suite('a credential', () => {
  test('that could not be stored is not in force, and the workspace is closed all the same', async () => {
    await using it = await setup()
    it.broken.add('insert')
    await assert.rejects(it.tokens.issue('token', wanted), unavailable)
    assert.equal(it.index.size, 0)
    assert.equal(it.manager.get('shop').inbound?.authType, 'jwt')
    assert.deepEqual(it.notes, [])
  })

  test('whose association could not be stored does not open the workspace', async () => {
    await using it = await setup()
    const { row } = await it.tokens.issue('token', { ...wanted, workspaces: [] })
    it.broken.add('associate')
    await assert.rejects(it.tokens.associate('token', row.id, 'shop'), unavailable)
    assert.equal(it.index.standing(row.id, it.workspaceId, NOW), 'other_workspace')
  })

  test('that was revoked or dissociated is refused although that could not be stored, and nobody is told it was', async () => {
    await using it = await setup()
    const [first, second] = [await it.tokens.issue('token', wanted), await it.tokens.issue('key', wanted)]
    it.broken.add('revoke').add('dissociate')
    const before = it.notes.length
    await assert.rejects(it.tokens.revoke('token', first.row.id), unavailable)
    await assert.rejects(it.tokens.dissociate('key', second.row.id, 'shop'), unavailable)
    assert.equal(it.index.standing(first.row.id, it.workspaceId, NOW), 'revoked')
    assert.equal(it.index.standing(second.row.id, it.workspaceId, NOW), 'other_workspace')
    assert.equal(it.notes.length, before)
  })

  test('is kept in whole seconds, as its token says it, and without its value', async () => {
    await using it = await setup()
    const { row, value, opens } = await it.tokens.issue('session', { ...wanted, subject: 'ada' })
    assert.deepEqual([row.created_at, row.expires_at], [1_800_000_000_000, 1_800_000_060_000])
    assert.deepEqual([row.subject, row.scopes, opens.map(({ workspace }) => workspace.slug)], ['ada', 'a b', ['shop']])
    assert.ok(!JSON.stringify(await it.store.issued.find(row.id)).includes(value.slice(-40)))
    const key = await it.tokens.issue('key', { ...wanted, lifetimeSeconds: Number.POSITIVE_INFINITY })
    assert.deepEqual([key.row.expires_at, key.row.subject], [null, `key:${key.row.id}`])
  })

  test('for a workspace that is not there is refused before anything is done', async () => {
    await using it = await setup()
    await assert.rejects(it.tokens.issue('token', { ...wanted, workspaces: ['shop', 'nowhere'] }), {
      code: 'not_found',
    })
    assert.deepEqual([it.index.size, it.manager.get('shop').inbound], [0, undefined])
  })
})

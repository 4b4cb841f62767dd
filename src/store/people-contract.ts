import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { InvitationRow, MemberRow, PersonRow, SignInRow } from './schema.ts'
import type { Store } from './store.ts'
import { exampleWorkspaceRow, type StoreUnderTest } from './store-contract.ts'

/** A person's row with every column set. */
export function examplePersonRow(id: string, changes: Partial<PersonRow> = {}): PersonRow {
  return {
    id,
    email: `${id}@example.com`,
    name: `Name of ${id}`,
    password_hash: '$argon2id$…',
    created_at: 1,
    ...changes,
  }
}

/** Holds an engine to what `store.ts` promises of accounts and people. */
export function peopleContract(open: () => Promise<StoreUnderTest>): void {
  accountContract(open)
  memberContract(open)
  signInContract(open)
  invitationContract(open)
}

function accountContract(open: () => Promise<StoreUnderTest>): void {
  test('there is one account from the first start, and it stays the same', async () => {
    await using under = await open()
    const [account, ...more] = await under.store.accounts.list()
    assert.deepEqual(more, [])
    assert.match(account?.id ?? '', /^[0-9a-f]{16}$/)
    assert.deepEqual({ slug: account?.slug, name: account?.name }, { slug: 'default', name: 'Default' })
    assert.deepEqual(await (await under.reopen()).accounts.list(), [account])
  })

  test('accounts are made, renamed and deleted with what is theirs; a slug is taken once', async () => {
    await using under = await open()
    const { store } = under
    const row = { id: 'a', slug: 'acme', name: 'Acme', created_at: 9e12 }
    await store.accounts.insert(row)
    await assert.rejects(store.accounts.insert({ ...row, id: 'b' }), hasCode('conflict'))
    assert.deepEqual([await store.accounts.rename('a', 'New'), await store.accounts.rename('z', 'New')], [true, false])
    assert.deepEqual((await store.accounts.list()).slice(1), [{ ...row, name: 'New' }])
    await join(store, 'p', 'a')
    await store.invitations.insert(invitation('i', { account_id: 'a' }))
    await store.workspaces.insert(exampleWorkspaceRow('w', { account_id: 'a' }))
    await assert.rejects(store.accounts.delete('a'), hasCode('conflict'))
    assert.equal((await store.members.ofAccount('a')).length, 1)
    await store.workspaces.delete('w')
    assert.deepEqual([await store.accounts.delete('a'), await store.accounts.delete('a')], [true, false])
    assert.deepEqual([await store.members.ofAccount('a'), await store.invitations.ofAccount('a')], [[], []])
  })
}

function memberContract(open: () => Promise<StoreUnderTest>): void {
  test('people come back column by column after a restart; an e-mail is taken once', async () => {
    await using under = await open()
    assert.equal(await under.store.people.isEmpty(), true)
    const ada = examplePersonRow('ada')
    await under.store.people.insert(ada)
    const again = examplePersonRow('other', { email: ada.email })
    await assert.rejects(under.store.people.insert(again), hasCode('conflict'))
    const { people } = await under.reopen()
    assert.equal(await people.isEmpty(), false)
    assert.deepEqual([await people.find('ada'), await people.findByEmail(ada.email)], [ada, ada])
    assert.deepEqual([await people.find('other'), await people.findByEmail('ada')], [undefined, undefined])
    assert.deepEqual([await people.setPassword('ada', 'new'), await people.setPassword('z', 'new')], [true, false])
    assert.equal((await people.find('ada'))?.password_hash, 'new')
  })

  test('a person is a member of an account once, with a role, until removed', async () => {
    await using under = await open()
    const { store } = under
    await store.accounts.insert({ id: 'a', slug: 'acme', name: 'Acme', created_at: 1 })
    const row = await join(store, 'ada', 'a')
    await assert.rejects(store.members.insert(row), hasCode('conflict'))
    await assert.rejects(store.members.insert({ ...row, account_id: 'nowhere' }))
    const changed = { ...row, role: 'owner', disabled_at: 5 } as const
    assert.equal(await store.members.update({ ...changed }), true)
    assert.equal(await store.members.update({ ...changed, account_id: 'b' }), false)
    const { members, people } = await under.reopen()
    assert.deepEqual(await members.ofPerson('ada'), [changed])
    assert.deepEqual(await members.ofAccount('a'), [{ ...changed, email: 'ada@example.com', name: 'Name of ada' }])
    assert.deepEqual(await members.ofAccount('b'), [])
    const key = { account_id: 'a', person_id: 'ada' }
    assert.deepEqual([await members.delete(key), await members.delete(key)], [true, false])
    await members.insert(row)
    assert.deepEqual([await people.delete('ada'), await people.delete('ada')], [true, false])
    assert.deepEqual(await members.ofAccount('a'), [])
  })
}

function signInContract(open: () => Promise<StoreUnderTest>): void {
  const signIn = (token_hash: string, changes: Partial<SignInRow> = {}): SignInRow => ({
    ...{ token_hash, person_id: 'ada', created_at: 1, last_seen_at: 1, expires_at: 100 },
    ...changes,
  })

  test('a sign-in is kept until it ends, is idle, its person ends it or is gone', async () => {
    await using under = await open()
    await join(under.store, 'ada')
    await under.store.signIns.insert(signIn('h1'), { keep: 9 })
    const { signIns, people } = await under.reopen()
    await signIns.seen('h1', 8)
    await signIns.seen('h1', 7)
    assert.deepEqual(await signIns.find('h1'), signIn('h1', { last_seen_at: 8 }))
    await signIns.insert(signIn('ended', { expires_at: 10, last_seen_at: 9 }), { keep: 9 })
    await signIns.insert(signIn('idle', { last_seen_at: 3 }), { keep: 9 })
    assert.equal(await signIns.deleteEnded({ endedBy: 10, idleSince: 3 }), 2)
    assert.deepEqual([await signIns.delete('h1'), await signIns.delete('h1')], [true, false])
    for (const hash of ['h2', 'h3', 'h4']) await signIns.insert(signIn(hash), { keep: 9 })
    await signIns.deleteOf('ada', 'h3')
    assert.deepEqual([await signIns.find('h2'), (await signIns.find('h3'))?.token_hash], [undefined, 'h3'])
    await people.delete('ada')
    assert.equal(await signIns.find('h3'), undefined)
  })

  test('of one person a bounded number is kept: the newest', async () => {
    await using under = await open()
    const { signIns } = under.store
    await join(under.store, 'ada')
    await join(under.store, 'bob')
    await signIns.insert(signIn('bob', { person_id: 'bob' }), { keep: 2 })
    for (const at of [1, 2, 3]) await signIns.insert(signIn(`h${at}`, { created_at: at }), { keep: 2 })
    const kept = await Promise.all(
      ['bob', 'h1', 'h2', 'h3'].map(async (hash) => (await signIns.find(hash)) !== undefined),
    )
    assert.deepEqual(kept, [true, false, true, true])
  })
}

function invitationContract(open: () => Promise<StoreUnderTest>): void {
  test('an invitation is found by its hash, listed by its account, and deleted by both', async () => {
    await using under = await open()
    const { store } = under
    await join(store, 'ada')
    const account_id = await accountOf(store)
    const [one, two] = [invitation('i1', { account_id }), invitation('i2', { account_id, person_id: 'ada' })]
    await store.invitations.insert(one)
    await store.invitations.insert(two)
    await assert.rejects(store.invitations.insert({ ...one, id: 'i3' }), hasCode('conflict'))
    const { invitations, people } = await under.reopen()
    assert.deepEqual(await invitations.findByCode('hash of i1'), one)
    assert.deepEqual(await invitations.ofAccount(account_id), [one, two])
    assert.deepEqual(await invitations.ofAccount('another'), [])
    assert.equal(await invitations.delete({ account_id: 'another', id: 'i1' }), false)
    assert.equal(await invitations.delete({ account_id, id: 'i1' }), true)
    await people.delete('ada')
    assert.deepEqual(await invitations.ofAccount(account_id), [])
  })

  test('invitations end by time, or because there is a newer one to the same address', async () => {
    await using under = await open()
    const { store } = under
    const account_id = await accountOf(store)
    for (const [id, expires_at] of [
      ['i1', 5],
      ['i2', 6],
      ['i3', 6],
    ] as const) {
      await store.invitations.insert(invitation(id, { account_id, expires_at, email: id === 'i3' ? 'c@x' : 'b@x' }))
    }
    assert.equal(await store.invitations.deleteEnded({ endedBy: 5 }), 1)
    await store.invitations.deleteTo({ account_id: 'another', email: 'b@x' })
    await store.invitations.deleteTo({ account_id, email: 'b@x' })
    assert.deepEqual(
      (await store.invitations.ofAccount(account_id)).map(({ id }) => id),
      ['i3'],
    )
  })
}

async function join(store: Store, id: string, account?: string): Promise<MemberRow> {
  const account_id = account ?? (await accountOf(store))
  const row: MemberRow = { account_id, person_id: id, role: 'viewer', joined_at: 1, disabled_at: null }
  await store.people.insert(examplePersonRow(id))
  await store.members.insert(row)
  return row
}

function invitation(id: string, changes: Partial<InvitationRow> = {}): InvitationRow {
  return {
    ...{ id, account_id: 'set by the test', person_id: null, email: 'bob@example.com', role: 'developer' },
    ...{ code_hash: `hash of ${id}`, created_at: 1, expires_at: 100 },
    ...changes,
  }
}

async function accountOf(store: Store): Promise<string> {
  const account = (await store.accounts.list()).find(({ slug }) => slug === 'default')
  return account?.id ?? ''
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

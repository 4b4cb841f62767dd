import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { examplePersonRow } from '../store/people-contract.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { defaultAccount } from './account.ts'
import { Passwords } from './password.ts'
import { People } from './people.ts'
import { csrfProofOf, looksLikeSignIn, SignIns } from './sign-ins.ts'

/** A store with Ada in its default account. */
async function startSignIns() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-sign-ins-'))
  const store = await openSqliteStore({ folder })
  const { id: account_id } = await defaultAccount(store)
  const member = { account_id, person_id: 'ada', role: 'viewer', joined_at: 1, disabled_at: null } as const
  await store.people.insert(examplePersonRow('ada'))
  await store.members.insert(member)
  const clock = { now: 1_000_000 }
  const people = new People({ store, passwords: new Passwords() })
  return {
    ...{ store, member, clock },
    signIns: new SignIns({ store, people, now: () => clock.now }),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

suite('a sign-in', () => {
  test('is found by its token, which is kept as a hash only', async () => {
    await using under = await startSignIns()
    const { token, expiresAt } = await under.signIns.begin('ada', under.store)
    assert.match(token, /^mgs_[\w-]{43}$/)
    assert.equal(looksLikeSignIn(token), true)
    const found = await under.signIns.find(token)
    assert.deepEqual([found?.person.id, found?.expiresAt], ['ada', expiresAt])
    assert.notEqual(found?.tokenHash, token)
    assert.equal(await under.store.signIns.find(token), undefined)
    assert.equal(await under.signIns.find(`${token}x`), undefined)
  })

  test('is none for a person whom no account lets in, also when it began while they were disabled', async () => {
    await using under = await startSignIns()
    const { token } = await under.signIns.begin('ada', under.store)
    await under.store.members.update({ ...under.member, disabled_at: 5 })
    assert.equal(await under.signIns.find(token), undefined)
    await under.store.members.update(under.member)
    assert.notEqual(await under.signIns.find(token), undefined)
    await under.store.members.delete(under.member)
    assert.equal(await under.signIns.find(token), undefined)
  })

  test('of one person is one of twenty at most, and those that have ended leave the store', async () => {
    await using under = await startSignIns()
    const tokens: string[] = []
    for (let count = 0; count < 22; count += 1) {
      under.clock.now += 1
      tokens.push((await under.signIns.begin('ada', under.store)).token)
    }
    const good = await Promise.all(tokens.map(async (token) => (await under.signIns.find(token)) !== undefined))
    assert.deepEqual([good.filter((isGood) => isGood).length, good[0], good[1], good[21]], [20, false, false, true])
    under.clock.now += 12 * 3_600_000
    await under.signIns.begin('ada', under.store)
    assert.equal(await under.store.signIns.deleteEnded({ endedBy: under.clock.now, idleSince: 0 }), 0)
  })

  test('has a proof that follows from its token alone', () => {
    assert.equal(csrfProofOf('mgs_a'), csrfProofOf('mgs_a'))
    assert.notEqual(csrfProofOf('mgs_a'), csrfProofOf('mgs_b'))
  })
})

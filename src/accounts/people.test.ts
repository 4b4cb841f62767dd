import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { MemberRow } from '../store/schema.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { Passwords } from './password.ts'
import { People } from './people.ts'

const GOOD = 'correct horse battery'
const passwords = new Passwords()

/** A store with Ada, who has these memberships: one for each account. */
async function startPeople(memberships: Readonly<Record<string, Partial<MemberRow>>>) {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-people-'))
  const store = await openSqliteStore({ folder })
  const password_hash = await passwords.hash(GOOD)
  await store.people.insert({ id: 'p1', email: 'ada@example.com', name: 'Ada', created_at: 1, password_hash })
  for (const [id, changes] of Object.entries(memberships)) {
    await store.accounts.insert({ id, slug: id, name: id, created_at: 1 })
    const row = { account_id: id, person_id: 'p1', role: 'admin', joined_at: 1, disabled_at: null } as const
    await store.members.insert({ ...row, ...changes })
  }
  return {
    people: new People({ store, passwords }),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

suite('people', () => {
  test('sign in by e-mail, in any case, and password; with a role in each account that lets them in', async () => {
    await using under = await startPeople({ a: {}, b: { role: 'viewer' }, c: { disabled_at: 5 } })
    const { people } = under
    const person = (await people.signIn(' Ada@Example.com ', GOOD))?.person
    assert.deepEqual([person?.id, person?.name, person?.isDisabled], ['p1', 'Ada', false])
    assert.deepEqual(
      [...(person?.roles ?? [])],
      [
        ['a', 'admin'],
        ['b', 'viewer'],
      ],
    )
    assert.deepEqual(await people.find('p1'), person)
    assert.deepEqual(await people.findByEmail('ADA@example.com'), person)
  })

  test('do not sign in with another password, under another e-mail, or where no account lets them in', async () => {
    await using under = await startPeople({ a: {} })
    const { people } = under
    assert.equal(await people.signIn('ada@example.com', `${GOOD}!`), undefined)
    assert.equal(await people.signIn('eve@example.com', GOOD), undefined)
    const nowhere: readonly Record<string, Partial<MemberRow>>[] = [{}, { a: { disabled_at: 5 } }]
    for (const memberships of nowhere) {
      await using out = await startPeople(memberships)
      assert.equal(await out.people.signIn('ada@example.com', GOOD), undefined)
      assert.equal((await out.people.find('p1'))?.isDisabled, true)
    }
  })

  test('that are not there cost as much as a wrong password (T26)', async () => {
    await using under = await startPeople({ a: {} })
    const { people } = under
    const cost = async (email: string) => {
      const before = process.cpuUsage()
      for (let round = 0; round < 8; round += 1) await people.signIn(email, 'not the password')
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    await cost('ada@example.com')
    const [known, unknown] = [await cost('ada@example.com'), await cost('eve@example.com')]
    // Without the hash for nobody it is a thousandth; a busy machine moves it by a third.
    assert.ok(unknown > known / 3 && unknown < known * 3, `${unknown} against ${known}`)
  })
})

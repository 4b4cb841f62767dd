import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { openMemoryItems } from '../store/oauth-items-memory.ts'
import { Revocations } from './revocations.ts'
import { SealedItems } from './sealed-items.ts'

const HOUR = 3_600_000
const AT = 1_800_000_000_500
const SECOND = 1_800_000_000

async function start(items = openMemoryItems(), clock = { now: () => AT }) {
  const keyring = createKeyring('the key of these tests, 32 characters or more')
  const revocations = new Revocations({ items, sealed: new SealedItems(keyring), keyring, tokenLifeMs: HOUR, ...clock })
  await revocations.start()
  return revocations
}

suite('a revocation', () => {
  const token = { grantId: 'g', clientId: 'c', subject: 's' }
  const cases = [
    { name: 'of its grant refuses a token', revoked: { what: 'grant', id: 'g' }, issued: SECOND - 9, isRevoked: true },
    {
      name: 'of its client refuses a token',
      revoked: { what: 'client', id: 'c' },
      issued: SECOND - 9,
      isRevoked: true,
    },
    {
      name: 'of its person refuses a token',
      revoked: { what: 'subject', id: 's' },
      issued: SECOND - 9,
      isRevoked: true,
    },
    { name: 'of another person does not', revoked: { what: 'subject', id: 'c' }, issued: SECOND - 9, isRevoked: false },
    {
      name: 'refuses a token of the same second',
      revoked: { what: 'grant', id: 'g' },
      issued: SECOND,
      isRevoked: true,
    },
    { name: 'lets later ones in', revoked: { what: 'subject', id: 's' }, issued: SECOND + 1, isRevoked: false },
  ] as const
  for (const { name, revoked, issued, isRevoked } of cases) {
    test(name, async () => {
      const revocations = await start()
      await revocations.revoke(revoked)
      assert.equal(revocations.isRevoked({ ...token, issuedAtSeconds: issued }), isRevoked)
      await revocations.close()
    })
  }

  const signIn = { sessionUid: 'u', subject: 's', signedInAtSeconds: SECOND }
  const signIns = [
    { name: 'of its session ends a sign-in', revoked: { what: 'session', id: 'u' }, signIn, isOver: true },
    { name: 'of another session does not', revoked: { what: 'session', id: 's' }, signIn, isOver: false },
    { name: 'of all sign-ins ends those so far', revoked: { what: 'sign_ins', id: 's' }, signIn, isOver: true },
    { name: 'of the tokens of its person does not', revoked: { what: 'subject', id: 's' }, signIn, isOver: false },
    {
      name: 'of all sign-ins lets later ones in',
      revoked: { what: 'sign_ins', id: 's' },
      signIn: { ...signIn, signedInAtSeconds: SECOND + 1 },
      isOver: false,
    },
  ] as const
  for (const { name, revoked, signIn, isOver } of signIns) {
    test(name, async () => {
      const revocations = await start()
      await revocations.revoke(revoked)
      assert.equal(revocations.isOver(signIn), isOver)
      await revocations.close()
    })
  }

  test('of a sign-in is known again after a restart, for as long as a browser keeps one', async () => {
    const items = openMemoryItems()
    await (await start(items)).revoke({ what: 'session', id: 'u' })
    assert.equal((await start(items, { now: () => AT + 12 * HOUR })).isOver(signIn), true)
    assert.equal((await start(items, { now: () => AT + 13 * HOUR })).isOver(signIn), false)
  })

  test('is known again after a restart, until no token can be that old', async () => {
    const items = openMemoryItems()
    await (await start(items)).revoke({ what: 'grant', id: 'g' })
    const again = await start(items)
    assert.equal(again.isRevoked({ ...token, issuedAtSeconds: SECOND - 9 }), true)
    const later = await start(items, { now: () => AT + HOUR })
    assert.equal(later.isRevoked({ ...token, issuedAtSeconds: SECOND - 9 }), false)
  })
})

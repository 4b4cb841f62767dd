import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { createKeyring } from '../crypto/keyring.ts'
import { exampleIssuedRow } from '../store/issued-contract.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { SigningKeys } from './signing-keys.ts'

const keyring = createKeyring('k'.repeat(40))

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-keys-'))
  const store = await openSqliteStore({ folder })
  const clock = { ms: 1_000_000 }
  const [account] = await store.accounts.list()
  return {
    store,
    clock,
    open: (ring = keyring) => SigningKeys.open({ store, keyring: ring, now: () => clock.ms }),
    keep: (id: string, kid: string, expires_at: number | null) =>
      store.issued.insert(exampleIssuedRow(id, { account_id: account?.id ?? '', signing_kid: kid, expires_at }), []),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

suite('signing keys', () => {
  test('are made when the first token is signed, and stay', async () => {
    await using it = await setup()
    const keys = await it.open()
    assert.deepEqual(JSON.parse(keys.jwks), { keys: [] })
    const signed = await Promise.all([keys.sign({ sub: 'a' }), keys.sign({ sub: 'b' })])
    assert.equal(new Set(signed.map(({ kid }) => kid)).size, 1)
    const again = await it.open()
    assert.equal(again.jwks, keys.jwks)
    assert.equal((await again.sign({ sub: 'c' })).kid, signed[0]?.kid)
    const verified = await jwtVerify(signed[0]?.token ?? '', createLocalJWKSet(JSON.parse(again.jwks)))
    assert.deepEqual([verified.payload.sub, verified.protectedHeader.typ], ['a', 'at+jwt'])
  })

  test('publish no private member, and keep the private half sealed for its own row', async () => {
    await using it = await setup()
    const keys = await it.open()
    await keys.sign({})
    assert.ok(!keys.jwks.includes('"d"'))
    const [row] = await it.store.signingKeys.list()
    assert.match(row?.sealed_private_jwk ?? '', /^v1\./)
    assert.ok(!row?.public_jwk.includes('"d"'))
    const other = await it.open(createKeyring('o'.repeat(40)))
    await assert.rejects(other.sign({}), /A stored secret cannot be read/)
  })

  test('that are retired have no private half, and are published while a token needs them', async () => {
    await using it = await setup()
    const keys = await it.open()
    const { kid } = await keys.sign({})
    await it.keep('a', kid, it.clock.ms + 10)
    it.clock.ms += 1
    const { kid: next } = await keys.rotate()
    assert.deepEqual(
      keys.published.map((key) => [key.kid, key.retiredAt]),
      [
        [kid, it.clock.ms],
        [next, undefined],
      ],
    )
    assert.deepEqual(
      (await it.store.signingKeys.list()).map((row) => row.sealed_private_jwk === null),
      [true, false],
    )
    assert.equal((await keys.sign({})).kid, next)
    it.clock.ms += 8
    assert.ok((await it.open()).find(kid) !== undefined)
    it.clock.ms += 1
    assert.deepEqual(
      (await it.open()).published.map((key) => key.kid),
      [next],
    )
    assert.equal((await it.store.signingKeys.list()).length, 1)
  })

  test('that signed an endless token stay until it is revoked', async () => {
    await using it = await setup()
    const keys = await it.open()
    const { kid } = await keys.sign({})
    await it.keep('a', kid, null)
    await keys.rotate()
    it.clock.ms += 1e12
    assert.ok((await it.open()).find(kid) !== undefined)
    await it.store.issued.revoke('a', 1)
    assert.equal((await it.open()).find(kid), undefined)
  })
})

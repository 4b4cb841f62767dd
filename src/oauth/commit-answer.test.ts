import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import type { OauthItems } from '../store/oauth-items.ts'
import { hasCode } from '../store/oauth-items-contract.ts'
import { openMemoryItems } from '../store/oauth-items-memory.ts'
import { openSessionStorage } from './session-storage.ts'
import { TEST_KEY } from './token-endpoint.test-support.ts'

async function openStorage(items: OauthItems) {
  return openSessionStorage({ items, keyring: createKeyring(TEST_KEY), now: Date.now, tokenLifeMs: 1_000 })
}

/** What the library hands to a middleware. */
function newContext() {
  return { status: 200, body: {}, type: 'json', res: new EventEmitter(), oidc: { route: 'userinfo' } }
}

suite('what a request changes', () => {
  test('is kept whole before the answer leaves, and seen by the request itself at once', async () => {
    const items = openMemoryItems()
    const { adapter, commitAnswer, close } = await openStorage(items)
    const session = adapter('Session')
    await commitAnswer(newContext(), async () => {
      await session.upsert('a', { uid: 'u', accountId: 'ada' }, 60)
      assert.deepEqual(await session.find('a'), { uid: 'u', accountId: 'ada' })
      assert.deepEqual(await session.findByUid('u'), { uid: 'u', accountId: 'ada' })
      assert.equal(await items.count('Session', { now: Date.now() }), 0)
      await session.upsert('b', { uid: 'v' }, 60)
      await session.destroy('b')
      assert.equal(await session.find('b'), undefined)
    })
    assert.equal(await items.count('Session', { now: Date.now() }), 1)
    await close()
  })

  test('is forgotten when the storage fails on the way, though the library has swallowed that', async () => {
    const memory = openMemoryItems()
    const find: OauthItems['find'] = async (name) => {
      if (name.kind === 'Grant') throw new GatewayError('unavailable', 'away')
      return memory.find(name)
    }
    const { adapter, commitAnswer, units, close } = await openStorage({ ...memory, find })
    await adapter('RefreshToken').upsert('r', { accountId: 'ada' }, 60)
    const served = units.serve(() =>
      commitAnswer(newContext(), async () => {
        await adapter('RefreshToken').consume('r')
        // As the library does: it makes a 500 of it.
        await adapter('Grant')
          .find('g')
          .catch(() => {})
      }),
    )
    await assert.rejects(served, hasCode('unavailable'))
    assert.equal((await adapter('RefreshToken').find('r'))?.['consumed'], undefined)
    await close()
  })

  test('against a replayed proof is kept once, of two at a time', async () => {
    const { adapter, units, close } = await openStorage(openMemoryItems())
    const both = Promise.withResolvers<void>()
    let waiting = 0
    const use = () =>
      units.serve(async () => {
        assert.equal(await adapter('ReplayDetection').find('jti'), undefined)
        await adapter('ReplayDetection').upsert('jti', { iss: 'client' }, 60)
        waiting += 1
        if (waiting === 2) both.resolve()
        await both.promise
      })
    const outcomes = await Promise.allSettled([use(), use()])
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    await close()
  })

  test('outside of a request is kept at once', async () => {
    const items = openMemoryItems()
    const { adapter, close } = await openStorage(items)
    await adapter('Client').upsert('c', { clientId: 'c' }, undefined)
    assert.equal(await items.count('Client', { now: Date.now() }), 1)
    await close()
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { OauthItems } from '../store/oauth-items.ts'
import { openMemoryItems } from '../store/oauth-items-memory.ts'
import { startTokenEndpoint } from './token-endpoint.test-support.ts'

/** The same items, whose every call waits until the scheduler lets it through. */
function scheduled(items: OauthItems, scheduler: fc.Scheduler): OauthItems {
  const wait = () => scheduler.schedule(Promise.resolve())
  return {
    find: (name) => wait().then(() => items.find(name)),
    findBy: (...args) => wait().then(() => items.findBy(...args)),
    apply: (...args) => wait().then(() => items.apply(...args)),
    list: (listing) => wait().then(() => items.list(listing)),
    count: (...args) => wait().then(() => items.count(...args)),
    expire: (options) => wait().then(() => items.expire(options)),
    notes: undefined,
    close: () => items.close(),
  }
}

suite('parallel refreshes', () => {
  test('give one answer and lose nothing, in whatever order the storage is asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (scheduler, count) => {
        const memory = openMemoryItems()
        let items: OauthItems = memory
        const now = () => Date.now()
        // The session is made before the scheduler takes over.
        const router: OauthItems = {
          ...memory,
          find: (name) => items.find(name),
          apply: (...args) => items.apply(...args),
        }
        await using endpoint = await startTokenEndpoint({ items: router, now })
        const { refreshToken } = await endpoint.redeem(await endpoint.makeCode())
        items = scheduled(memory, scheduler)
        const refreshes = Promise.all(Array.from({ length: count }, () => endpoint.refresh(refreshToken)))
        const replies = await scheduler.waitFor(refreshes)
        assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200])
        assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
        items = memory
        await scheduler.waitIdle()
        assert.equal((await endpoint.refresh(replies[0]?.refreshToken ?? '')).status, 200)
      }),
      { numRuns: 30 },
    )
  })
})

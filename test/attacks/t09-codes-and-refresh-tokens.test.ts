import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  startTokenEndpoint,
  type TokenEndpoint,
  type TokenEndpointOptions,
  type TokenReply,
} from '../../src/oauth/token-endpoint.test-support.ts'
import type { OauthItems } from '../../src/store/oauth-items.ts'
import { openMemoryItems } from '../../src/store/oauth-items-memory.ts'
import { openRedisItems } from '../../src/store/oauth-items-redis.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { redisIsMissing } from '../redis/find-redis.ts'
import { RedisServer } from '../redis/redis-server.ts'

const AT_ONCE = 100
const WINDOW_MS = 31_000

/** Processes that share a storage, or one alone. */
type Stand = AsyncDisposable & { readonly endpoints: readonly [TokenEndpoint, ...TokenEndpoint[]] }

async function stand(
  engines: readonly [OauthItems, ...OauthItems[]],
  options: TokenEndpointOptions,
  end: () => unknown,
) {
  const [first, ...more] = engines
  const endpoints: [TokenEndpoint, ...TokenEndpoint[]] = [await startTokenEndpoint({ ...options, items: first })]
  for (const items of more) endpoints.push(await startTokenEndpoint({ ...options, items }))
  return {
    endpoints,
    async [Symbol.asyncDispose]() {
      for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]()
      await end()
    },
  }
}

const STANDS: readonly { name: string; skip: string | false; open(options: TokenEndpointOptions): Promise<Stand> }[] = [
  { name: 'memory', skip: false, open: (options) => stand([openMemoryItems()], options, () => {}) },
  {
    name: 'store',
    skip: false,
    async open(options) {
      const folder = await mkdtemp(join(tmpdir(), 'gatehouse-t09-'))
      const store = await openSqliteStore({ folder })
      return stand([store.oauthItems], options, () => store.close().then(() => rm(folder, { recursive: true })))
    },
  },
  {
    name: 'redis, two processes',
    skip: redisIsMissing() ?? false,
    async open(options) {
      const server = await RedisServer.start()
      const items = () => openRedisItems(server)
      return stand([await items(), await items()], options, () => server[Symbol.asyncDispose]())
    },
  },
]

/** The same request 100 times at once, spread over the processes. */
function storm(
  endpoints: Stand['endpoints'],
  send: (endpoint: TokenEndpoint) => Promise<TokenReply>,
): Promise<TokenReply[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, n) => send(endpoints[n % endpoints.length] ?? endpoints[0])))
}

for (const { name, skip, open } of STANDS) {
  suite(`T9: redeemed many times at once (${name})`, { skip }, () => {
    test('a code gives tokens once, and a later reuse revokes what it gave', async () => {
      await using under = await open({})
      const [endpoint] = under.endpoints
      const code = await endpoint.makeCode()
      const replies = await storm(under.endpoints, ({ redeem }) => redeem(code))
      const given = replies.filter(({ status }) => status === 200)
      assert.equal(given.length, 1)
      for (const { status, error } of replies.filter((reply) => reply.status !== 200)) {
        assert.deepEqual([status, error], [400, 'invalid_grant'])
      }
      const reused = await endpoint.redeem(code)
      assert.deepEqual([reused.status, reused.error], [400, 'invalid_grant'])
      assert.equal((await endpoint.refresh(given[0]?.refreshToken ?? '')).status, 400)
      assert.equal(endpoint.isRevoked(given[0]?.accessToken ?? ''), true)
    })

    test('a refresh token gives one answer, again and again in the window; later reuse revokes the family', async () => {
      let aheadMs = 0
      await using under = await open({ now: () => Date.now() + aheadMs })
      const [endpoint] = under.endpoints
      const first = await endpoint.redeem(await endpoint.makeCode())
      const replies = await storm(under.endpoints, ({ refresh }) => refresh(first.refreshToken))
      assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200])
      assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
      const [second] = replies
      aheadMs = WINDOW_MS
      const reused = await endpoint.refresh(first.refreshToken)
      assert.deepEqual([reused.status, reused.error], [400, 'invalid_grant'])
      for (const { refresh } of under.endpoints) assert.equal((await refresh(second?.refreshToken ?? '')).status, 400)
      assert.equal(endpoint.isRevoked(second?.accessToken ?? ''), true)
    })
  })
}

suite('T9: two redemptions of a code', () => {
  test('that were both answered by the library before either was kept give tokens once, and end nothing', async () => {
    let waiting = 0
    let isRacing = false
    const both = Promise.withResolvers<void>()
    const beforeCommit = () => {
      if (!isRacing) return
      waiting += 1
      if (waiting === 2) both.resolve()
      return both.promise
    }
    await using endpoint = await startTokenEndpoint({ beforeCommit })
    const code = await endpoint.makeCode()
    isRacing = true
    const replies = await Promise.all([endpoint.redeem(code), endpoint.redeem(code)])
    isRacing = false
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 400])
    const given = replies.find(({ status }) => status === 200)
    assert.equal((await endpoint.refresh(given?.refreshToken ?? '')).status, 200)
  })
})

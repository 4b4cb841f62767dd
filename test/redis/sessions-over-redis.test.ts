import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { openSessionItems } from '../../src/oauth/open-session-items.ts'
import { sessionStorageSettings } from '../../src/oauth/session-storage-settings.ts'
import {
  startTokenEndpoint,
  TEST_KEY,
  type TokenEndpoint,
  type TokenReply,
} from '../../src/oauth/token-endpoint.test-support.ts'
import { openMemoryItems } from '../../src/store/oauth-items-memory.ts'
import { openRedisItems } from '../../src/store/oauth-items-redis.ts'
import { redisIsMissing } from './find-redis.ts'
import { RedisServer, startRelay } from './redis-server.ts'

const skip = redisIsMissing() ?? false

async function signedIn(endpoint: TokenEndpoint): Promise<TokenReply> {
  const reply = await endpoint.redeem(await endpoint.makeCode())
  assert.equal(reply.status, 200, reply.text)
  return reply
}

async function grantOf(endpoint: TokenEndpoint): Promise<string> {
  const [grant] = await endpoint.storage.grants.ofClient('app')
  return grant?.grantId ?? ''
}

/** Resolves when it holds; fails after the time. */
async function within(milliseconds: number, holds: () => boolean): Promise<void> {
  const end = performance.now() + milliseconds
  while (!holds()) {
    assert.ok(performance.now() < end, `not within ${milliseconds} ms`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

suite('processes that share a Redis', { skip }, () => {
  test('share sessions: what one has given the other refreshes', async () => {
    await using server = await RedisServer.start()
    await using left = await startTokenEndpoint({ items: await openRedisItems(server) })
    await using right = await startTokenEndpoint({ items: await openRedisItems(server) })
    const first = await signedIn(left)
    const second = await right.refresh(first.refreshToken)
    assert.equal(second.status, 200)
    assert.equal((await left.refresh(first.refreshToken)).text, second.text)
  })

  test('hear of a revocation within a second, and one that starts later knows it', async () => {
    await using server = await RedisServer.start()
    await using left = await startTokenEndpoint({ items: await openRedisItems(server) })
    await using right = await startTokenEndpoint({ items: await openRedisItems(server) })
    const { accessToken } = await signedIn(left)
    await left.storage.grants.revoke(await grantOf(left))
    await within(1_000, () => right.isRevoked(accessToken))
    await using late = await startTokenEndpoint({ items: await openRedisItems(server) })
    assert.equal(late.isRevoked(accessToken), true)
  })

  test('hear of what was revoked while their connection was broken, once it is back', async () => {
    await using server = await RedisServer.start()
    await using relay = await startRelay(server.socketPath)
    await using left = await startTokenEndpoint({ items: await openRedisItems(server) })
    await using right = await startTokenEndpoint({ items: await openRedisItems(relay) })
    const { accessToken } = await signedIn(left)
    relay.cut()
    await left.storage.grants.revoke(await grantOf(left))
    assert.equal(right.isRevoked(accessToken), false)
    relay.mend()
    await within(5_000, () => right.isRevoked(accessToken))
  })

  test('answer 503 while it is away, in bounded time, and every session goes on when it is back', async () => {
    await using server = await RedisServer.start()
    await using endpoint = await startTokenEndpoint({ items: await openRedisItems(server) })
    const { refreshToken } = await signedIn(endpoint)
    server.freeze()
    const asked = performance.now()
    assert.equal((await endpoint.refresh(refreshToken)).status, 503)
    assert.ok(performance.now() - asked < 5_000)
    server.resume()
    await server.stop()
    assert.equal((await endpoint.refresh(refreshToken)).status, 503)
    await server.start()
    let reply = await endpoint.refresh(refreshToken)
    for (let attempt = 0; reply.status === 503 && attempt < 100; attempt += 1)
      reply = await endpoint.refresh(refreshToken)
    assert.equal(reply.status, 200, reply.text)
  })

  test('tell the operator of each time that it is away, and that it is back', async () => {
    await using server = await RedisServer.start()
    const warned: string[] = []
    const items = await openSessionItems({
      settings: sessionStorageSettings.parse({ type: 'redis', redis: { socketPath: server.socketPath } }),
      ...{ sessionStorePath: undefined, dataDir: server.folder, store: { oauthItems: openMemoryItems() } },
      ...{ keyring: createKeyring(TEST_KEY), warn: (message: string) => void warned.push(message) },
    })
    const answers = () =>
      items.find({ kind: 'Grant', id: 'a' }).then(
        () => true,
        () => false,
      )
    for (const _outage of ['first', 'second']) {
      await server.stop()
      while (await answers());
      await server.start()
      while (!(await answers()));
    }
    await items.close()
    // While it starts the failure may be another one for a moment, which is told as well.
    const told = warned.map((message) => /^the connection to Redis is (broken|back)/.exec(message)?.[1])
    assert.deepEqual(
      told.filter((word, place) => word !== told[place - 1]),
      ['broken', 'back', 'broken', 'back'],
    )
  })

  test('let who reads Redis use nothing and read nothing (T30)', async () => {
    await using server = await RedisServer.start()
    await using endpoint = await startTokenEndpoint({ items: await openRedisItems(server) })
    const first = await signedIn(endpoint)
    const second = await endpoint.refresh(first.refreshToken)
    const grantId = await grantOf(endpoint)
    const { code } = await endpoint.makeCode()
    const { Redis } = await import('ioredis')
    const redis = new Redis(server.socketPath)
    const said: string[] = []
    const listening = redis.duplicate()
    await listening.subscribe('gatehouse:notes')
    listening.on('message', (_channel, text) => said.push(text))
    const dump = await dumpOf(redis)
    await endpoint.storage.grants.revoke(grantId)
    await within(1_000, () => said.length > 0)
    const all = [...dump, ...(await dumpOf(redis)), ...said].join('\n')
    assert.ok(dump.length > 5)
    for (const secret of [first, second].flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken])) {
      assert.equal(all.includes(secret), false)
    }
    for (const secret of [code, grantId, 'ada@example.com', 'gateway.example'])
      assert.equal(all.includes(secret), false)
    redis.disconnect()
    listening.disconnect()
  })
})

/** Every key with its content. */
async function dumpOf(redis: import('ioredis').Redis): Promise<readonly string[]> {
  const keys = await redis.keys('*')
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key)
      if (type === 'hash') return `${key} ${JSON.stringify(await redis.hgetall(key))}`
      if (type === 'zset') return `${key} ${(await redis.zrevrange(key, 0, -1)).join(' ')}`
      return `${key} ${await redis.get(key)}`
    }),
  )
}

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../../src/errors.ts'
import { exampleItem, hasCode, oauthItemsContract } from '../../src/store/oauth-items-contract.ts'
import { openRedisItems, type RedisItemsOptions } from '../../src/store/oauth-items-redis.ts'
import { makeCertificate } from '../flows/certificate.ts'
import { redisIsMissing } from './find-redis.ts'
import { RedisServer, startRelay } from './redis-server.ts'

const NOW = 1_800_000_000_000
const missing = redisIsMissing()

if (missing !== undefined) test(`Redis keeps the contract of items (${missing})`, { skip: missing })
else {
  oauthItemsContract('Redis', async () => {
    const server = await RedisServer.start()
    let items = await openRedisItems(server)
    return {
      get items() {
        return items
      },
      close: () => items.close(),
      async reopen() {
        await items.close()
        await server.stop('SIGTERM')
        await server.start()
        items = await openRedisItems(server)
        return items
      },
      async [Symbol.asyncDispose]() {
        await items.close()
        await server[Symbol.asyncDispose]()
      },
    }
  })

  suite('Redis', () => {
    test('is reached by host and port, by URL, with a password, a database and over TLS', async () => {
      await using server = await RedisServer.start(['--requirepass', 'a:long/password?'])
      const certificate = makeCertificate({ names: ['127.0.0.1'] })
      await using plain = await startRelay(server.socketPath)
      await using secure = await startRelay(server.socketPath, certificate)
      const password = 'a:long/password?'
      const inUrl = encodeURIComponent(password)
      const ca = { ca: certificate.cert }
      const ways: readonly RedisItemsOptions[] = [
        { socketPath: server.socketPath, password, db: 3 },
        { host: plain.host, port: plain.port, password, db: 3 },
        { url: `redis://:${inUrl}@${plain.host}:${plain.port}/3` },
        { url: `redis://default:${inUrl}@${plain.host}:${plain.port}`, db: 3 },
        { host: secure.host, port: secure.port, password, db: 3, tls: ca },
        { url: `rediss://:${inUrl}@${secure.host}:${secure.port}/3`, tls: ca },
      ]
      for (const [n, way] of ways.entries()) {
        const items = await openRedisItems(way)
        await items.apply([{ do: 'put', item: exampleItem(`way ${n}`, { owner: 'o' }) }], { now: NOW })
        const owned = await items.list({ kind: 'RefreshToken', by: 'owner', name: 'o', limit: 99 })
        assert.equal(owned.length, n + 1, `way ${n} is another database`)
        await items.close()
      }
    })

    test('that refuses us or cannot be reached is told in words, without the password', async () => {
      await using server = await RedisServer.start(['--requirepass', 'right'])
      await using plain = await startRelay(server.socketPath)
      await using secure = await startRelay(server.socketPath, makeCertificate({ names: ['127.0.0.1'] }))
      const { host, port } = plain
      const cases: readonly (readonly [RedisItemsOptions, RegExp])[] = [
        [{ host, port, password: 'wrong-secret' }, /WRONGPASS/],
        [{ url: `redis://:wrong-secret@${host}:${port}` }, /127\.0\.0\.1:\d+ cannot be used \(WRONGPASS\)/],
        [{ host, port }, /NOAUTH/],
        [{ host, port, password: 'right', db: 99 }, /cannot be used/],
        [{ socketPath: `${server.folder}/nothing` }, /nothing cannot be used \(ENOENT\)/],
        // Nobody has said that this certificate is good.
        [{ host, port: secure.port, password: 'right', tls: true }, /cannot be used/],
      ]
      for (const [options, words] of cases) {
        await assert.rejects(openRedisItems(options), (error) => {
          assert.ok(error instanceof GatewayError)
          assert.equal(error.code, 'config_invalid')
          assert.match(error.message, words)
          assert.doesNotMatch(error.message, /wrong-secret|right/)
          return true
        })
      }
    })

    test('that is down or frozen gives unavailable in bounded time, and is used again once it is back', async () => {
      await using server = await RedisServer.start()
      const items = await openRedisItems(server)
      await items.apply([{ do: 'put', item: exampleItem('a') }], { now: NOW })
      for (const [away, back] of [
        [() => server.stop(), () => server.start()],
        [async () => server.freeze(), async () => server.resume()],
      ] as const) {
        await away()
        const asked = performance.now()
        await assert.rejects(items.find(exampleItem('a')), hasCode('unavailable'))
        await assert.rejects(items.apply([{ do: 'put', item: exampleItem('b') }], { now: NOW }), hasCode('unavailable'))
        assert.ok(performance.now() - asked < 8_000)
        await back()
        await untilAnswers(() => items.find(exampleItem('a')))
        assert.equal((await items.find(exampleItem('a')))?.id, 'a')
      }
      await items.close()
    })

    test('forgets what has ended by itself, names and sets included', async () => {
      await using server = await RedisServer.start()
      const items = await openRedisItems(server)
      const names = { uid: 'u', userCode: 'c', grant: 'g', owner: 'o', client: 'k', endsAt: NOW + 1 }
      await items.apply([{ do: 'put', item: exampleItem('a', names) }], { now: NOW })
      const { Redis } = await import('ioredis')
      const redis = new Redis(server.socketPath)
      while ((await redis.dbsize()) > 0) await redis.ping()
      redis.disconnect()
      await items.close()
    })

    test('leaves out of a list what is known already, unless it was kept again with another end', async () => {
      await using server = await RedisServer.start()
      const items = await openRedisItems(server)
      const put = (endsAt: number, ids: readonly string[]) =>
        items.apply(
          ids.map((id) => ({ do: 'put', item: exampleItem(id, { owner: 'o', endsAt }) }) as const),
          { now: NOW },
        )
      const ids = Array.from({ length: 1_100 }, (_, n) => `item ${n}`)
      await put(NOW + 60_000, ids)
      const listing = { kind: 'RefreshToken', by: 'owner', name: 'o', limit: 9_999 } as const
      const all = await items.list(listing)
      assert.deepEqual(all.map(({ id }) => id).sort(), ids.sort())
      const known = new Map(all.map(({ id, endsAt = 0 }) => [id, endsAt]))
      await put(NOW + 60_000, ['new'])
      await put(NOW + 60_001, ['item 7'])
      const fresh = await items.list({ ...listing, known })
      assert.deepEqual(fresh.map(({ id }) => id).sort(), ['item 7', 'new'])
      await items.close()
    })

    test('keeps two installations apart by their prefix', async () => {
      await using server = await RedisServer.start()
      const [left, right] = await Promise.all(
        ['left:', 'right:'].map((keyPrefix) => openRedisItems({ socketPath: server.socketPath, keyPrefix })),
      )
      await left?.apply([{ do: 'put', item: exampleItem('a') }], { now: NOW })
      assert.equal(await right?.find(exampleItem('a')), undefined)
      await left?.close()
      await right?.close()
    })
  })
}

/** Waits for the client to connect again. */
async function untilAnswers(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const isBack = await ask().then(
      () => true,
      () => false,
    )
    if (isBack) return
  }
  assert.fail('it never came back')
}

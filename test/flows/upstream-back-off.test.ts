import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestApi, type TestApiOptions } from '../../src/test-api/test-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { adminOf, callTool } from './http.ts'

/** The demo API in jwt mode behind a gateway, both with one clock that moves only when told to. */
async function startShop(password: string, options: Partial<TestApiOptions> = {}) {
  let now = Date.now()
  const api = await startTestApi({ mode: 'jwt', now: () => now, ...options })
  const gateway = await startGateway({ now: () => now })
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Shop',
    source: { url: `${api.origin}/openapi.json` },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${api.origin}/auth/login`, username: 'admin', password },
  })
  const dispose = async () => {
    await gateway[Symbol.asyncDispose]()
    await api.stop()
  }
  return {
    api,
    admin: adminOf(gateway.url, gateway.adminKey),
    call: () => callTool(endpoint, 'getStats'),
    pass: (seconds: number) => {
      now += seconds * 1000
    },
    [Symbol.asyncDispose]: dispose,
  }
}

suite('logins', () => {
  test('rest longer after each rejection, and start again at once with a new password (D8)', async () => {
    await using shop = await startShop('not-the-password')
    assert.match((await shop.call()).text, /answered 401.*Check the params username and password/)
    const more = await Promise.all(Array.from({ length: 20 }, shop.call))
    assert.ok(more.every(({ isError, text }) => isError && text.includes('Next attempt in 60 s')))
    assert.equal(shop.api.counts.refused, 1)
    shop.pass(61)
    await shop.call()
    assert.match((await shop.call()).text, /Next attempt in 120 s/)
    assert.equal(shop.api.counts.refused, 2)

    await shop.admin('PATCH', '/api/workspaces/shop', { params: { password: 'password' } })
    assert.equal((await shop.call()).isError, false)
  })

  test('are not needed again by an API that gives a new refresh token each time (D6)', async () => {
    await using shop = await startShop('password', { rotateRefreshTokens: true })
    for (let round = 0; round < 4; round += 1) {
      assert.equal((await shop.call()).isError, false)
      shop.pass(880)
    }
    const { logins, refreshes, calls } = shop.api.counts
    assert.deepEqual({ logins, refreshes, calls }, { logins: 1, refreshes: 3, calls: 4 })
  })
})

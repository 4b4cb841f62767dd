import assert from 'node:assert/strict'
import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { suite, test } from 'node:test'
import { SignJWT, UnsecuredJWT } from 'jose'
import { banner } from './banner.ts'
import { type SeenRequest, startTestApi, type TestApi } from './test-api.ts'

interface Sent {
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

async function call(api: TestApi, method: string, path: string, { headers = {}, body }: Sent = {}) {
  const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(api.url + path, { method, headers, ...(sent !== undefined && { body: sent }) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined }
}

async function signIn(api: TestApi, username = 'admin', password = 'password') {
  const { body } = await call(api, 'POST', '/auth/login', { body: { username, password } })
  const { accessToken, refreshToken } = body
  return { accessToken, refreshToken, headers: { authorization: `Bearer ${accessToken}` } }
}

suite('in mode none the test API', () => {
  test('lists, creates and deletes items', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const created = await call(api, 'POST', '/api/items', { body: { name: ' Stapler ', price: 3 } })
    assert.equal(created.status, 201)
    assert.equal(created.body.name, 'Stapler')
    const listed = await call(api, 'GET', '/api/items?search=STAP&limit=5')
    assert.deepEqual(listed.body, { items: [created.body], total: 4 })
    const path = `/api/items/${created.body.id}`
    assert.deepEqual((await call(api, 'DELETE', path)).body, { deleted: true, id: created.body.id })
    assert.equal((await call(api, 'DELETE', path)).status, 404)
  })

  const refused = [
    { name: 'an item without a name', body: { price: 1 }, error: 'INVALID_ITEM' },
    { name: 'an item that is null', body: 'null', error: 'INVALID_ITEM' },
    { name: 'an item with a blank name', body: { name: '  ' }, error: 'INVALID_ITEM' },
    { name: 'an item with a price that is a text', body: { name: 'a', price: '1' }, error: 'INVALID_ITEM' },
    { name: 'an item with a name of 201 characters', body: { name: 'a'.repeat(201) }, error: 'INVALID_ITEM' },
    { name: 'a body that is not JSON', body: '{"name":', error: 'INVALID_JSON' },
  ] as const
  for (const { name, body, error } of refused) {
    test(`answers 400 to ${name}`, async () => {
      await using api = await startTestApi({ mode: 'none' })
      const answer = await call(api, 'POST', '/api/items', { body })
      assert.equal(answer.status, 400)
      assert.equal(answer.body.error, error)
    })
  }

  test('answers 413 to a body of more than a megabyte', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const status = new Promise((resolve, reject) => {
      const sent = request(`${api.url}/api/items`, { method: 'POST' }, (answer) => resolve(answer.statusCode))
      sent.on('error', reject)
      // Not ended: the answer must not wait for the rest.
      sent.write('x'.repeat(1_000_001))
    })
    assert.equal(await status, 413)
  })

  test('answers 404 and 405 with Allow', async () => {
    await using api = await startTestApi({ mode: 'none' })
    assert.equal((await call(api, 'GET', '/api/nothing')).status, 404)
    assert.equal((await call(api, 'GET', '/nothing')).status, 404)
    assert.equal((await call(api, 'DELETE', '/api/items/one')).status, 404)
    assert.equal((await call(api, 'GET', '/api/items?limit=0')).status, 400)
    const answer = await call(api, 'PUT', '/api/items')
    assert.equal(answer.status, 405)
    assert.equal(answer.headers.get('allow'), 'GET, POST')
  })

  test('has no login, and never more than 1,000 items', async () => {
    await using api = await startTestApi({ mode: 'none' })
    assert.equal((await call(api, 'POST', '/auth/login', { body: {} })).status, 404)
    for (let made = 3; made < 1000; made += 1) await call(api, 'POST', '/api/items', { body: { name: 'one more' } })
    assert.equal((await call(api, 'POST', '/api/items', { body: { name: 'too many' } })).status, 409)
  })
})

test('mode apikey tells a missing key from a wrong one and lets the right one in', async () => {
  await using api = await startTestApi({ mode: 'apikey' })
  const missing = await call(api, 'GET', '/api/items')
  assert.deepEqual([missing.status, missing.body.error], [401, 'MISSING_API_KEY'])
  const wrong = await call(api, 'GET', '/api/items', { headers: { 'x-api-key': 'guess' } })
  assert.deepEqual([wrong.status, wrong.body.error], [401, 'INVALID_API_KEY'])
  const headers = { 'x-api-key': api.credentials.apiKey }
  assert.equal((await call(api, 'GET', '/api/stats', { headers })).body.requestedBy, 'api-key')
})

test('mode bearer takes its one token and no other', async () => {
  await using api = await startTestApi({ mode: 'bearer', bearerToken: 'mine' })
  const missing = await call(api, 'GET', '/api/items')
  assert.deepEqual([missing.status, missing.body.error], [401, 'MISSING_TOKEN'])
  assert.match(missing.headers.get('www-authenticate') ?? '', /^Bearer/)
  const wrong = await call(api, 'GET', '/api/items', { headers: { authorization: 'Bearer other' } })
  assert.deepEqual([wrong.status, wrong.body.error], [401, 'INVALID_TOKEN'])
  assert.equal((await call(api, 'GET', '/api/items', { headers: { authorization: 'bearer mine' } })).status, 200)
})

suite('mode jwt', () => {
  test('signs both sample users in and says who called', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    for (const { username, password } of api.credentials.users) {
      const { headers } = await signIn(api, username, password)
      assert.equal((await call(api, 'GET', '/api/stats', { headers })).body.requestedBy, username)
    }
  })

  const wrong = [
    {},
    { username: 'admin', password: 'alice123' },
    { username: 'eve', password: 'password' },
    'null',
    '[]',
  ]
  for (const body of wrong) {
    test(`refuses to sign in with ${JSON.stringify(body)}`, async () => {
      await using api = await startTestApi({ mode: 'jwt' })
      const answer = await call(api, 'POST', '/auth/login', { body })
      assert.deepEqual([answer.status, answer.body.error], [401, 'INVALID_CREDENTIALS'])
    })
  }

  test('refuses a token that is missing, forged, unsigned or of another process', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    await using other = await startTestApi({ mode: 'jwt' })
    const claims = { sub: 'admin', generation: 1 }
    const key = Buffer.alloc(32)
    const signed = new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('test-api')
      .setExpirationTime('1h')
    const tokens = [
      await signed.sign(key),
      new UnsecuredJWT(claims).setIssuer('test-api').setExpirationTime('1h').encode(),
      (await signIn(other)).accessToken,
    ]
    for (const token of tokens) {
      const answer = await call(api, 'GET', '/api/items', { headers: { authorization: `Bearer ${token}` } })
      assert.deepEqual([answer.status, answer.body.error], [401, 'INVALID_TOKEN'])
    }
    assert.equal((await call(api, 'GET', '/api/items')).body.error, 'MISSING_TOKEN')
  })

  test('ends an access token after 15 minutes and a refresh token after 7 days', async () => {
    const clock = { now: Date.parse('2026-01-01T00:00:00Z') }
    const start = clock.now
    await using api = await startTestApi({ mode: 'jwt', now: () => clock.now })
    const { headers, refreshToken } = await signIn(api)
    clock.now = start + 899_000
    assert.equal((await call(api, 'GET', '/api/items', { headers })).status, 200)
    clock.now = start + 900_000
    const expired = await call(api, 'GET', '/api/items', { headers })
    assert.deepEqual([expired.status, expired.body.error], [401, 'TOKEN_EXPIRED'])

    clock.now = start + 7 * 86_400_000 - 1
    const refreshed = await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })
    assert.deepEqual([refreshed.status, refreshed.body.expiresIn], [200, 900])
    const renewed = { authorization: `Bearer ${refreshed.body.accessToken}` }
    assert.equal((await call(api, 'GET', '/api/stats', { headers: renewed })).body.requestedBy, 'admin')
    clock.now += 1
    const late = await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })
    assert.deepEqual([late.status, late.body.error], [401, 'INVALID_REFRESH_TOKEN'])
  })

  test('revokes the access tokens issued so far and no refresh token', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    const { headers, refreshToken } = await signIn(api)
    api.revokeTokens()
    const refused = await call(api, 'GET', '/api/items', { headers })
    assert.deepEqual([refused.status, refused.body.error], [401, 'TOKEN_REVOKED'])
    const { body } = await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })
    const renewed = { authorization: `Bearer ${body.accessToken}` }
    assert.equal((await call(api, 'GET', '/api/items', { headers: renewed })).status, 200)
    api.revokeRefreshTokens()
    assert.equal((await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })).status, 401)
    assert.equal((await call(api, 'GET', '/api/items', { headers: renewed })).status, 200)
  })

  test('takes a refresh token once when refresh tokens rotate', async () => {
    await using api = await startTestApi({ mode: 'jwt', rotateRefreshTokens: true })
    const { refreshToken } = await signIn(api)
    const first = await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })
    assert.equal(first.status, 200)
    assert.equal((await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })).status, 401)
    const next = { refreshToken: first.body.refreshToken }
    assert.equal((await call(api, 'POST', '/auth/refresh', { body: next })).status, 200)
  })
})

suite('the test API counts', () => {
  test('logins, refreshes, calls and refusals, and tells them over HTTP', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    const { headers, refreshToken } = await signIn(api)
    await call(api, 'POST', '/auth/login', { body: { username: 'admin', password: 'no' } })
    await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })
    await call(api, 'GET', '/api/items', { headers })
    await call(api, 'GET', '/api/items')
    const counted = { logins: 1, refreshes: 1, calls: 1, refused: 2 }
    assert.deepEqual(api.counts, counted)
    assert.deepEqual((await call(api, 'GET', '/test/counts')).body, counted)
  })

  test('and revokes over HTTP', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    const { headers, refreshToken } = await signIn(api)
    assert.deepEqual((await call(api, 'POST', '/test/revoke')).body, { revoked: 'access' })
    assert.equal((await call(api, 'GET', '/api/items', { headers })).status, 401)
    assert.equal((await call(api, 'POST', '/test/revoke', { body: { tokens: 'all' } })).status, 400)
    await call(api, 'POST', '/test/revoke', { body: { tokens: 'refresh' } })
    assert.equal((await call(api, 'POST', '/auth/refresh', { body: { refreshToken } })).status, 401)
  })

  test('and keeps the last 1,000 requests, with no credential in them', async () => {
    const told: SeenRequest[] = []
    const now = () => 1_800_000_000_000
    await using api = await startTestApi({ mode: 'apikey', now, onRequest: (seen) => told.push(seen) })
    const key = 'a-wrong-key'
    await call(api, 'GET', `/api/items?key=${key}`, { headers: { 'x-api-key': key } })
    const entry = { method: 'GET', path: '/api/items', status: 401, at: now(), note: 'INVALID_API_KEY' }
    assert.deepEqual(api.seen, [entry])
    for (let sent = 0; sent < 1000; sent += 1) await call(api, 'GET', '/health')
    assert.equal(told.length, 1001)
    assert.equal(api.seen.length, 1000)
    assert.equal(api.seen[0]?.path, '/health')
  })
})

const publicAddress = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address

test('the routes for tests answer this machine only', {
  skip: !publicAddress && 'loopback is all there is',
}, async () => {
  await using api = await startTestApi({ mode: 'none', host: '0.0.0.0' })
  const outside = `http://${publicAddress}:${api.port}`
  assert.equal((await fetch(`${outside}/health`)).status, 200)
  assert.equal((await fetch(`${outside}/test/counts`)).status, 404)
  assert.equal((await fetch(`${outside}/test/revoke`, { method: 'POST' })).status, 404)
  assert.equal((await fetch(`${api.origin}/test/counts`)).status, 200)
})

test('the banner shows the credentials of its mode and no others', async () => {
  await using jwt = await startTestApi({ mode: 'jwt' })
  const text = banner(jwt)
  for (const said of [
    `${jwt.origin}/openapi.json`,
    `POST ${jwt.origin}/auth/login`,
    `POST ${jwt.origin}/auth/refresh`,
    'username: alice  password: alice123',
    'access token 15 min, refresh token 7 d',
    '/test/counts',
  ]) {
    assert.ok(text.includes(said), said)
  }
  assert.ok(!text.includes(jwt.credentials.apiKey))
  await using apikey = await startTestApi({ mode: 'apikey' })
  assert.ok(banner(apikey).includes(`X-Api-Key: ${apikey.credentials.apiKey}`))
  assert.ok(!banner(apikey).includes('alice123'))
})

test('a second server on the same port is refused', async () => {
  await using api = await startTestApi({ mode: 'none' })
  await assert.rejects(startTestApi({ mode: 'none', port: api.port }), { code: 'EADDRINUSE' })
})

test('a client that goes away in the middle of its body does no harm', async () => {
  const answered = Promise.withResolvers<SeenRequest>()
  await using api = await startTestApi({ mode: 'none', onRequest: answered.resolve })
  const sent = request(`${api.url}/api/items`, { method: 'POST', headers: { 'content-length': '100' } })
  sent.on('error', () => {
    // Expected: this side ends it.
  })
  sent.write('{"name"', () => sent.destroy())
  assert.equal((await answered.promise).note, 'failed')
  assert.equal((await call(api, 'GET', '/health')).status, 200)
})

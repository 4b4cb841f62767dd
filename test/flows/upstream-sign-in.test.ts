import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { type RecordedRequest, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const START = 1_800_000_000_000

/** The test API and a gateway before it, both on one clock, which stands until it is moved. */
async function startShop({ ttlSeconds = 900 }: { readonly ttlSeconds?: number } = {}) {
  await using parts = new AsyncDisposableStack()
  let nowMs = START
  const now = () => nowMs
  const api = parts.use(await startTestApi({ mode: 'jwt', ttlSeconds, now }))
  const gateway = parts.use(await startGateway({ now }))
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Shop',
    source: { url: `${api.origin}/openapi.json` },
    upstream: { auth: { type: 'bearer', token: '' } },
    params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
    tools: 'all',
  })
  const started = parts.move()
  return {
    ...{ api, client: mcpClient(endpoint), admin: adminClient(gateway) },
    /** Moves the clock to this many seconds after the start. */
    at: (seconds: number) => {
      nowMs = START + seconds * 1000
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

suite('the first call', () => {
  test('logs in and calls within one round trip of the client, with an empty bearer token and three params (D3, D9)', async () => {
    await using shop = await startShop()
    const { isError, result, status } = await shop.client.call('getStats')
    assert.equal(status, 200)
    assert.equal(isError, false)
    assert.match(result, /"requestedBy":"admin"/)
    const seen = shop.api.seen.filter(({ path }) => path !== '/openapi.json')
    assert.deepEqual(
      seen.map(({ method, path, status: answered }) => `${method} ${path} ${answered}`),
      ['POST /auth/login 200', 'GET /api/stats 200'],
    )
  })

  test('comes fifty times at once and still causes one login (D7)', async () => {
    await using shop = await startShop()
    const calls = await Promise.all(Array.from({ length: 50 }, () => shop.client.call('listItems')))
    assert.deepEqual(
      calls.filter(({ isError }) => isError).map(({ result }) => result),
      [],
    )
    assert.equal(shop.api.counts.logins, 1)
    assert.equal(shop.api.counts.calls, 50)
  })

  test('does not log in for a list of tools, nor for arguments that do not fit (D3)', async () => {
    await using shop = await startShop()
    await shop.client.list()
    assert.equal((await shop.client.call('deleteItem', { id: 'one' })).isError, true)
    assert.equal(shop.api.counts.logins, 0)
  })
})

suite('a token', () => {
  test('is kept until 30 s before its expiry: one login for many calls (D5)', async () => {
    await using shop = await startShop({ ttlSeconds: 900 })
    for (let count = 0; count < 25; count += 1) await shop.client.call('getStats')
    shop.at(869)
    for (let count = 0; count < 25; count += 1) await shop.client.call('getStats')
    assert.equal(shop.api.counts.calls, 50)
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [1, 0])
  })

  test('is refreshed before its expiry, within the call that needs it (D6)', async () => {
    await using shop = await startShop({ ttlSeconds: 900 })
    await shop.client.call('getStats')
    shop.at(870)
    assert.match((await shop.client.call('getStats')).result, /"requestedBy":"admin"/)
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes, shop.api.counts.refused], [1, 1, 0])
    const [last] = shop.api.seen.filter(({ path }) => path === '/auth/refresh')
    assert.equal(last?.method, 'POST')
    // The refreshed token lives as long as the first.
    shop.at(870 + 869)
    await shop.client.call('getStats')
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [1, 1])
  })

  test('is got by a full login in the same call when the refresh token was revoked (D6)', async () => {
    await using shop = await startShop({ ttlSeconds: 900 })
    await shop.client.call('getStats')
    shop.api.revokeRefreshTokens()
    shop.at(871)
    const { isError, requestId } = await shop.client.call('getStats')
    assert.equal(isError, false)
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [2, 0])
    const lines = await shop.admin.logs(`requestId=${requestId}`)
    assert.deepEqual(
      lines.map(({ kind, outcome }) => `${kind} ${outcome}`),
      ['refresh failed', 'login ok', 'request ok'],
    )
  })

  test('that lives less than a minute is kept for half of its life (D6)', async () => {
    await using shop = await startShop({ ttlSeconds: 40 })
    await shop.client.call('getStats')
    shop.at(19)
    await shop.client.call('getStats')
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [1, 0])
    shop.at(20)
    await shop.client.call('getStats')
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [1, 1])
    assert.equal(shop.api.counts.refused, 0)
  })

  test('needs one refresh for fifty calls at once (D6, D7)', async () => {
    await using shop = await startShop({ ttlSeconds: 900 })
    await shop.client.call('getStats')
    shop.at(880)
    const calls = await Promise.all(Array.from({ length: 50 }, () => shop.client.call('getStats')))
    assert.equal(calls.filter(({ isError }) => isError).length, 0)
    assert.deepEqual([shop.api.counts.logins, shop.api.counts.refreshes], [1, 1])
  })
})

const OPENAPI = {
  openapi: '3.0.3',
  info: { title: 'Recorded', version: '1' },
  paths: { '/thing': { get: { operationId: 'getThing', responses: {} } } },
}

interface OtherSettings {
  readonly login?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
  readonly params?: Readonly<Record<string, string>>
}

/** An API that answers every login with `answer`, and the tool `getThing` before it. */
async function startOther(answer: unknown, { login = {}, headers = {}, params = {} }: OtherSettings) {
  await using parts = new AsyncDisposableStack()
  let nowMs = START
  const isSignIn = ({ target }: RecordedRequest) => target !== '/thing'
  const api = parts.use(
    await startRecordingApi((request) => ({ status: 200, body: isSignIn(request) ? answer : { ok: true } })),
  )
  const gateway = parts.use(await startGateway({ now: () => nowMs }))
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Other',
    source: { document: JSON.stringify({ ...OPENAPI, servers: [{ url: api.url }] }) },
    upstream: { auth: { type: 'bearer', login }, headers },
    params: {
      login_url: `${api.url}/v1/session`,
      refresh_url: `${api.url}/v2/again?by=token`,
      ...{ username: 'ada', password: 'pa55 wörd' },
      ...params,
    },
  })
  const started = parts.move()
  return {
    ...{ api, client: mcpClient(endpoint) },
    signIns: () => api.seen.filter(isSignIn),
    calls: () => api.seen.filter((request) => !isSignIn(request)),
    later: (seconds: number) => {
      nowMs += seconds * 1000
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

suite('a login that is not like the others', () => {
  test('sends username and password as JSON and reads camel case (D4)', async () => {
    await using other = await startOther({ accessToken: 'camel-1', refreshToken: 'r', expiresIn: 900 }, {})
    assert.equal((await other.client.call('getThing')).isError, false)
    const [login] = other.signIns()
    assert.equal(login?.target, '/v1/session')
    assert.equal(login?.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(login?.body ?? ''), { username: 'ada', password: 'pa55 wörd' })
    assert.equal(other.calls()[0]?.headers['authorization'], 'Bearer camel-1')
  })

  test('reads snake case, and refreshes in it, at a refresh URL of its own (D4, D6)', async () => {
    await using other = await startOther({ access_token: 'snake-1', refresh_token: 'snake-r', expires_in: 100 }, {})
    await other.client.call('getThing')
    assert.equal(other.calls()[0]?.headers['authorization'], 'Bearer snake-1')
    other.later(69)
    await other.client.call('getThing')
    assert.equal(other.signIns().length, 1, 'kept for expires_in less 30 s')
    other.later(1)
    await other.client.call('getThing')
    const [, refresh] = other.signIns()
    assert.equal(refresh?.target, '/v2/again?by=token')
    assert.deepEqual(JSON.parse(refresh?.body ?? ''), { refresh_token: 'snake-r' })
  })

  test('finds the tokens by JSON pointers (D4)', async () => {
    const answer = { data: { auth: { 'to/ken': 'deep-1', again: 'deep-r', ttl: '100' } } }
    const pointers = {
      accessToken: '/data/auth/to~1ken',
      refreshToken: '/data/auth/again',
      expiresIn: '/data/auth/ttl',
    }
    await using other = await startOther(answer, { login: pointers })
    await other.client.call('getThing')
    assert.equal(other.calls()[0]?.headers['authorization'], 'Bearer deep-1')
    other.later(70)
    await other.client.call('getThing')
    assert.deepEqual(JSON.parse(other.signIns()[1]?.body ?? ''), { refreshToken: 'deep-r' })
  })

  test('puts any param into the login body, its headers and the headers of calls (D3, D4)', async () => {
    await using other = await startOther(
      { token: 'templated-1' },
      {
        login: {
          body: { who: { user: '{{username}}', pass: '{{password}}' }, tenant: 't-{{ tenant }}', keep: 7 },
          headers: { 'X-Client': '{{client_key}}' },
        },
        headers: { 'X-Tenant': 'tenant {{tenant}}' },
        params: { tenant: '{{password}}', client_key: 'ck-123' },
      },
    )
    assert.equal((await other.client.call('getThing')).isError, false)
    const [login] = other.signIns()
    // A value that looks like a placeholder stays as it is.
    assert.deepEqual(JSON.parse(login?.body ?? ''), {
      who: { user: 'ada', pass: 'pa55 wörd' },
      tenant: 't-{{password}}',
      keep: 7,
    })
    assert.equal(login?.headers['x-client'], 'ck-123')
    const [call] = other.calls()
    assert.equal(call?.headers['x-tenant'], 'tenant {{password}}')
    assert.equal(call?.headers['x-client'], undefined)
  })

  test('takes a form and a refresh body when told to (D4, D6)', async () => {
    await using other = await startOther(
      { access_token: 'form-1', refresh_token: 'form r', expires_in: 100 },
      { login: { contentType: 'form', refreshBody: { grant: 'again', with: '{{refresh_token}}' } } },
    )
    await other.client.call('getThing')
    const [login] = other.signIns()
    assert.equal(login?.headers['content-type'], 'application/x-www-form-urlencoded')
    assert.deepEqual(Object.fromEntries(new URLSearchParams(login?.body)), { username: 'ada', password: 'pa55 wörd' })
    other.later(70)
    await other.client.call('getThing')
    assert.equal(other.signIns()[1]?.body, 'grant=again&with=form+r')
  })

  test('names every param that is not set, and asks nobody (D3)', async () => {
    await using other = await startOther(
      { token: 'never' },
      { login: { body: { user: '{{username}}', code: '{{code}}', area: '{{area}}' } } },
    )
    const { isError, result } = await other.client.call('getThing')
    assert.equal(isError, true)
    assert.match(result, /code, area/)
    assert.equal(other.api.seen.length, 0)
  })
})

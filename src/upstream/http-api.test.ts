import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, suite, test } from 'node:test'
import { type Credential, NO_CREDENTIAL } from '../credentials/credential.ts'
import { createCredentials, type OperationCredential } from '../credentials/credentials.ts'
import { createEgress } from '../egress/create-egress.ts'
import { upstreamSettings } from '../workspaces/settings.ts'
import { callWithRenewal } from './call-with-renewal.ts'
import { callHttpApi, parseServer, type UpstreamRequest } from './http-api.ts'

/** An API behind a login: it takes the tokens that are in `good`, and each login makes another one. */
const api = { good: new Set<string>(), logins: 0, calls: 0, loginStatus: 200 }
const requests: http.IncomingMessage[] = []
const egress = createEgress()
let origin = ''

const server = http.createServer((request, response) => {
  if (request.url === '/auth/login') {
    api.logins += 1
    const token = `at-${api.logins}`
    if (api.loginStatus === 200) api.good.add(token)
    response.writeHead(api.loginStatus).end(JSON.stringify({ accessToken: token, expiresIn: 900 }))
    return
  }
  api.calls += 1
  requests.push(request)
  if (request.url === '/base/hang') return
  const isGood = api.good.has(request.headers.authorization?.slice(7) ?? '')
  response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' }).end(`{"url":"${request.url}"}`)
})

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  origin = `http://127.0.0.1:${address.port}`
})

after(async () => {
  server.closeAllConnections()
  server.close()
  await egress.close()
})

const get = (path: string): UpstreamRequest => ({ method: 'GET', path, headers: {} })

async function call(request: UpstreamRequest, headers: Record<string, string> = {}, base = `${origin}/base`) {
  return callHttpApi({
    egress,
    server: parseServer(base),
    request,
    credential: { ...NO_CREDENTIAL, headers },
    timeoutMs: 5000,
    responseBytesMax: 10_000,
    reach: 'operator',
    requestId: 'req-1',
  })
}

suite('callHttpApi', () => {
  test('calls below the base path, with our headers, and the credential wins over arguments (D17)', async () => {
    api.good.add('right')
    const headers = { authorization: 'Bearer wrong', 'x-request-id': 'forged', accept: 'text/csv', 'X-Own': '1' }
    const answer = await call({ ...get('/items?a=b%20c'), headers }, { Authorization: 'Bearer right' })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.equal(answer.body.toString(), '{"url":"/base/items?a=b%20c"}')
    const seen = requests.at(-1)?.headers
    assert.equal(seen?.authorization, 'Bearer right')
    assert.equal(seen?.['x-request-id'], 'req-1')
    assert.equal(seen?.accept, 'text/csv')
    assert.equal(seen?.['x-own'], '1')
    assert.equal(seen?.['user-agent'], 'gatehouse')
    assert.equal(seen?.['accept-encoding'], undefined)
  })

  test('takes a server with or without a path or a final slash', async () => {
    for (const [base, url] of [
      [origin, '/items'],
      [`${origin}/`, '/items'],
      [`${origin}/base/`, '/base/items'],
    ] as const) {
      const answer = await call(get('/items'), { Authorization: 'Bearer right' }, base)
      assert.equal(answer.body.toString(), `{"url":"${url}"}`)
    }
  })

  const climbing = [
    '/../admin',
    '/items/..',
    '/items/../../x',
    '/items/%2e%2E/x',
    '/items/.%2e/x',
    '/items/./x',
    '/items/..%2fadmin',
    '/items/..%5Cadmin',
    '/items/..\\admin',
    '/items\\x',
    '/items/..;/admin',
    '/items#x',
    'items',
    '@evil.example/',
    'http://evil.example/',
    '',
  ]
  for (const path of climbing) {
    test(`refuses the path ${JSON.stringify(path)} (T14)`, async () => {
      const before = api.calls
      await assert.rejects(call(get(path)), { code: 'unsafe_value' })
      assert.equal(api.calls, before)
    })
  }

  test('lets dots pass that climb nowhere', async () => {
    for (const path of ['/items/...', '/items/a..b', '/items/.well-known', '/items?path=../x', '/items/%252e%252e']) {
      assert.equal((await call(get(path))).body.toString(), `{"url":"/base${path}"}`)
    }
  })

  test('refuses a line break in a header before the dial (T22)', async () => {
    const before = api.calls
    await assert.rejects(call({ ...get('/items'), headers: { 'x-a': 'canary\r\nx-b: 1' } }), { code: 'unsafe_value' })
    assert.equal(api.calls, before)
  })

  test('says that the API did not answer', async () => {
    const hanging = callHttpApi({
      egress,
      server: parseServer(`${origin}/base`),
      request: get('/hang'),
      credential: NO_CREDENTIAL,
      timeoutMs: 100,
      responseBytesMax: 10_000,
      reach: 'operator',
      requestId: 'req-1',
    })
    await assert.rejects(hanging, { code: 'upstream_timeout', message: 'The API did not answer within 100 ms.' })
  })
})

suite('callWithRenewal', () => {
  function loginCredentials() {
    Object.assign(api, { good: new Set(), logins: 0, calls: 0, loginStatus: 200 })
    const params = { login_url: `${origin}/auth/login`, username: 'admin', password: 'canary-password' }
    const world = {
      egress,
      reach: 'operator',
      now: () => 1_700_000_000_000,
      writeRecord: () => {},
      workspace: { id: 'abc', slug: 'shop' },
    } as const
    return createCredentials(upstreamSettings.parse({ auth: { type: 'bearer' } }), params, world).of(undefined)
  }
  const ctx = { requestId: 'req-1' }
  const callSignedIn = async (source: OperationCredential, send: (credential: Credential) => ReturnType<typeof call>) =>
    callWithRenewal(source, ctx, source.get(ctx), { send, finish: (answer) => answer })
  const callItems = ({ headers }: Credential) => call(get('/items'), headers)

  test('logs in and calls in one go (D9), 50 at once with one login (D7)', async () => {
    const credentials = loginCredentials()
    const answers = await Promise.all(Array.from({ length: 50 }, () => callSignedIn(credentials, callItems)))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.deepEqual([api.logins, api.calls], [1, 50])
  })

  test('logs in again after the token was revoked, once for all, and calls once more (D8)', async () => {
    const credentials = loginCredentials()
    await callSignedIn(credentials, callItems)
    api.good.clear()
    const answers = await Promise.all(Array.from({ length: 20 }, () => callSignedIn(credentials, callItems)))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.deepEqual([api.logins, api.calls], [2, 1 + 20 + 20])
  })

  test('gives a second 401 as the answer', async () => {
    const credentials = loginCredentials()
    const answer = await callSignedIn(credentials, () => call(get('/items'), { Authorization: 'Bearer bad' }))
    assert.equal(answer.status, 401)
    assert.equal(api.calls, 2)
  })

  test('does not repeat a call whose credential cannot be renewed', async () => {
    loginCredentials()
    const fixed = upstreamSettings.parse({ auth: { type: 'bearer', token: 'bad' } })
    const world = {
      egress,
      reach: 'operator',
      now: () => 0,
      writeRecord: () => {},
      workspace: { id: 'a', slug: 's' },
    } as const
    const answer = await callSignedIn(createCredentials(fixed, {}, world).of(undefined), callItems)
    assert.equal(answer.status, 401)
    assert.deepEqual([api.logins, api.calls], [0, 1])
  })

  test('fails with the login’s error, and without another login, while logins fail', async () => {
    const credentials = loginCredentials()
    await callSignedIn(credentials, callItems)
    api.good.clear()
    api.loginStatus = 401
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await assert.rejects(callSignedIn(credentials, callItems), (error: Error) => {
        assert.match(error.message, /401 Unauthorized/)
        assert.ok(!error.message.includes('canary'))
        return true
      })
    }
    assert.equal(api.logins, 2)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const START = 1_800_000_000_000
const CANARY = 'canary-Pa55word-7f3a'

suite('a token that the API has revoked', () => {
  test('is renewed and the call repeated once: the client sees success (D8)', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace(shopOf(api.origin, 'password'))
    const client = mcpClient(endpoint)
    await client.call('getStats')
    api.revokeTokens()
    const { isError, result, requestId } = await client.call('createItem', { name: 'Once only' })
    assert.equal(isError, false, result)
    assert.deepEqual([api.counts.logins, api.counts.refused], [2, 1])
    const made = api.seen.filter(({ method, path }) => method === 'POST' && path === '/api/items')
    assert.deepEqual(
      made.map(({ status }) => status),
      [401, 201],
    )
    const lines = await adminClient(gateway).logs(`requestId=${requestId}`)
    assert.deepEqual(
      lines.map(({ kind, outcome }) => `${kind} ${outcome}`),
      ['login ok', 'request ok'],
    )
  })

  test('costs one login for all calls that meet it at once (D7, D8)', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace(shopOf(api.origin, 'password'))
    const client = mcpClient(endpoint)
    await client.call('getStats')
    api.revokeTokens()
    const calls = await Promise.all(Array.from({ length: 20 }, () => client.call('getStats')))
    assert.equal(calls.filter(({ isError }) => isError).length, 0)
    assert.equal(api.counts.logins, 2)
  })
})

suite('an API that answers 401 whatever it is sent', () => {
  test('gets each call at most twice, few logins, and its 401 is a tool error (D8)', async () => {
    let logins = 0
    await using api = await startRecordingApi(({ target }) => {
      if (target !== '/login') return { status: 401, body: { error: 'GO_AWAY' } }
      logins += 1
      return { status: 200, body: { accessToken: `fresh-${logins}`, expiresIn: 900 } }
    })
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace(oneTool(api.url, { login_url: `${api.url}/login` }))
    const client = mcpClient(endpoint)
    const { isError, result } = await client.call('getThing')
    assert.equal(isError, true)
    assert.match(result, /^GET \/thing answered 401 Unauthorized: .*GO_AWAY/)
    const calls = () => api.seen.filter(({ target }) => target === '/thing')
    assert.deepEqual(
      calls().map(({ headers }) => headers['authorization']),
      ['Bearer fresh-1', 'Bearer fresh-2'],
    )
    for (let count = 0; count < 20; count += 1) assert.equal((await client.call('getThing')).isError, true)
    assert.ok(calls().length <= 2 * 21)
    assert.equal(logins, 4, 'the first and three renewals a minute')
  })

  test('gets a call with a static token once: there is nothing to renew (D8)', async () => {
    await using api = await startRecordingApi(() => ({ status: 401, body: { error: 'GO_AWAY' } }))
    await using gateway = await startGateway()
    const workspace = oneTool(api.url, {})
    const upstream = { auth: { type: 'bearer', token: CANARY } }
    const { endpoint } = await gateway.makeWorkspace({ ...workspace, upstream })
    const { isError, result } = await mcpClient(endpoint).call('getThing')
    assert.equal(isError, true)
    assert.match(result, /401/)
    assert.equal(api.seen.length, 1)
  })
})

suite('a login that fails', () => {
  test('is a tool error that names what failed and no secret, and rests before the next one (D8)', async () => {
    let nowMs = START
    await using api = await startTestApi({ mode: 'jwt', now: () => nowMs })
    await using gateway = await startGateway({ now: () => nowMs })
    const { endpoint, workspace } = await gateway.makeWorkspace(shopOf(api.origin, CANARY))
    const client = mcpClient(endpoint)
    const first = await client.call('getStats')
    assert.equal(first.status, 200)
    assert.equal(first.isError, true)
    assert.equal(
      first.result,
      'The login to the API failed. The login URL answered 401 Unauthorized. Check the params username and password.',
    )
    assert.ok(!first.text.includes(CANARY))

    const logins = () => api.seen.filter(({ path }) => path === '/auth/login').length
    const next = await Promise.all(Array.from({ length: 10 }, () => client.call('getStats')))
    for (const { isError, result } of next) {
      assert.equal(isError, true)
      assert.match(result, /^The login to the API failed\. .* Next attempt in 60 s\.$/)
    }
    assert.equal(logins(), 1)

    // A wrong password tried again and again locks accounts: the rests grow.
    nowMs += 60_000
    await client.call('getStats')
    assert.equal(logins(), 2)
    assert.match((await client.call('getStats')).result, /Next attempt in 120 s\.$/)
    assert.equal(logins(), 2)
    assert.equal(api.counts.calls, 0, 'no call went out without its credential')

    // The right password counts at once.
    const admin = adminClient(gateway)
    const changed = await admin.send('PATCH', `/api/workspaces/${workspace.id}`, { params: { password: 'password' } })
    assert.equal(changed.status, 200)
    assert.equal((await client.call('getStats')).isError, false)
  })

  const cases = [
    { name: 'a wrong password', path: '/login/wrong', says: /The login URL answered 401 Unauthorized/ },
    { name: 'a web page', path: '/login/html', says: /with a web page, not with JSON/ },
    { name: 'no token', path: '/login/no-token', says: /without a token\. Looked for accessToken/ },
    { name: 'the password itself', path: '/login/echo', says: /The login URL answered 400 Bad Request/ },
    {
      name: 'nothing at the path',
      path: '/nowhere',
      says: /The login URL answered 404 Not Found\. Check the param login_url/,
    },
    {
      name: 'a dropped connection',
      path: '/drop',
      says: /The login URL could not be reached: the connection was dropped/,
    },
  ] as const
  for (const { name, path, says } of cases) {
    test(`answers ${name}: the error says so, without a secret (D8, D10)`, async () => {
      await using api = await startFaultyApi()
      await using gateway = await startGateway()
      const params = { login_url: `${api.origin}${path}`, username: 'ada', password: CANARY }
      const { endpoint } = await gateway.makeWorkspace(oneTool(api.origin, params))
      const client = mcpClient(endpoint)
      const { isError, result, text } = await client.call('getThing')
      assert.equal(isError, true)
      assert.match(result, /^The login to the API failed\. /)
      assert.match(result, says)
      assert.match((await client.call('getThing')).result, /Next attempt in \d+ s\.$/)
      assert.deepEqual(
        api.seen.map((request) => request.path),
        [path],
      )
      const logs = await adminClient(gateway).send('GET', '/api/logs')
      for (const shown of [text, logs.text, gateway.log.join('')]) assert.ok(!shown.includes(CANARY))
    })
  }

  test('nobody listens: the error says so (D8)', async () => {
    const closed = await startFaultyApi()
    await closed.stop()
    await using gateway = await startGateway()
    const params = { login_url: `${closed.origin}/login`, username: 'ada', password: CANARY }
    const { endpoint } = await gateway.makeWorkspace(oneTool(closed.origin, params))
    const { isError, result } = await mcpClient(endpoint).call('getThing')
    assert.equal(isError, true)
    assert.match(
      result,
      /^The login to the API failed\. The login URL could not be reached: the connection was refused/,
    )
  })
})

function shopOf(origin: string, password: string) {
  return {
    name: 'Shop',
    source: { url: `${origin}/openapi.json` },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${origin}/auth/login`, username: 'admin', password },
    tools: 'all',
  }
}

function oneTool(origin: string, params: Readonly<Record<string, string>>) {
  const document = {
    openapi: '3.1.0',
    info: { title: 'One tool', version: '1' },
    servers: [{ url: origin }],
    paths: { '/thing': { get: { operationId: 'getThing', responses: {} } } },
  }
  return {
    name: 'One tool',
    source: { document: JSON.stringify(document) },
    upstream: { auth: { type: 'bearer' } },
    params: { username: 'ada', password: CANARY, ...params },
  }
}

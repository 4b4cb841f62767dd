import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { addressesOf, apiAddressesOf, CONTENT_TYPES, MESSAGES, METHODS, TOOL_CALL } from './support/attempts.ts'
import { at, callApi, callTool } from './support/client.ts'
import { type RawAnswer, type RawRequest, sendRaw } from './support/raw-http.ts'

/** What somebody without a credential may be told. 400 comes from Node's own parser, before there is a request. */
const REFUSALS = new Set([401, 403, 404, 405, 413, 415])
let gateway: TestGateway
let upstream: RecordingApi
let path = ''
let id = ''
let goodToken = ''

before(async () => {
  upstream = await startRecordingApi()
  gateway = await startGateway()
  const document = JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    servers: [{ url: upstream.url }],
    paths: { '/things': { get: { operationId: 'listThings' } } },
  })
  const callers = testCallers()
  const settings = { name: 'guarded', source: { document }, auth: callers.auth, tools: 'all' }
  const { workspace, endpoint } = await gateway.makeWorkspace(settings)
  path = new URL(endpoint).pathname
  id = workspace.id
  goodToken = await callers.token()
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

async function assertRefused(request: RawRequest, what: string): Promise<RawAnswer> {
  const answer = await sendRaw(gateway.url, request)
  assert.ok(REFUSALS.has(answer.status), `${what}: ${answer.whole.slice(0, 400)}`)
  assert.equal(answer.headers.get('mcp-session-id'), undefined, `${what}: a session was opened`)
  assert.ok(!answer.body.includes('listThings'), `${what}: a tool was named`)
  assert.equal(upstream.connections(), 0, `${what}: the upstream was called`)
  return answer
}

function json(headers: readonly string[] = []): readonly string[] {
  return ['Content-Type: application/json', 'Accept: application/json, text/event-stream', ...headers]
}

suite('T3: without a token no request reaches a workspace', () => {
  test('at every address, by every method, with every message', async () => {
    for (const target of addressesOf({ origin: gateway.url, path, token: goodToken })) {
      for (const method of METHODS) {
        const isPlain = method !== 'POST'
        for (const { name, headers, body } of isPlain ? MESSAGES.slice(2, 3) : MESSAGES) {
          await assertRefused({ method, target, headers: json(headers), body }, `${method} ${target}, ${name}`)
        }
      }
    }
  })

  test('an existing workspace asks for a token, at every alias and for every kind of message', async () => {
    for (const alias of ['', '/', '/mcp', '/sse', '/message', '/messages', '/mcp/message']) {
      for (const { name, headers, body } of MESSAGES) {
        const request = { method: 'POST', target: path + alias, headers: json(headers), body }
        const answer = await assertRefused(request, name)
        assert.equal(answer.status, 401, name)
        const metadata = `${gateway.url}/.well-known/oauth-protected-resource${path}${alias}`
        assert.equal(answer.headers.get('www-authenticate'), `Bearer resource_metadata="${metadata}"`)
      }
    }
  })

  test('with every content type and every Accept', async () => {
    for (const type of CONTENT_TYPES) {
      for (const accept of ['*/*', 'text/event-stream', 'text/html', '']) {
        const headers = [`Content-Type: ${type}`, `Accept: ${accept}`]
        for (const method of ['POST', 'GET', 'PUT']) {
          const answer = await assertRefused(
            { method, target: path, headers, body: TOOL_CALL },
            `${method} ${type} ${accept}`,
          )
          assert.equal(answer.status, 401)
        }
      }
    }
  })

  const credentials: readonly { readonly name: string; readonly headers: readonly string[] }[] = [
    { name: 'an empty Authorization', headers: ['Authorization:'] },
    { name: 'Bearer and nothing', headers: ['Authorization: Bearer'] },
    { name: 'Bearer and spaces', headers: ['Authorization: Bearer    '] },
    { name: 'Bearer null', headers: ['Authorization: Bearer null'] },
    { name: 'Bearer undefined', headers: ['Authorization: Bearer undefined'] },
    { name: 'another scheme', headers: ['Authorization: Basic YWRtaW46YWRtaW4='] },
    { name: 'Negotiate', headers: ['Authorization: Negotiate oRQwEqADCgEBoQsGCSqGSIL3EgECAg=='] },
    { name: 'an empty agent-session', headers: ['agent-session:'] },
    { name: 'an agent-session of spaces', headers: ['agent-session:    '] },
    { name: 'an agent-session that is no token', headers: ['agent-session: admin'] },
    { name: 'an X-API-Key', headers: ['X-API-Key: mcp_sk_0123456789abcdef'] },
    { name: 'a forged user', headers: ['X-User-ID: admin', 'X-Forwarded-User: admin', 'Remote-User: admin'] },
    { name: 'a client certificate of a proxy', headers: ['X-SSL-Client-Verify: SUCCESS', 'X-Client-Cert: x'] },
    {
      name: 'an internal caller',
      headers: ['X-Forwarded-For: 127.0.0.1', 'X-Real-IP: 127.0.0.1', 'Forwarded: for=127.0.0.1'],
    },
    { name: 'a method override', headers: ['X-HTTP-Method-Override: GET', 'X-Method-Override: OPTIONS'] },
    {
      name: 'another original address',
      headers: ['X-Original-URL: /health/live', 'X-Rewrite-URL: /health/live', 'X-Forwarded-Prefix: /health'],
    },
    { name: 'a stdio transport', headers: ['X-Transport: stdio', 'MCP-Transport: stdio'] },
    { name: 'a cookie', headers: ['Cookie: session=admin; token=admin; authorization=Bearer admin'] },
    { name: 'the admin credential of nobody', headers: ['Authorization: Bearer admin'] },
    {
      name: 'a preflight’s headers',
      headers: ['Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: authorization'],
    },
    {
      name: 'an Upgrade',
      headers: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: eA=='],
    },
  ]
  for (const { name, headers } of credentials) {
    test(`with ${name}`, async () => {
      for (const method of ['POST', 'GET']) {
        const answer = await assertRefused({ method, target: path, headers: json(headers), body: TOOL_CALL }, method)
        assert.equal(answer.status, 401)
      }
    })
  }

  test('with Authorization twice, though one of them is good', async () => {
    for (const [first, second] of [
      ['Bearer nonsense', `Bearer ${goodToken}`],
      [`Bearer ${goodToken}`, 'Bearer nonsense'],
      [`Bearer ${goodToken}`, `Bearer ${goodToken}`],
      [`Bearer ${goodToken}`, ''],
    ]) {
      const headers = json([`Authorization: ${first}`, `Authorization: ${second}`])
      const answer = await assertRefused(
        { method: 'POST', target: path, headers, body: TOOL_CALL },
        `${first} ${second}`,
      )
      assert.equal(answer.status, 401)
    }
  })

  test('with a good agent-session behind a Bearer that is not', async () => {
    const headers = json(['Authorization: Bearer nonsense', `agent-session: ${goodToken}`])
    const answer = await assertRefused({ method: 'POST', target: path, headers, body: TOOL_CALL }, 'nonsense')
    assert.equal(answer.status, 401)
  })

  test('with a good agent-session behind an Authorization that came twice', async () => {
    for (const scheme of ['Basic eDp5', '']) {
      const twice = [`Authorization: ${scheme}`, `Authorization: ${scheme}`, `agent-session: ${goodToken}`]
      const answer = await assertRefused(
        { method: 'POST', target: path, headers: json(twice), body: TOOL_CALL },
        scheme,
      )
      assert.equal(answer.status, 401)
    }
  })

  test('with the admin key: it is for /api, not for workspaces', async () => {
    const headers = json([`Authorization: Bearer ${gateway.adminKey}`])
    const answer = await assertRefused({ method: 'POST', target: path, headers, body: TOOL_CALL }, 'admin key')
    assert.equal(answer.status, 401)
  })

  test('in chunks, with a trailer that names a token, and over HTTP/1.0', async () => {
    const size = Buffer.byteLength(TOOL_CALL).toString(16)
    const chunked = `${size}\r\n${TOOL_CALL}\r\n0\r\n`
    const trailer = `Authorization: Bearer ${goodToken}\r\nAgent-Session: ${goodToken}\r\n\r\n`
    const headers = json(['Transfer-Encoding: chunked', 'Trailer: Authorization, Agent-Session'])
    await assertRefused({ method: 'POST', target: path, headers, body: `${chunked}\r\n` }, 'chunked')
    const withTrailer = await assertRefused(
      { method: 'POST', target: path, headers, body: chunked + trailer },
      'trailer',
    )
    assert.equal(withTrailer.status, 401)
    const old = { method: 'POST', target: path, version: 'HTTP/1.0', headers: json(), body: TOOL_CALL }
    assert.equal((await assertRefused(old, 'HTTP/1.0')).status, 401)
    const noHost = { ...old, bare: true, headers: [...json(), 'Connection: close'] }
    assert.equal((await assertRefused(noHost, 'HTTP/1.0 without Host')).status, 403)
  })

  test('with a body over the limit: nobody is asked for more before they said who they are', async () => {
    const headers = json(['Content-Length: 99000000'])
    const answer = await assertRefused({ method: 'POST', target: path, headers, body: '{' }, 'a long body')
    assert.equal(answer.status, 401)
  })

  test('a preflight answers only itself', async () => {
    for (const target of [path, '/mcp', '/api/workspaces', '*', '/nothing']) {
      const headers = json(['Origin: http://localhost:1234', 'Access-Control-Request-Method: POST'])
      const answer = await sendRaw(gateway.url, { method: 'OPTIONS', target, headers, body: TOOL_CALL })
      assert.equal(answer.status, 204, answer.whole)
      assert.equal(answer.body, '')
      assert.ok(!(answer.headers.get('access-control-allow-origin') ?? '').includes('*'))
    }
    assert.equal(upstream.connections(), 0)
  })

  test('requests that Node itself refuses get nowhere', async () => {
    const broken: readonly RawRequest[] = [
      { method: 'POST', target: path, headers: ['Transfer-Encoding: chunked', 'Content-Length: 5'], body: TOOL_CALL },
      { method: 'POST', target: path, headers: ['Content-Length: 5', 'Content-Length: 6'], body: TOOL_CALL },
      { method: 'POST', target: path, headers: ['Transfer-Encoding: chunked, identity'], body: TOOL_CALL },
      { method: 'POST', target: path, headers: ['Transfer-Encoding : chunked'], body: TOOL_CALL },
      { method: 'POST', target: path, headers: [' Authorization: Bearer x'], body: TOOL_CALL },
      { method: 'POST', target: path, bare: true, headers: json(), body: TOOL_CALL },
      { method: 'POST', target: `${path} /health/live`, headers: json(), body: TOOL_CALL },
      { method: 'CONNECT', target: 'localhost:80', headers: json() },
      { method: 'NOPE', target: path, headers: json(), body: TOOL_CALL },
      { method: 'POST', target: path, version: 'HTTP/2.0', headers: json(), body: TOOL_CALL },
    ]
    for (const request of broken) {
      const answer = await sendRaw(gateway.url, request)
      assert.ok([0, 400, 401, 404, 505].includes(answer.status), answer.whole)
      assert.ok(!answer.whole.includes('200 OK'), answer.whole)
    }
    assert.equal(upstream.connections(), 0)
  })

  test('a second request behind the first is checked like the first', async () => {
    const second = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${TOOL_CALL.length}\r\n\r\n${TOOL_CALL}`
    const body = `0\r\n\r\n${second}`
    for (const framing of ['Content-Length: 0', 'Transfer-Encoding: chunked']) {
      const headers = [framing, 'Host: localhost']
      const sent = framing.startsWith('C') ? second : body
      const answer = await sendRaw(gateway.url, { bare: true, target: '/health/live', headers, body: sent })
      assert.ok(answer.whole.startsWith('HTTP/1.1 200 OK'), answer.whole)
      assert.ok(/HTTP\/1\.1 401/.test(answer.whole) || !answer.whole.slice(12).includes('HTTP/1.1'), answer.whole)
    }
    assert.equal(upstream.connections(), 0)
  })

  test('the same request with a good token is served', async () => {
    const called = await callTool(gateway.url + path, goodToken, 'listThings')
    assert.equal(called.isError, false, called.text)
    assert.equal(upstream.seen.length, 1)
  })
})

suite('T3: without the admin key /api answers nobody', () => {
  const bodies = ['', '{}', '{"name":"mine"}', '{"url":"http://127.0.0.1:1/"}']

  test('at every address, by every method, with every body', async () => {
    const names = () => gateway.running.gateway.manager.list().map((workspace) => workspace.name)
    const before = names()
    for (const target of apiAddressesOf({ origin: gateway.url, path, id, adminKey: gateway.adminKey })) {
      for (const method of METHODS) {
        for (const body of method === 'POST' ? bodies : bodies.slice(0, 2)) {
          const answer = await sendRaw(gateway.url, { method, target, headers: json(), body })
          assert.ok([401, 404].includes(answer.status), `${method} ${target}: ${answer.whole.slice(0, 300)}`)
          assert.ok(!answer.body.includes(id), `${method} ${target}`)
        }
      }
    }
    assert.deepEqual(names(), before)
  })

  test('a path below /api is 401 whether or not it exists, and says how to come in', async () => {
    for (const target of ['/api/workspaces', `/api/workspaces/${id}`, '/api/workspaces/nothing', '/api/nothing']) {
      const answer = await sendRaw(gateway.url, { target })
      assert.equal(answer.status, 401)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
      assert.match(answer.body, /needs Authorization: Bearer <admin key or sign-in>/)
    }
  })

  test('no other credential is the admin key', async () => {
    const tries = [
      `Authorization: Bearer ${goodToken}`,
      `Authorization: Bearer ${gateway.adminKey}x`,
      `Authorization: Bearer ${gateway.adminKey.slice(0, -1)}`,
      `Authorization: Bearer ${gateway.adminKey.toUpperCase()}`,
      `Authorization: Basic ${Buffer.from(`admin:${gateway.adminKey}`).toString('base64')}`,
      `Authorization: ${gateway.adminKey}`,
      `Authorization: Bearer ${gateway.adminKey} x`,
      'Authorization: Bearer',
      'Authorization:',
      `X-API-Key: ${gateway.adminKey}`,
      `agent-session: ${gateway.adminKey}`,
      `X-Admin-Key: ${gateway.adminKey}`,
      `Cookie: admin=${gateway.adminKey}; Authorization=Bearer ${gateway.adminKey}`,
    ]
    for (const line of tries) {
      const answer = await sendRaw(gateway.url, { target: '/api/workspaces', headers: [line] })
      assert.equal(answer.status, 401, line)
    }
    const twice = [`Authorization: Bearer ${gateway.adminKey}`, 'Authorization: Bearer x']
    assert.equal((await sendRaw(gateway.url, { target: '/api/workspaces', headers: twice })).status, 401)
    assert.equal((await callApi(gateway, 'GET', '/api/workspaces')).status, 200)
  })

  test('a form of another site’s page changes nothing, even with the key', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const headers = [`Authorization: Bearer ${gateway.adminKey}`, `Content-Type: ${type}`]
      const answer = await sendRaw(gateway.url, {
        method: 'POST',
        target: '/api/workspaces',
        headers,
        body: '{"name":"x"}',
      })
      assert.equal(answer.status, 415, answer.whole)
    }
    const origin = [`Authorization: Bearer ${gateway.adminKey}`, 'Origin: https://evil.example', ...json()]
    const answer = await sendRaw(gateway.url, {
      method: 'POST',
      target: '/api/workspaces',
      headers: origin,
      body: '{"name":"x"}',
    })
    assert.equal(answer.status, 403)
  })
})

suite('T3: what answers without a credential tells nothing that matters', () => {
  test('health, preflight, metadata and the description of /api are all there is', async () => {
    const open = [
      { target: '/health/live', holds: '"ok"' },
      { target: '/health/ready', holds: '"ok"' },
      { target: `/.well-known/oauth-protected-resource${path}`, holds: '"resource"' },
      { target: '/api/openapi.json', holds: '"openapi":"3.1.0"' },
      { target: '/.well-known/jwks.json', holds: '{"keys":[' },
    ]
    for (const { target, holds } of open) {
      const answer = await sendRaw(gateway.url, { target })
      assert.equal(answer.status, 200, target)
      assert.ok(answer.body.includes(holds), answer.body)
      for (const secret of ['listThings', upstream.url, gateway.adminKey, 'gatehouse-test', gateway.folder]) {
        assert.ok(!answer.body.includes(secret), `${target} tells ${secret}`)
      }
    }
    const closed = [
      '/',
      '/app/',
      '/metrics',
      '/health',
      '/health/',
      '/health/live/',
      '/favicon.ico',
      '/robots.txt',
      '/openapi.json',
      '/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server',
      '/.well-known/oauth-protected-resource/nothing-aaaaaaaaaaaaaaaa',
      '/.env',
      '/.git/config',
      '/data/gatehouse.db',
      '/debug/pprof',
    ]
    for (const target of closed) {
      const answer = await sendRaw(gateway.url, { target })
      assert.equal(answer.status, 404, `${target}: ${answer.whole}`)
    }
  })

  test('the description of /api calls every route guarded that is', async () => {
    const answer = await sendRaw(gateway.url, { target: '/api/openapi.json' })
    const paths = at(JSON.parse(answer.body), 'paths')
    const open: string[] = []
    for (const [route, methods] of Object.entries(paths ?? {})) {
      for (const [method, operation] of Object.entries(methods ?? {})) {
        const security = at(operation, 'security')
        if (Array.isArray(security) && security.length === 0) open.push(`${method} ${route}`)
        const target = route.replace('{id}', id).replace('{account}', 'default')
        const answered = await sendRaw(gateway.url, {
          method: method.toUpperCase(),
          target,
          headers: json(),
          body: '{}',
        })
        // What strangers may try wants a body with a password or a one-time code in it.
        const isTried = method === 'post' && open.includes(`post ${route}`)
        assert.equal(answered.status, route === '/api/openapi.json' ? 200 : isTried ? 400 : 401, `${method} ${route}`)
      }
    }
    assert.deepEqual(open, [
      'post /api/sign-in',
      'post /api/invitations/accept',
      'post /api/first-run',
      'get /api/openapi.json',
    ])
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { testCallers } from '../../src/testing/callers.ts'
import {
  bearer,
  CALL_LIST_ITEMS,
  challengeOf,
  LIST_TOOLS,
  list,
  reasonOf,
  refusal,
  send,
  startDoor,
} from './inbound-door.ts'

const ALIASES = ['', '/mcp', '/sse', '/message', '/messages', '/mcp/message']
const METADATA_PATH = '/.well-known/oauth-protected-resource'
const WRONG_FORMAT = '401 Invalid authorization format. Expected: Bearer <token>'
const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' } },
} as const

test('where the credential stands', async (t) => {
  await using door = await startDoor()
  const callers = testCallers()
  const endpoint = await door.open(callers.auth)
  const token = await callers.token()

  await t.test('every MCP request is let in with a Bearer token and refused without one (A1)', async () => {
    const messages = [
      INITIALIZE,
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 2, method: 'ping' },
      LIST_TOOLS,
      CALL_LIST_ITEMS,
      { jsonrpc: '2.0', id: 3, method: 'no/such/method' },
      { jsonrpc: '2.0', id: 4, result: {} },
    ]
    const before = door.calls()
    for (const body of messages) assert.equal((await send(endpoint, { body })).status, 401, JSON.stringify(body))
    assert.equal(door.calls(), before, 'nothing reached the API')
    for (const body of messages) {
      const { status, text } = await send(endpoint, { headers: bearer(token), body })
      assert.ok(status === 200 || status === 202, `${JSON.stringify(body)}: ${status} ${text}`)
    }
    assert.equal(door.calls(), before + 1)
  })

  await t.test('the scheme’s case is ignored; spaces around the token too (A2)', async () => {
    for (const Authorization of [`bearer ${token}`, `BEARER ${token}`, `BeArEr   ${token} `]) {
      assert.equal((await send(endpoint, { headers: { Authorization }, body: LIST_TOOLS })).status, 200, Authorization)
    }
  })

  await t.test('a raw token, another scheme or a broken Bearer is told the format (A2)', async () => {
    for (const Authorization of [token, 'Bearer', `Bearer ${token} ${token}`, `Basic ${token}`, `Bearer${token}`]) {
      const reply = await send(endpoint, { headers: { Authorization }, body: LIST_TOOLS })
      assert.equal(reasonOf(reply), WRONG_FORMAT)
    }
  })

  await t.test('a repeated Authorization is refused, whichever of the two is good (A2)', async () => {
    for (const values of [`Bearer ${token}, Bearer x`, `Bearer x, Bearer ${token}`]) {
      const reply = await send(endpoint, { headers: { Authorization: values }, body: LIST_TOOLS })
      assert.equal(reasonOf(reply), WRONG_FORMAT)
    }
  })

  await t.test('agent-session brings the raw token (A3)', async () => {
    const headers = { 'agent-session': token }
    assert.equal((await send(endpoint, { headers, body: INITIALIZE })).status, 200)
    assert.equal((await send(endpoint, { headers: { 'agent-session': 'x' }, body: INITIALIZE })).status, 401)
  })

  const precedence = [
    { name: 'a bad Bearer beside a good agent-session', authorization: 'Bearer x', session: token, status: 401 },
    { name: 'a malformed Bearer beside a good agent-session', authorization: 'Bearer', session: token, status: 401 },
    { name: 'a good Bearer beside a bad agent-session', authorization: `Bearer ${token}`, session: 'x', status: 200 },
    { name: 'another scheme beside a good agent-session', authorization: 'Basic x', session: token, status: 200 },
    { name: 'an empty Authorization beside a good agent-session', authorization: '', session: token, status: 200 },
    { name: 'another scheme beside a bad agent-session', authorization: 'Basic x', session: 'x', status: 401 },
    { name: 'an empty Authorization beside an empty agent-session', authorization: '', session: '', status: 401 },
  ]
  for (const { name, authorization, session, status } of precedence) {
    await t.test(`${name}: ${status} (A4)`, async () => {
      const headers = { Authorization: authorization, 'agent-session': session }
      assert.equal((await send(endpoint, { headers, body: LIST_TOOLS })).status, status)
    })
  }

  await t.test('a token in the query is not looked at, and never repeated in the answer (A5)', async () => {
    for (const name of ['access_token', 'token', 'agent-session', 'authorization']) {
      const reply = await send(`${endpoint}?${name}=${token}`, { body: LIST_TOOLS })
      assert.equal(reasonOf(reply), '401 No authorization header provided')
      assert.ok(!JSON.stringify([...reply.headers]).includes(token))
    }
  })
})

test('what a caller without a good credential is told', async (t) => {
  await using door = await startDoor()
  const callers = testCallers({ issuer: ['https://issuer.example', 'urn:other'] })
  const endpoint = await door.open(callers.auth)
  const { origin } = new URL(endpoint)
  const urls = [
    ...ALIASES.flatMap((alias) => [`${endpoint}${alias}`, `${endpoint}${alias}/`]),
    ...ALIASES.filter((alias) => alias !== '').map((alias) => `${origin}${alias}`),
  ]

  for (const method of ['POST', 'GET', 'DELETE', 'PUT', 'PATCH']) {
    await t.test(`${method} on every route is 401 with a challenge whose metadata names that URL (A23)`, async () => {
      for (const url of urls) {
        const reply = await send(url, { method, ...(method === 'POST' ? { body: LIST_TOOLS } : {}) })
        assert.equal(reply.status, 401, url)
        const challenge = challengeOf(reply)
        assert.deepEqual(Object.keys(challenge ?? {}), ['resource_metadata'], 'no error: no credential was sent')
        const metadata = await send(challenge?.['resource_metadata'] ?? '', { method: 'GET' })
        assert.equal(metadata.status, 200, url)
        const { resource, authorization_servers: servers } = z
          .looseObject({ resource: z.string(), authorization_servers: z.array(z.string()) })
          .parse(metadata.json)
        assert.equal(resource, url)
        assert.deepEqual(servers, ['https://issuer.example'], 'only what can be asked for a token')
      }
    })
  }

  await t.test(
    'a bad token is 401 with error, error_description and resource_metadata, and the same in the body (A23)',
    async () => {
      const reply = await list(endpoint, 'x')
      assert.equal(reply.status, 401)
      assert.equal(reply.headers.get('content-type'), 'application/json')
      assert.equal(reply.headers.get('cache-control'), 'no-store')
      const text = 'JWT verification failed: malformed token'
      assert.deepEqual(challengeOf(reply), {
        ...{ error: 'invalid_token', error_description: text },
        resource_metadata: `${origin}${METADATA_PATH}${new URL(endpoint).pathname}`,
      })
      const expected = { error: 'invalid_token', error_description: text, message: text, code: 'AUTHENTICATION_FAILED' }
      assert.deepEqual(reply.json, expected)
    },
  )

  await t.test('no token is 401 with the same body and no error in the challenge (A23)', async () => {
    const reply = await send(endpoint, { body: LIST_TOOLS })
    assert.equal(refusal.parse(reply.json).error_description, 'No authorization header provided')
    assert.equal(challengeOf(reply)?.['error'], undefined)
  })

  await t.test('without a credential an unknown workspace is 404 and an existing one 401 (PRODUCT 2)', async () => {
    for (const path of ['/shop-aaaaaaaaaaaaaaaa', '/shop', '/', '/nothing/mcp', `${new URL(endpoint).pathname}/x`]) {
      const reply = await send(`${origin}${path}`, { body: LIST_TOOLS })
      assert.equal(reply.status, 404, path)
      assert.equal(reply.headers.get('www-authenticate'), null)
    }
    assert.equal((await send(endpoint, { body: LIST_TOOLS })).status, 401)
    const metadata = await send(`${origin}${METADATA_PATH}/shop-aaaaaaaaaaaaaaaa`, { method: 'GET' })
    assert.equal(metadata.status, 404)
  })

  await t.test('preflight, health and discovery need no credential (A33)', async () => {
    assert.equal((await send(endpoint, { method: 'OPTIONS' })).status, 204)
    for (const path of [
      '/health/live',
      '/health/ready',
      `${METADATA_PATH}${new URL(endpoint).pathname}`,
      METADATA_PATH,
    ]) {
      assert.equal((await send(`${origin}${path}`, { method: 'GET' })).status, 200, path)
    }
  })
})

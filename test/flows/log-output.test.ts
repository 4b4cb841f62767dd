import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGatewayOptions } from '../../src/testing/start-gateway.ts'

const SECRETS = {
  password: 'canary-password-c0de',
  wrongPassword: 'canary-wrong-password-c0de',
  accessToken: 'canary-access-c0de',
  refreshToken: 'canary-refresh-c0de',
  apiKey: 'canary-apikey-c0de',
  argument: 'canary-argument-c0de',
  query: 'canary-query-c0de',
  badToken: 'canary-badtoken-c0de',
  cookie: 'canary-cookie-c0de',
} as const

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Recorded', version: '1' },
  paths: {
    '/thing': {
      post: {
        operationId: 'makeThing',
        parameters: [{ name: 'api_key', in: 'query', schema: { type: 'string' } }],
        requestBody: {
          content: {
            'application/json': {
              schema: { type: 'object', properties: { password: { type: 'string' }, note: { type: 'string' } } },
            },
          },
        },
        responses: {},
      },
    },
    '/fail': { get: { operationId: 'getFailure', responses: {} } },
  },
}

suite('no line of the log holds a secret', () => {
  for (const logFormat of ['text', 'json'] as const) {
    test(`as ${logFormat} at level debug: not of logins, calls, failures or callers (I9)`, async () => {
      await using api = await startRecordingApi(({ target, body, headers }) => {
        const { accessToken, refreshToken } = SECRETS
        if (target === '/login') {
          const isWrong = body.includes(SECRETS.wrongPassword)
          return isWrong ? { status: 401, body: { said: body } } : { status: 200, body: { accessToken, refreshToken } }
        }
        return { status: target.startsWith('/fail') ? 500 : 200, body: { target, body, headers } }
      })
      await using gateway = await startGateway({ config: { logFormat, logLevel: 'debug' } })
      const callers = testCallers()
      const token = await callers.token()
      const make = (name: string, upstream: unknown, params = {}) =>
        gateway.makeWorkspace({
          ...{ name, upstream, params, auth: callers.auth, tools: 'all' },
          source: { document: JSON.stringify({ ...DOCUMENT, servers: [{ url: api.url }] }) },
        })
      const login = { login_url: `${api.url}/login`, username: 'ada' }
      const spaces = [
        await make('Login', { auth: { type: 'bearer' } }, { ...login, password: SECRETS.password }),
        await make('Wrong', { auth: { type: 'bearer' } }, { ...login, password: SECRETS.wrongPassword }),
        await make('Key', { auth: { type: 'apiKey', value: SECRETS.apiKey } }),
      ]
      for (const { endpoint } of spaces) {
        const client = mcpClient(endpoint, { authorization: `Bearer ${token}`, cookie: `sid=${SECRETS.cookie}` })
        const args = { api_key: SECRETS.query, password: SECRETS.argument, note: `password: ${SECRETS.argument}` }
        await client.call('makeThing', args)
        await client.call('makeThing', { ...args, unknown: 1 })
        await client.call('getFailure')
        await mcpClient(endpoint, { authorization: `Bearer ${SECRETS.badToken}` }).send('tools/list')
        await mcpClient(`${endpoint}?access_token=${SECRETS.badToken}`).send('tools/list')
        await fetch(endpoint, {
          method: 'POST',
          body: `{"password":"${SECRETS.argument}"`,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        })
      }
      assert.ok(JSON.stringify(api.seen).includes(SECRETS.accessToken), 'the secrets were in use')
      assert.ok(JSON.stringify(api.seen).includes(SECRETS.wrongPassword), 'the secrets were in use')
      const stored = await adminClient(gateway).send('GET', '/api/logs?limit=1000')
      const printed = gateway.log.join('')
      assert.ok(printed.split('\n').length > 18)
      const all = {
        ...SECRETS,
        callersToken: token,
        signature: token.split('.')[2] ?? '',
        callersSecret: callers.secret,
        admin: gateway.adminKey,
      }
      for (const [name, secret] of Object.entries(all)) {
        assert.ok(!printed.includes(secret), `${name} was printed`)
        assert.ok(!stored.text.includes(secret), `${name} was stored`)
      }
    })
  }
})

const jsonLine = z.looseObject({ level: z.number(), time: z.number(), msg: z.string() })

async function callTwice(options: TestGatewayOptions) {
  await using api = await startTestApi({ mode: 'none' })
  await using gateway = await startGateway(options)
  const source = { url: `${api.origin}/openapi.json` }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, tools: 'all' })
  const client = mcpClient(endpoint)
  const good = await client.call('listItems')
  const bad = await client.call('deleteItem', { id: 999 })
  await adminClient(gateway).logs()
  return { good, bad, log: [...gateway.log] }
}

suite('the log output', () => {
  test('is one JSON object a line with level, time and request id when asked (I11)', async () => {
    const { good, bad, log } = await callTwice({ config: { logFormat: 'json' }, now: () => 1_800_000_000_000 })
    const lines = log.map((line) => jsonLine.parse(JSON.parse(line))).filter(({ msg }) => msg === 'request')
    assert.deepEqual(
      lines.map(({ level, time, requestId, tool, outcome }) => ({ level, time, requestId, tool, outcome })),
      [
        { level: 30, time: 1_800_000_000_000, requestId: good.requestId, tool: 'listItems', outcome: 'ok' },
        { level: 40, time: 1_800_000_000_000, requestId: bad.requestId, tool: 'deleteItem', outcome: 'tool_error' },
      ],
    )
    for (const line of log) assert.match(line, /^[^\n]+\n$/)
  })

  test('tells of a request of /api that we could not serve, and why: its answer does not', async () => {
    await using gateway = await startGateway()
    const database = new DatabaseSync(join(gateway.folder, 'data', 'gatehouse.db'))
    database.exec('alter table invitations rename to elsewhere')
    database.close()
    const answer = await adminClient(gateway).send('GET', '/api/invitations')
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.text, /invitations/)
    const [line] = gateway.log.filter((one) => one.includes('GET /api/invitations'))
    assert.match(line ?? '', /failed .* req=\S+ {2}internal {2}"Internal error: no such table: invitations"\n$/)
    // Who is refused for what he asks is no failure of ours.
    await adminClient(gateway).send('GET', '/api/workspaces/nothing')
    assert.ok(!gateway.log.some((one) => one.includes('/api/workspaces/nothing')))
  })

  test('is a line for people by default, with the request id (I11)', async () => {
    const { good, log } = await callTwice({})
    const [line] = log.filter((one) => one.includes(good.requestId))
    assert.match(
      line ?? '',
      /^\d\d:\d\d:\d\d\.\d{3} call {4}listItems {2}ok 200 {2}\d+ ms {2}upstream 200 .* {2}req=\S+\n$/,
    )
  })

  test('leaves out what is below its level (I11)', async () => {
    const { good, bad, log } = await callTwice({ config: { logLevel: 'warn' } })
    assert.ok(!log.some((line) => line.includes(good.requestId)))
    assert.ok(log.some((line) => line.includes(bad.requestId)))
    assert.deepEqual((await callTwice({ config: { logLevel: 'silent' } })).log, [])
  })

  test('takes level and format from LOG_LEVEL and LOG_FORMAT (I11)', async () => {
    const { bad, log } = await callTwice({ env: { LOG_LEVEL: 'warn', LOG_FORMAT: 'json' } })
    const lines = log.map((line) => jsonLine.parse(JSON.parse(line)))
    assert.deepEqual(
      lines.map(({ level, requestId }) => [level, requestId]),
      [[40, bad.requestId]],
    )
  })
})

test('the request id is the one of the answer, of the records, of the login and of the call that the API saw (I11)', async () => {
  await using api = await startRecordingApi(({ target }) => {
    return { status: 200, body: target === '/login' ? { accessToken: 'some-token' } : { ok: true } }
  })
  await using gateway = await startGateway()
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Recorded',
    source: { document: JSON.stringify({ ...DOCUMENT, servers: [{ url: api.url }] }) },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${api.url}/login`, username: 'ada', password: 'password' },
  })
  const client = mcpClient(endpoint)
  // A caller's own id does not count: it could be somebody else's.
  const first = await client.call('getFailure', {}, { 'x-request-id': 'chosen-by-the-caller' })
  const second = await client.call('getFailure')
  assert.notEqual(first.requestId, second.requestId)
  assert.deepEqual(
    api.seen.map(({ target, headers }) => [target, headers['x-request-id']]),
    [
      ['/login', first.requestId],
      ['/fail', first.requestId],
      ['/fail', second.requestId],
    ],
  )
  const lines = await adminClient(gateway).logs()
  assert.deepEqual(
    lines.map(({ kind, requestId }) => [kind, requestId]),
    [
      ['login', first.requestId],
      ['request', first.requestId],
      ['request', second.requestId],
    ],
  )
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const START = 1_800_000_000_000

const jsonLine = z.looseObject({ msg: z.string(), requestId: z.string().optional() })

/** A shop behind a login with callers who prove who they are; the clock stands until it is moved. */
async function startShop(config: Readonly<Record<string, unknown>> = {}) {
  await using parts = new AsyncDisposableStack()
  let nowMs = START
  const now = () => nowMs
  const api = parts.use(await startTestApi({ mode: 'jwt', now }))
  const gateway = parts.use(await startGateway({ config, now }))
  const callers = testCallers({}, now)
  const { endpoint, workspace } = await gateway.makeWorkspace({
    name: 'Shop',
    source: { url: `${api.origin}/openapi.json` },
    auth: callers.auth,
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
    tools: 'all',
  })
  const headers = { authorization: `Bearer ${await callers.token({ sub: 'ada' })}` }
  const started = parts.move()
  return {
    ...{ api, gateway, workspace, issuer: callers.issuer, client: mcpClient(endpoint, headers) },
    ...{ endpoint, admin: adminClient(gateway) },
    later: (seconds: number) => {
      nowMs += seconds * 1000
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

suite('the log shows', () => {
  for (const logFormat of ['text', 'json'] as const) {
    test(`the login before the call that needed it, with the same request id, in /api/logs and as ${logFormat} (I1)`, async () => {
      await using shop = await startShop({ logFormat })
      const { requestId, isError } = await shop.client.call('listItems')
      assert.equal(isError, false)
      const lines = await shop.admin.logs(`requestId=${requestId}`)
      assert.deepEqual(
        lines.map(({ kind, method, outcome }) => [kind, method, outcome]),
        [
          ['login', 'POST /auth/login', 'ok'],
          ['request', 'tools/call', 'ok'],
        ],
      )
      assert.deepEqual(printedKinds(shop.gateway.log, requestId, logFormat), ['login', 'call'])
    })

    test(`the refresh before the call that needed it, in /api/logs and as ${logFormat} (I1)`, async () => {
      await using shop = await startShop({ logFormat })
      await shop.client.call('listItems')
      shop.later(880)
      const { requestId } = await shop.client.call('listItems')
      const lines = await shop.admin.logs(`requestId=${requestId}`)
      assert.deepEqual(
        lines.map(({ kind, method, outcome }) => [kind, method, outcome]),
        [
          ['refresh', 'POST /auth/refresh', 'ok'],
          ['request', 'tools/call', 'ok'],
        ],
      )
      assert.deepEqual(printedKinds(shop.gateway.log, requestId, logFormat), ['refresh', 'call'])
    })
  }

  test('one login line for many calls at once, before all of them (I1)', async () => {
    await using shop = await startShop()
    await Promise.all(Array.from({ length: 10 }, () => shop.client.call('getStats')))
    const lines = await shop.admin.logs()
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['login', ...Array.from({ length: 10 }, () => 'request')],
    )
    const [login, ...calls] = lines
    assert.ok(calls.some(({ requestId }) => requestId === login?.requestId))
  })

  test('time, tool, arguments, client, session, upstream status, latency and outcome of a call (I2)', async () => {
    await using shop = await startShop()
    const started = await shop.client.send('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'my-agent', version: '1.2' },
    })
    const session = started.headers.get('mcp-session-id') ?? ''
    const { requestId } = await shop.client.call(
      'createItem',
      { name: 'Lamp', description: 'password=hunter2-canary', price: 3 },
      { 'mcp-session-id': session },
    )
    const [, line] = await shop.admin.logs(`requestId=${requestId}`)
    assert.deepEqual(
      { ...line, seq: 0 },
      {
        seq: 0,
        requestId,
        kind: 'request',
        at: START,
        durationMs: 0,
        outcome: 'ok',
        workspaceId: shop.workspace.id,
        workspace: 'shop',
        method: 'tools/call',
        tool: 'createItem',
        arguments: '{"name":"Lamp","description":"[redacted]","price":3}',
        issuer: shop.issuer,
        subject: 'ada',
        client: 'my-agent/1.2',
        // Enough to tell sessions apart, too little to take one over.
        session: session.slice(0, 8),
        protocolVersion: '2025-06-18',
        clientAddress: '127.0.0.1',
        status: 200,
        upstreamStatus: 201,
        upstreamMs: 0,
      },
    )
  })

  test('the session that a caller names itself (I2)', async () => {
    await using shop = await startShop()
    const { requestId } = await shop.client.call('listItems', {}, { 'x-mcp-session-id': 'agent-session-7' })
    const [line] = await shop.admin.logs(`requestId=${requestId}&kind=request`)
    assert.equal(line?.['session'], 'agent-session-7')
  })

  test('how long a call took, here and at the API (I2)', async () => {
    await using shop = await startShop()
    await shop.client.call('listItems')
    await using slow = await startFaultyApi()
    const source = { url: `${slow.origin}/openapi.json` }
    const { endpoint } = await shop.gateway.makeWorkspace({ name: 'Slow', source, auth: { authType: 'none' } })
    const call = mcpClient(endpoint).call('getSlow')
    await slow.arrival('/slow')
    shop.later(2.5)
    slow.releaseSlow()
    const { requestId } = await call
    const [line] = await shop.admin.logs(`requestId=${requestId}`)
    assert.deepEqual([line?.['at'], line?.['durationMs'], line?.['upstreamMs']], [START, 2500, 2500])
  })

  test('how each call ended: ok, tool_error, denied, failed (I2)', async () => {
    await using shop = await startShop()
    const { client, admin } = shop
    await client.call('listItems')
    await client.call('deleteItem', { id: 999 })
    await client.call('deleteItem', { id: 'one' })
    await client.call('noSuchTool')
    await mcpClient(shop.endpoint).call('listItems')
    const lines = await admin.logs('kind=request')
    assert.deepEqual(
      lines.map(({ outcome, code, status, upstreamStatus }) => [outcome, code, status, upstreamStatus]),
      [
        ['ok', undefined, 200, 200],
        ['tool_error', undefined, 200, 404],
        ['tool_error', 'invalid_arguments', 200, undefined],
        ['failed', 'invalid_params', 200, undefined],
        ['denied', 'missing_token', 401, undefined],
      ],
    )
  })

  test('only the names of arguments, or none, when told so (I2)', async () => {
    for (const [recordArguments, expected] of [
      ['names', '["search","limit"]'],
      ['none', undefined],
    ] as const) {
      await using shop = await startShop({ recordArguments })
      const { requestId } = await shop.client.call('listItems', { search: 'lamp', limit: 3 })
      const [line] = await shop.admin.logs(`requestId=${requestId}&kind=request`)
      assert.equal(line?.['arguments'], expected)
    }
  })
})

/** What the printed lines of one request say they are, in order. */
function printedKinds(log: readonly string[], requestId: string, format: 'text' | 'json'): readonly string[] {
  if (format === 'text') {
    const lines = log.filter((line) => line.includes(`req=${requestId} `) || line.includes(`req=${requestId}\n`))
    return lines.map((line) => line.split(' ')[1] ?? '')
  }
  const lines = log.map((line) => jsonLine.parse(JSON.parse(line))).filter((line) => line.requestId === requestId)
  return lines.map(({ msg }) => (msg === 'request' ? 'call' : msg))
}

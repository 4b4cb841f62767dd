import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type Reply, type Sending, send, startDoor } from './inbound-door.ts'

const LEGACY = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
const MODERN = '2026-07-28'
const CURL = { Accept: '*/*' } as const
const TOOLS = ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers']

const version = 'io.modelcontextprotocol/protocolVersion'
const capabilities = 'io.modelcontextprotocol/clientCapabilities'
const clientInfo = 'io.modelcontextprotocol/clientInfo'
const serverInfoKey = 'io.modelcontextprotocol/serverInfo'
const META = { [version]: MODERN, [capabilities]: {}, [clientInfo]: { name: 'flow', version: '1' } } as const

const rpcError = z.strictObject({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number()]).nullable(),
  error: z.strictObject({ code: z.number(), message: z.string(), data: z.unknown().optional() }),
})
const tools = z.array(z.looseObject({ name: z.string(), inputSchema: z.looseObject({ type: z.literal('object') }) }))
const serverInfo = z.looseObject({ name: z.string(), title: z.string().optional(), version: z.string() })
const content = z.array(z.strictObject({ type: z.literal('text'), text: z.string() }))

test('the revisions with initialize, by raw HTTP', async (t) => {
  await using door = await startDoor()
  const endpoint = await door.open({ authType: 'none' })
  const post = (body: unknown, headers: Sending['headers'] = {}) =>
    send(endpoint, { body, headers: { ...CURL, ...headers } })

  for (const asked of LEGACY) {
    await t.test(`${asked}: initialize, initialized, ping, list and call in one session (F1)`, async () => {
      const opened = await post(initialize(asked))
      assert.equal(opened.status, 200)
      assert.equal(opened.headers.get('content-type'), 'application/json')
      const answered = z
        .strictObject({ jsonrpc: z.literal('2.0'), id: z.literal('first'), result: z.looseObject({ serverInfo }) })
        .parse(opened.json)
      assert.equal(answered.result['protocolVersion'], asked)
      assert.deepEqual(answered.result['capabilities'], { tools: { listChanged: true } })
      assert.deepEqual([answered.result.serverInfo.name, answered.result.serverInfo.title], ['shop', 'Shop'])
      const sessionId = opened.headers.get('mcp-session-id') ?? ''
      assert.match(sessionId, /^[\x21-\x7e]+$/)
      const session = { 'Mcp-Session-Id': sessionId, 'MCP-Protocol-Version': asked }
      const initialized = await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, session)
      assert.deepEqual([initialized.status, initialized.text], [202, ''])
      assert.deepEqual((await post({ jsonrpc: '2.0', id: 0, method: 'ping' }, session)).json, {
        jsonrpc: '2.0',
        id: 0,
        result: {},
      })
      const listed = await post(request('tools/list'), session)
      assert.deepEqual(namesIn(listed), TOOLS)
      const called = await post(request('tools/call', { name: 'listItems', arguments: { limit: 1 } }), session)
      const { result } = z.object({ result: z.strictObject({ content }) }).parse(called.json)
      assert.match(result.content[0]?.text ?? '', /"items"/)
    })
  }

  await t.test('tools/list without initialize and with Accept: */* works, as the seeds’ curls do it (F1)', async () => {
    assert.deepEqual(namesIn(await post(request('tools/list'))), TOOLS)
    assert.deepEqual(namesIn(await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })), TOOLS, 'without params')
    assert.equal((await post(request('tools/call', { name: 'getStats' }))).status, 200)
  })

  await t.test('an unknown version in initialize is answered with our newest (F1)', async () => {
    for (const asked of ['1999-01-01', 'latest', '2025-11-26']) {
      const { status, text } = await post(initialize(asked))
      assert.equal(status, 200)
      assert.match(text, /"protocolVersion":"2025-11-25"/)
    }
  })

  const errors: readonly { name: string; body: unknown; headers?: Sending['headers']; expected: readonly number[] }[] =
    [
      { name: 'an unknown method', body: request('no/such'), expected: [200, -32601] },
      { name: 'server/discover', body: request('server/discover'), expected: [200, -32601] },
      { name: 'an unknown tool', body: request('tools/call', { name: 'nothing' }), expected: [200, -32602] },
      { name: 'a tool without a name', body: request('tools/call', {}), expected: [200, -32602] },
      { name: 'a cursor that is none of ours', body: request('tools/list', { cursor: 'x' }), expected: [200, -32602] },
      { name: 'no JSON', body: '{', expected: [400, -32700] },
      { name: 'no JSON-RPC', body: { hello: 'you' }, expected: [400, -32600] },
      { name: 'a batch', body: [request('ping')], expected: [400, -32600] },
      {
        ...{
          name: 'an unknown version header',
          body: request('ping'),
          headers: { 'MCP-Protocol-Version': '1999-01-01' },
        },
        expected: [400, -32000],
      },
    ]
  for (const { name, body, headers, expected } of errors) {
    await t.test(`${name} is ${expected.join(' with ')} (F1)`, async () => {
      assert.deepEqual(errorOf(await post(body, headers)), expected)
    })
  }
})

test('2026-07-28, by raw HTTP', async (t) => {
  await using door = await startDoor()
  const endpoint = await door.open({ authType: 'none' })

  await t.test('server/discover says versions, capabilities and how long that may be kept (F2)', async () => {
    const { status, headers, json } = await modern(endpoint, 'server/discover')
    assert.equal(status, 200)
    assert.equal(headers.get('mcp-session-id'), null)
    const { result } = z.object({ result: z.looseObject({ ttlMs: z.number().positive() }) }).parse(json)
    assert.equal(result['resultType'], 'complete')
    assert.deepEqual(result['supportedVersions'], [MODERN])
    assert.deepEqual(result['capabilities'], { tools: { listChanged: true } })
    assert.equal(result['cacheScope'], 'private')
    const meta = z.object({ [serverInfoKey]: serverInfo }).parse(result['_meta'])
    assert.equal(meta[serverInfoKey]?.name, 'shop')
  })

  await t.test('tools/list and tools/call need no session, and say resultType, ttlMs and cacheScope (F2)', async () => {
    const listed = await modern(endpoint, 'tools/list')
    assert.deepEqual(namesIn(listed), TOOLS)
    const list = z
      .object({ result: z.looseObject({ resultType: z.string(), ttlMs: z.number(), cacheScope: z.string() }) })
      .parse(listed.json).result
    assert.equal(list.resultType, 'complete')
    assert.ok(list.ttlMs > 0)
    assert.equal(list.cacheScope, 'private')
    const called = await modern(endpoint, 'tools/call', { name: 'getStats', arguments: {} })
    const call = z.object({ result: z.looseObject({ resultType: z.string(), content }) }).parse(called.json).result
    assert.equal(call.resultType, 'complete')
    assert.match(call.content[0]?.text ?? '', /requestedBy/)
    assert.equal(called.headers.get('mcp-session-id'), null)
  })

  await t.test('a name in Base64 is compared with the name in the body (F2)', async () => {
    const encoded = (name: string) => `=?base64?${Buffer.from(name).toString('base64')}?=`
    const getStats = { name: 'getStats' }
    const good = await modern(endpoint, 'tools/call', getStats, { 'Mcp-Name': encoded('getStats') })
    assert.equal(good.status, 200)
    for (const header of [encoded('listItems'), '=?base64?!!?=']) {
      const bad = await modern(endpoint, 'tools/call', getStats, { 'Mcp-Name': header })
      assert.deepEqual(errorOf(bad), [400, -32020])
    }
  })

  await t.test('a notification is 202, with an envelope or without (F2)', async () => {
    const headers = { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': 'notifications/cancelled' }
    for (const params of [{ requestId: 7 }, { requestId: 7, _meta: META }]) {
      const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params }
      assert.equal((await send(endpoint, { headers, body })).status, 202)
    }
  })

  const mismatches: readonly { name: string; headers: Readonly<Record<string, string | undefined>> }[] = [
    { name: 'another version header', headers: { 'MCP-Protocol-Version': '2025-11-25' } },
    { name: 'no version header', headers: { 'MCP-Protocol-Version': undefined } },
    { name: 'another method header', headers: { 'Mcp-Method': 'tools/list' } },
    { name: 'no method header', headers: { 'Mcp-Method': undefined } },
    { name: 'another name header', headers: { 'Mcp-Name': 'listItems' } },
    { name: 'no name header', headers: { 'Mcp-Name': undefined } },
  ]
  for (const { name, headers } of mismatches) {
    await t.test(`${name} than the body’s is 400 with -32020, and nothing is called (F2)`, async () => {
      const before = door.calls()
      assert.deepEqual(errorOf(await modern(endpoint, 'tools/call', { name: 'deleteItem' }, headers)), [400, -32020])
      assert.equal(door.calls(), before)
    })
  }

  await t.test('an unknown version is 400 with -32022 and the ones we speak (F2)', async () => {
    const headers = { 'MCP-Protocol-Version': '2027-01-01' }
    const _meta = { ...META, [version]: '2027-01-01' }
    const reply = await modern(endpoint, 'tools/list', { _meta }, headers)
    assert.deepEqual(errorOf(reply), [400, -32022])
    assert.deepEqual(rpcError.parse(reply.json).error.data, { supported: [MODERN], requested: '2027-01-01' })
  })

  const envelopes: readonly { name: string; params: Readonly<Record<string, unknown>> }[] = [
    { name: 'no _meta', params: { _meta: undefined } },
    { name: 'no version in _meta', params: { _meta: { [capabilities]: {} } } },
    { name: 'no capabilities in _meta', params: { _meta: { [version]: MODERN } } },
    { name: 'capabilities that are no object', params: { _meta: { ...META, [capabilities]: 'all' } } },
    { name: 'client info that is no object', params: { _meta: { ...META, [clientInfo]: 'me' } } },
  ]
  for (const { name, params } of envelopes) {
    await t.test(`${name} is 400 with -32602 (F2)`, async () => {
      assert.deepEqual(errorOf(await modern(endpoint, 'tools/list', params)), [400, -32602])
    })
  }

  for (const method of ['no/such', 'initialize', 'ping', 'logging/setLevel', 'resources/subscribe']) {
    await t.test(`${method} is not of this revision: 404 with -32601 (F2)`, async () => {
      assert.deepEqual(errorOf(await modern(endpoint, method)), [404, -32601])
    })
  }

  await t.test('an unknown tool and a cursor that is none of ours are 200 with -32602 (F2)', async () => {
    assert.deepEqual(errorOf(await modern(endpoint, 'tools/call', { name: 'nothing' })), [200, -32602])
    assert.deepEqual(errorOf(await modern(endpoint, 'tools/list', { cursor: 'x' })), [200, -32602])
  })
})

function request(method: string, params: unknown = {}) {
  return { jsonrpc: '2.0', id: 1, method, params }
}

function initialize(protocolVersion: string) {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'flow', version: '1' } }
  return { ...request('initialize', params), id: 'first' }
}

/** A request of 2026-07-28 with its envelope and headers; a header that is undefined is not sent. */
function modern(
  endpoint: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<Reply> {
  const name = typeof params['name'] === 'string' ? { 'Mcp-Name': params['name'] } : {}
  const all: Readonly<Record<string, string | undefined>> = {
    ...{ 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method, ...name, ...headers },
  }
  const sent: Record<string, string> = {}
  for (const [header, value] of Object.entries(all)) if (value !== undefined) sent[header] = value
  return send(endpoint, { headers: sent, body: request(method, { _meta: META, ...params }) })
}

function namesIn({ json }: Reply): readonly string[] {
  const { result } = z.object({ result: z.looseObject({ tools }) }).parse(json)
  return result.tools.map(({ name }) => name).sort()
}

/** The HTTP status and the JSON-RPC code. */
function errorOf({ status, json }: Reply): readonly number[] {
  return [status, rpcError.parse(json).error.code]
}

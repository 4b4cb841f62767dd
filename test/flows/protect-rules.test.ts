import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type McpRequest,
  type RecordingMcpServer,
  startRecordingMcpServer,
} from '../../src/testing/recording-mcp-server.ts'
import { startProtected, type TestProtected } from '../../src/testing/start-protected.ts'
import { at, send } from './http.ts'

const TOOLS = ['hello', 'read', 'write', 'hidden']
const RULES = {
  tools: ['hello', 'read', 'write'],
  publicTools: ['hello'],
  toolScopes: new Map([['write', ['items:write', 'items:audit']]]),
}
const ACCEPT = { accept: 'application/json, text/event-stream' } as const
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
} as const

interface Flow extends AsyncDisposable {
  readonly server: RecordingMcpServer
  readonly protecting: TestProtected
  /** Sends a message, in the older era unless its headers say otherwise. */
  post(body: unknown, headers?: Readonly<Record<string, string>>): ReturnType<typeof send>
  as(...scopes: readonly string[]): Promise<{ authorization: string }>
  /** Calls of tools that reached the server. */
  calls(): readonly McpRequest[]
}

async function startFlow(rules = RULES): Promise<Flow> {
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await startRecordingMcpServer(TOOLS))
  const protecting = parts.use(await startProtected(server.url, { rules }))
  const started = parts.move()
  return {
    ...{ server, protecting },
    post: (body, headers = {}) => send('POST', protecting.endpoint, { body, headers: { ...ACCEPT, ...headers } }),
    as: async (...scopes) => ({
      authorization: `Bearer ${await protecting.callers.token({ scope: scopes.join(' ') })}`,
    }),
    calls: () => server.seen.filter(({ body }) => body.includes('tools/call')),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const call = (name: string) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } })
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' } as const
const namesIn = (body: unknown): readonly unknown[] => {
  const tools = at(body, 'result', 'tools')
  return Array.isArray(tools) ? tools.map((tool) => at(tool, 'name')) : []
}

suite('an anonymous caller of public tools (G2)', () => {
  test('greets, sees just those and calls just those', async () => {
    await using flow = await startFlow()
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    const hello = await flow.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
    assert.equal(hello.status, 200)
    const headers = { 'mcp-session-id': hello.headers.get('mcp-session-id') ?? '' }
    assert.equal((await flow.post({ jsonrpc: '2.0', method: 'notifications/initialized' }, headers)).status, 202)
    assert.deepEqual(namesIn((await flow.post(LIST, headers)).body), ['hello'])
    assert.match((await flow.post(call('hello'), headers)).text, /called hello/)
    assert.equal((await send('DELETE', flow.protecting.endpoint, { headers })).status, 200)
    assert.equal(flow.server.seen.at(-1)?.method, 'DELETE')
    assert.equal((await flow.post(LIST, headers)).status, 404)
  })

  test('is promised tools and nothing else, so that his client asks for nothing else', async () => {
    await using flow = await startFlow()
    const all = { tools: { listChanged: true }, logging: {}, prompts: {}, resources: {} }
    flow.server.answer = ({ id, rpcMethod }, response) => {
      if (rpcMethod !== 'initialize' && rpcMethod !== 'server/discover') return false
      const result = { protocolVersion: '2025-11-25', capabilities: all, serverInfo: { name: 's', version: '1' } }
      response.setHeader('content-type', rpcMethod === 'initialize' ? 'text/event-stream' : 'application/json')
      const text = JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(id), result })
      response.end(rpcMethod === 'initialize' ? `event: message\ndata: ${text}\n\n` : text)
      return true
    }
    const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' }
    const hello = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: META } }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    const old = { jsonrpc: '2.0', id: 1, method: 'initialize', params }
    const ada = await flow.as('mcp')
    assert.deepEqual(at((await flow.post(hello, modern)).body, 'result', 'capabilities'), { tools: all.tools })
    assert.deepEqual(at((await flow.post(hello, { ...modern, ...ada })).body, 'result', 'capabilities'), all)
    assert.match((await flow.post(old)).text, /"capabilities":\{"tools":\{"listChanged":true\}\},/)
    assert.match((await flow.post(old, ada)).text, /"prompts":/)
  })

  test('gets 401 with a challenge for everything else, and nothing reaches the server', async () => {
    await using flow = await startFlow()
    const others = [
      ...[call('read'), call('write')],
      ...[
        'prompts/list',
        'resources/read',
        'logging/setLevel',
        'tools/unknown',
        'Tools/Call',
        'subscriptions/listen',
      ].map((method) => ({ jsonrpc: '2.0', id: 1, method, params: { name: 'read' } })),
      { jsonrpc: '2.0', id: 1, result: {} },
      { jsonrpc: '2.0', method: 'tools/call', params: { name: 'read' } },
      { jsonrpc: '2.0', method: 'anything' },
    ]
    for (const body of others) {
      const answer = await flow.post(body)
      assert.equal(answer.status, 401, JSON.stringify(body))
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer resource_metadata="[^"]+\/mcp"$/)
    }
    for (const method of ['GET', 'DELETE']) {
      const headers = { accept: 'text/event-stream', 'mcp-session-id': 'x' }
      assert.ok([401, 404].includes((await send(method, flow.protecting.endpoint, { headers })).status), method)
    }
    const sse = await send('GET', flow.protecting.endpoint.replace(/mcp$/, 'sse'), {
      headers: { accept: 'text/event-stream' },
    })
    assert.equal(sse.status, 401)
    assert.deepEqual(flow.server.seen, [])
  })

  test('with a bad token is not anonymous but refused', async () => {
    await using flow = await startFlow()
    for (const authorization of ['Bearer x.y.z', 'Bearer', 'Basic eDp5']) {
      assert.equal((await flow.post(call('hello'), { authorization })).status, 401, authorization)
    }
  })

  test('there is none where no tool is public', async () => {
    await using flow = await startFlow({ ...RULES, publicTools: [] })
    assert.equal((await flow.post(LIST)).status, 401)
  })
})

suite('a caller with scopes (G4)', () => {
  test('gets 403 with every scope that a tool needs, and calls it with all of them', async () => {
    await using flow = await startFlow()
    for (const scopes of [[], ['items:write'], ['items:audit']]) {
      const refused = await flow.post(call('write'), await flow.as(...scopes))
      assert.equal(refused.status, 403)
      const challenge = refused.headers.get('www-authenticate') ?? ''
      assert.match(challenge, /error="insufficient_scope"/)
      assert.match(challenge, /scope="items:write items:audit"/)
    }
    assert.deepEqual(flow.calls(), [])
    const allowed = await flow.post(call('write'), await flow.as('items:write', 'items:audit', 'more'))
    assert.match(allowed.text, /called write/)
  })

  test('sees what he may call, in JSON, in a stream and in one that is replayed', async () => {
    await using flow = await startFlow()
    const few = await flow.as()
    const many = await flow.as('items:write', 'items:audit')
    assert.deepEqual(namesIn((await flow.post(LIST, few)).body), ['hello', 'read'])
    assert.deepEqual(namesIn((await flow.post(LIST, many)).body), ['hello', 'read', 'write'])
    const list = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: TOOLS.map((name) => ({ name })) } })
    const cut = list.indexOf(',"result"')
    flow.server.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write('id: 1\nevent: message\ndata: \n\n')
      response.end(`id: 2\ndata: ${list.slice(0, cut)}\ndata: ${list.slice(cut)}\n\n`)
      return true
    }
    const streamed = await flow.post(LIST, few)
    assert.match(streamed.text, /"read"/)
    assert.doesNotMatch(streamed.text, /write|hidden/)
    assert.match(streamed.text, /^id: 2$/m)
    const headers = { ...few, accept: 'text/event-stream', 'last-event-id': '1' }
    const replayed = await send('GET', flow.protecting.endpoint, { headers })
    assert.match(replayed.text, /"read"/)
    assert.doesNotMatch(replayed.text, /write|hidden/)
  })
})

test('a rule about a number beyond 2^53 sees the one that the server gets (T20)', async () => {
  await using server = await startRecordingMcpServer(TOOLS)
  const access = { rules: [{ effect: 'deny', when: 'args.id == 9007199254740993' }] }
  await using protecting = await startProtected(server.url, { access })
  const headers = { ...ACCEPT, authorization: `Bearer ${await protecting.callers.token()}` }
  for (const [id, status] of [
    ['9007199254740993', 403],
    ['9007199254740992', 200],
  ] as const) {
    const params = { name: 'read', arguments: { id: JSON.rawJSON(id) } }
    const body = JSON.stringify({ ...call('read'), params })
    assert.equal((await send('POST', protecting.endpoint, { body, headers })).status, status, id)
  }
})

suite('a tool that is not offered cannot be called (T20)', () => {
  const plain = JSON.stringify(call('hidden'))
  const attempts: readonly (readonly [name: string, body: string])[] = [
    ['by its name', plain],
    ['by a name in escapes', plain.replace('hidden', '\\u0068idden')],
    ['by a key in escapes', plain.replace('"name"', '"n\\u0061me"')],
    ['by the second of two names', plain.replace('"name"', '"name":"hello","name"')],
    ['by the first of two names', plain.replace('"name":"hidden"', '"name":"hidden","name":"hello"')],
    ['by a name in capitals', plain.replace('"name":"hidden"', '"name":"hello","NAME":"hidden"')],
    ['by two params', plain.replace('"params"', '"params":{"name":"hello"},"params"')],
    ['by Params', plain.replace('"params"', '"params":{"name":"hello"},"Params"')],
    ['by two methods', plain.replace('"method"', '"method":"tools/list","Method"')],
    ['by the first of two methods', plain.replace('"method":"tools/call"', '"method":"tools/call","method":"ping"')],
    ['in a batch', `[${plain}]`],
    ['in a batch with a list', `[${JSON.stringify(LIST)},${plain}]`],
    ['as a notification', plain.replace('"id":1,', '')],
    ['with the id null', plain.replace('"id":1', '"id":null')],
    ['with a name that is a list', plain.replace('"hidden"', '["hidden"]')],
    ['with a result beside it', plain.replace('"id":1', '"id":1,"result":{}')],
    ['with a byte order mark', `\uFEFF${plain}`],
    ['with more behind it', `${plain}${plain}`],
  ]
  for (const [name, body] of attempts) {
    test(name, async () => {
      await using flow = await startFlow()
      const answer = await flow.post(body, await flow.as('items:write', 'items:audit'))
      assert.doesNotMatch(answer.text, /called/)
      assert.deepEqual(flow.calls(), [])
    })
  }

  test('in the stateless era, whatever its headers name', async () => {
    await using flow = await startFlow()
    const body = { ...call('hidden'), params: { ...call('hidden').params, _meta: META } }
    for (const named of ['hidden', 'hello']) {
      const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': named }
      const answer = await flow.post(body, { ...headers, ...(await flow.as()) })
      assert.doesNotMatch(answer.text, /called/)
    }
    assert.deepEqual(flow.calls(), [])
    const listed = { ...LIST, params: { _meta: META } }
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }
    assert.deepEqual(namesIn((await flow.post(listed, { ...headers, ...(await flow.as()) })).body), ['hello', 'read'])
  })

  test('and looks like one that never was', async () => {
    await using flow = await startFlow()
    const [hidden, never] = await Promise.all(
      ['hidden', 'neverwas'].map(async (name) => (await flow.post(call(name), await flow.as())).text.replace(name, '')),
    )
    assert.equal(hidden, never)
    assert.match(hidden ?? '', /"code":-32602,"message":"Unknown tool: "/)
  })
})

test('a call that is sent as a notification is recorded like any other, allowed or not (T20)', async () => {
  await using server = await startRecordingMcpServer(TOOLS)
  const rules = { ...RULES, publicTools: [] }
  await using protecting = await startProtected(server.url, { rules, flags: { logFormat: 'json' } })
  const headers = { ...ACCEPT, authorization: `Bearer ${await protecting.callers.token({})}` }
  for (const name of ['read', 'write']) {
    const body = { jsonrpc: '2.0', method: 'tools/call', params: { name, arguments: { item: 7 } } }
    await send('POST', protecting.endpoint, { body, headers })
  }
  assert.deepEqual(
    server.seen.map(({ body }) => at(JSON.parse(body), 'params', 'name')),
    ['read'],
  )
  const lines = protecting.log.map((line) => JSON.parse(line)).filter((line) => at(line, 'method') === 'tools/call')
  assert.deepEqual(
    lines.map((line) => [at(line, 'tool'), at(line, 'arguments'), at(line, 'code')]),
    [
      ['read', '{"item":7}', undefined],
      ['write', undefined, 'insufficient_scope'],
    ],
  )
})

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError, toGatewayError } from '../errors.ts'
import { mcpErrorAnswer } from '../http/error-response.ts'
import type { Exchange } from '../http/exchange.ts'
import { send, serveExchanges } from '../http/http.test-support.ts'
import { OpenStreams } from '../http/open-streams.ts'
import { StdioExchange } from '../http/stdio-exchange.ts'
import { answerMessage, type McpHandler } from './answer.ts'
import { findSession } from './find-session.ts'
import { readMessage } from './message.ts'
import { RunningCalls } from './running-calls.ts'
import { McpSessions } from './sessions.ts'
import { SseSessions } from './sse-sessions.ts'
import { ToolChanges } from './tool-changes.ts'

const state = {
  sessions: new McpSessions(createKeyring('the master secret of this installation'), () => 1_000),
  running: new RunningCalls(),
  streams: new OpenStreams({ now: () => 1_000 }),
  sse: new SseSessions(),
  changes: new ToolChanges(),
}
const SERVER = { name: 'shop', title: 'The shop', version: '1.2.3' }
const TOOLS = [{ name: 'get_item', inputSchema: { type: 'object' } }]
const started = Promise.withResolvers<void>()

function handlerFor(exchange: Exchange): McpHandler {
  return {
    describeCaller: () => ({
      owner: { workspaceId: 'w', issuer: 'https://a', subject: exchange.header('x-subject') ?? 'ada' },
      endsAt: Number.POSITIVE_INFINITY,
      publicUrl: () => 'https://gateway.example',
    }),
    server: exchange.path === '/instructed' ? { ...SERVER, instructions: 'Ask first.' } : SERVER,
    listTools: () => JSON.stringify(TOOLS),
    callTool: async (name, args) => {
      if (name === 'slow') {
        const aborted = new Promise<void>((resolve) =>
          exchange.signal.addEventListener('abort', { handleEvent: resolve }),
        )
        started.resolve()
        await aborted
        throw new GatewayError('cancelled', 'Cancelled.')
      }
      if (name === 'broken') throw new GatewayError('upstream_timeout', 'The API took too long.')
      if (name !== 'get_item') throw new GatewayError('invalid_params', `Unknown tool: ${name}`)
      return { content: [{ type: 'text', text: JSON.stringify(args) }] }
    },
    toolFailed: (error) => {
      const { code, message } = toGatewayError(error)
      if (code !== 'upstream_timeout') throw error
      return { content: [{ type: 'text', text: message }], isError: true }
    },
  }
}

async function serve(exchange: Exchange): Promise<void> {
  try {
    const message = await readMessage(exchange)
    const handler = handlerFor(exchange)
    findSession(exchange, message, handler.describeCaller().owner, state)
    await answerMessage(exchange, message, handler, state)
  } catch (error) {
    exchange.send(mcpErrorAnswer(error, { resourceMetadataUrl: undefined, replyTo: exchange.replyTo }))
  }
}

const endpoint = await serveExchanges({ after }, serve)

interface Sent {
  readonly status: number
  readonly session: string | undefined
  readonly body: unknown
}

async function post(body: object, headers: Record<string, string> = {}, path = '/'): Promise<Sent> {
  const answer = await send(endpoint, {
    path,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  })
  const session = answer.headers['mcp-session-id']
  return {
    status: answer.status,
    session: typeof session === 'string' ? session : undefined,
    body: answer.text === '' ? undefined : JSON.parse(answer.text),
  }
}

const VERSION = '2026-07-28'
const META = {
  'io.modelcontextprotocol/protocolVersion': VERSION,
  'io.modelcontextprotocol/clientCapabilities': {},
}
const SERVER_META = { _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'shop', version: '1.2.3' } } }

function modern(method: string, params: Record<string, unknown> = {}, path = '/'): Promise<Sent> {
  const { name } = params
  return post(
    { id: 'm', method, params: { ...params, _meta: META } },
    {
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    path,
  )
}

function initialize(headers: Record<string, string> = {}): Promise<Sent> {
  const clientInfo = { name: 'cursor', version: '1.0' }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  return post({ id: 0, method: 'initialize', params }, headers)
}

function errorOf(code: number, message: string, id: unknown = 'm'): unknown {
  return { jsonrpc: '2.0', id, error: { code, message } }
}

suite('initialize', () => {
  const versions = [
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2024-11-05'],
    ['2024-01-01', '2025-11-25'],
    ['2099-01-01', '2025-11-25'],
    ['', '2025-11-25'],
  ] as const
  for (const [asked, given] of versions) {
    test(`in ${asked || 'no revision'} is answered in ${given}, with a session`, async () => {
      const sent = await post({ id: 0, method: 'initialize', params: { protocolVersion: asked } })
      assert.equal(sent.status, 200)
      assert.match(sent.session ?? '', /^[\x21-\x7e]{40,}$/)
      assert.deepEqual(sent.body, {
        jsonrpc: '2.0',
        id: 0,
        result: { protocolVersion: given, capabilities: { tools: { listChanged: true } }, serverInfo: SERVER },
      })
    })
  }

  test('without a version is invalid, and opens no session', async () => {
    const sent = await post({ id: 0, method: 'initialize', params: {} })
    assert.deepEqual(sent.body, errorOf(-32602, 'Invalid params: protocolVersion must be a string.', 0))
    assert.equal(sent.session, undefined)
  })

  test('passes instructions on', async () => {
    const { body } = await post({ id: 0, method: 'initialize', params: { protocolVersion: 'x' } }, {}, '/instructed')
    assert.match(
      JSON.stringify(body),
      /"serverInfo":\{"name":"shop","title":"The shop","version":"1.2.3"\},"instructions":"Ask first."/,
    )
  })

  test('opens a new session even when it names a stale one', async () => {
    const sent = await initialize({ 'mcp-session-id': 'stale' })
    assert.equal(sent.status, 200)
    assert.notEqual(sent.session, undefined)
  })
})

suite('a session', () => {
  test('serves its caller, ends by DELETE, and is 404 from then on', async () => {
    const { session = '' } = await initialize()
    const headers = { 'mcp-session-id': session }
    assert.equal((await post({ id: 1, method: 'ping' }, headers)).status, 200)
    assert.equal((await send(endpoint, { method: 'DELETE', headers })).status, 204)
    const late = await post({ id: 1, method: 'ping' }, headers)
    assert.deepEqual([late.status, late.body], [404, errorOf(-32001, 'Session not found', 1)])
    assert.equal((await send(endpoint, { method: 'DELETE', headers })).status, 404)
  })

  test('of another caller is not found, neither to use nor to end, nor for a notification', async () => {
    const { session = '' } = await initialize()
    const stranger = { 'mcp-session-id': session, 'x-subject': 'bob' }
    assert.equal((await post({ id: 1, method: 'tools/list' }, stranger)).status, 404)
    assert.equal((await post({ method: 'notifications/initialized' }, stranger)).status, 404)
    assert.equal((await send(endpoint, { method: 'DELETE', headers: stranger })).status, 404)
    assert.equal((await post({ id: 1, method: 'ping' }, { 'mcp-session-id': session })).status, 200)
  })
})

suite('tools/list', () => {
  test('in the older era is the list alone', async () => {
    const { status, body } = await post({ id: 1, method: 'tools/list' })
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 1, result: { tools: TOOLS } }])
  })

  test('in the modern era says that it is complete, how long it may be kept and that it is the caller’s own', async () => {
    const { status, body } = await modern('tools/list')
    const result = { resultType: 'complete', tools: TOOLS, ttlMs: 60_000, cacheScope: 'private', ...SERVER_META }
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 'm', result }])
  })

  test('knows no cursor', async () => {
    const error = 'Invalid params: unknown cursor.'
    assert.deepEqual((await modern('tools/list', { cursor: 'x' })).body, errorOf(-32602, error))
    assert.deepEqual(
      (await post({ id: 1, method: 'tools/list', params: { cursor: '' } })).body,
      errorOf(-32602, error, 1),
    )
  })
})

suite('tools/call', () => {
  const content = [{ type: 'text', text: '{"id":7}' }]
  const params = { name: 'get_item', arguments: { id: 7 } }

  test('in the older era is the result alone', async () => {
    const { status, body } = await post({ id: 1, method: 'tools/call', params })
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 1, result: { content } }])
  })

  test('in the modern era says that it is complete and who answers', async () => {
    const { status, body } = await modern('tools/call', params)
    const result = { resultType: 'complete', ...SERVER_META, content }
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 'm', result }])
  })

  test('without arguments has none', async () => {
    const { body } = await post({ id: 1, method: 'tools/call', params: { name: 'get_item' } })
    assert.deepEqual(body, { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: '{}' }] } })
  })

  test('tells the model of a failure in the result', async () => {
    const { status, body } = await post({ id: 1, method: 'tools/call', params: { name: 'broken' } })
    const result = { content: [{ type: 'text', text: 'The API took too long.' }], isError: true }
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 1, result }])
  })

  const invalid = [
    ['an unknown tool', { name: 'none' }, 'Unknown tool: none'],
    ['no name', {}, 'Invalid params: name must be a string.'],
    ['a name that is a list', { name: ['get_item'] }, 'Invalid params: name must be a string.'],
    ['arguments in a list', { name: 'get_item', arguments: [] }, 'Invalid params: arguments must be an object.'],
    ['arguments that are null', { name: 'get_item', arguments: null }, 'Invalid params: arguments must be an object.'],
  ] as const
  for (const [name, wrong, message] of invalid) {
    test(`with ${name} is -32602 in both eras`, async () => {
      const legacy = await post({ id: 1, method: 'tools/call', params: wrong })
      assert.deepEqual([legacy.status, legacy.body], [200, errorOf(-32602, message, 1)])
      const { status, body } = await modern('tools/call', wrong)
      assert.deepEqual([status, body], [200, errorOf(-32602, message)])
    })
  }

  test('is cancelled by a notification of the same session, and by no other', { timeout: 10_000 }, async () => {
    const [mine, other] = await Promise.all([initialize(), initialize()])
    const headers = { 'mcp-session-id': mine.session ?? '' }
    const call = post({ id: 9, method: 'tools/call', params: { name: 'slow' } }, headers)
    await started.promise
    const cancel = { method: 'notifications/cancelled', params: { requestId: 9 } }
    let isOver = false
    void call.then(() => {
      isOver = true
    })
    assert.equal((await post(cancel)).status, 202)
    assert.equal((await post(cancel, { 'mcp-session-id': other.session ?? '' })).status, 202)
    assert.equal(isOver, false)
    assert.equal((await post(cancel, headers)).status, 202)
    // HTTP must have an answer, and a cancelled request gets none: an empty stream.
    assert.deepEqual(await call, { status: 200, session: undefined, body: undefined })
  })
})

suite('each era has its methods', () => {
  test('ping is the older era’s', async () => {
    assert.deepEqual((await post({ id: 1, method: 'ping' })).body, { jsonrpc: '2.0', id: 1, result: {} })
    const { status, body } = await modern('ping')
    assert.deepEqual([status, body], [404, errorOf(-32601, 'Method not found')])
  })

  test('server/discover is the modern era’s', async () => {
    const { status, body } = await modern('server/discover', {}, '/instructed')
    const result = {
      resultType: 'complete',
      supportedVersions: [VERSION],
      capabilities: { tools: { listChanged: true } },
      instructions: 'Ask first.',
      ttlMs: 60_000,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': SERVER },
    }
    assert.deepEqual([status, body], [200, { jsonrpc: '2.0', id: 'm', result }])
    const legacy = await post({ id: 1, method: 'server/discover' })
    assert.deepEqual([legacy.status, legacy.body], [200, errorOf(-32601, 'Method not found', 1)])
  })

  const unknown = [
    'resources/list',
    'logging/setLevel',
    'tools/Call',
    'constructor',
    '__proto__',
    '',
    'notifications/x',
  ]
  for (const method of unknown) {
    test(`"${method}" is no method: 200 in the older era, 404 in the modern`, async () => {
      const legacy = await post({ id: 1, method })
      assert.deepEqual([legacy.status, legacy.body], [200, errorOf(-32601, 'Method not found', 1)])
      const { status, body } = await modern(method)
      assert.deepEqual([status, body], [404, errorOf(-32601, 'Method not found')])
    })
  }

  test('initialize in a modern envelope is no method', async () => {
    const { status, session, body } = await modern('initialize', { protocolVersion: '2025-11-25' })
    assert.deepEqual([status, session, body], [404, undefined, errorOf(-32601, 'Method not found')])
  })

  test('notifications and responses are accepted with 202 and no body', async () => {
    for (const body of [
      { method: 'notifications/initialized' },
      { method: 'notifications/unheard-of', params: { a: 1 } },
      { method: 'notifications/cancelled' },
      { method: 'tools/call', params: { name: 'get_item' } },
      { id: 1, result: {} },
      { id: 1, error: { code: 1, message: 'no' } },
    ]) {
      assert.deepEqual(await post(body), { status: 202, session: undefined, body: undefined })
    }
  })
})

test('over stdio a notification cancels the call it names, and the call gets no answer', async () => {
  const written: string[] = []
  const lines = (message: object) =>
    new StdioExchange(JSON.stringify({ jsonrpc: '2.0', ...message }), {
      path: '/',
      now: () => 0,
      write: (line) => written.push(line),
    })
  const call = serve(lines({ id: 4, method: 'tools/call', params: { name: 'slow' } }))
  await serve(lines({ id: 5, method: 'ping' }))
  await serve(lines({ method: 'notifications/cancelled', params: { requestId: 4 } }))
  await call
  assert.deepEqual(written, ['{"jsonrpc":"2.0","id":5,"result":{}}\n'])
})

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { openEvents } from '../../src/testing/event-client.ts'
import { startEverythingServer } from '../../src/testing/everything-server/everything-server.ts'
import { beginEvents, startRecordingMcpServer } from '../../src/testing/recording-mcp-server.ts'
import { startProtected, type TestProtected } from '../../src/testing/start-protected.ts'

const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' } },
} as const
const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' } as const

for (const transport of ['Streamable HTTP', 'the 2024 transport (F3)'] as const) {
  suite(`the official client 1.32 through protect, over ${transport}`, () => {
    test('lists, calls, and hears progress and log lines', async () => {
      await using flow = await everything(transport)
      const { client, logged } = flow
      assert.ok((await client.listTools()).tools.length > 20)
      const progress: number[] = []
      const onprogress = (told: { progress: number }) => void progress.push(told.progress)
      await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined, { onprogress })
      // The client drops what it reads together with the answer.
      assert.deepEqual(progress.slice(0, 2), [0, 50])
      await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
      assert.equal(logged.length, 3)
      const complaints = flow.errors.filter(({ message }) => !message.includes('progress notification'))
      assert.deepEqual(complaints, [])
    })

    test('answers what the server asks: a model, and a person', async () => {
      await using flow = await everything(transport)
      const asked = await flow.client.callTool({ name: 'test_sampling', arguments: { prompt: 'Hello?' } })
      assert.match(JSON.stringify(asked), /a model’s answer/)
      const elicited = await flow.client.callTool({ name: 'test_elicitation', arguments: { message: 'Who?' } })
      assert.match(JSON.stringify(elicited), /ada/)
      assert.deepEqual(flow.errors, [])
    })

    test('hears what the server says unasked', async () => {
      await using flow = await everything(transport)
      let isTold = false
      flow.client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
        isTold = true
      })
      // Its stream may open a moment after the first call.
      while (!isTold) await flow.client.callTool({ name: 'test_trigger_tool_change', arguments: {} })
    })
  })
}

test('the official client 2.4 through protect: both eras list, call and hear progress', async (t) => {
  await using server = await startEverythingServer()
  await using protecting = await startProtected(server.url)
  const headers = { Authorization: `Bearer ${await protecting.callers.token()}` }
  for (const mode of ['auto', 'legacy'] as const) {
    await t.test(mode, async () => {
      const client = new ModernClient({ name: 'flow', version: '1' }, { versionNegotiation: { mode } })
      await client.connect(new ModernTransport(new URL(protecting.endpoint), { requestInit: { headers } }))
      assert.equal(client.getNegotiatedProtocolVersion(), mode === 'auto' ? '2026-07-28' : '2025-11-25')
      assert.ok((await client.listTools()).tools.length > 20)
      const progress: number[] = []
      const onprogress = (told: { progress: number }) => void progress.push(told.progress)
      await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress })
      assert.deepEqual(progress, [0, 50, 100])
      await client.close()
    })
  }
})

suite('what goes through protect', () => {
  test('arrives byte for byte, in both directions, numbers too', async () => {
    await using server = await startRecordingMcpServer()
    await using protecting = await startProtected(server.url)
    const authorization = `Bearer ${await protecting.callers.token()}`
    const body = `{"jsonrpc": "2.0",\n "id":"ä", "method":"tools/call","params":{"name":"open","arguments":{"big":123456789012345678901234567890,"small":1.10,"e":1E400,"twice":1,"twice":2,"text":"\\u00e4ä\u{1f600}"}}}`
    const answer =
      '{"id" :"ä",\n"jsonrpc":"2.0","result":{"content":[],"structuredContent":{"n":9223372036854775807,"f":0.10}}}'
    const event = `id: 7\r\nevent: message\r\ndata: ${answer.replace('\n', '')}\r\n\r\n`
    for (const type of ['application/json', 'text/event-stream']) {
      server.answer = (_request, response) => {
        response.writeHead(200, { 'content-type': type }).end(type === 'application/json' ? answer : event)
        return true
      }
      const response = await post(protecting.endpoint, body, { authorization })
      assert.equal(response.status, 200)
      assert.equal(await response.text(), type === 'application/json' ? answer : event)
      assert.equal(server.seen.at(-1)?.body, body)
    }
  })

  test('a GET stream carries events unchanged, and is taken up again with Last-Event-ID', async () => {
    await using server = await startRecordingMcpServer()
    await using protecting = await startProtected(server.url)
    const authorization = `Bearer ${await protecting.callers.token()}`
    const raw = 'id: 1\nevent: message\nretry: 20\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'
    server.answer = ({ method }, response) => {
      if (method === 'GET') beginEvents(response).write(raw)
      return method === 'GET'
    }
    const session = await sessionOf(protecting, authorization)
    const headers = { authorization, 'mcp-session-id': session, 'last-event-id': '7' }
    await using stream = await openEvents(protecting.endpoint, { headers })
    assert.equal((await stream.next())?.raw, raw)
    const get = await server.sees(({ method }) => method === 'GET')
    assert.deepEqual([get.headers['last-event-id'], get.headers['mcp-session-id']], ['7', 'upstream-session-1'])
    stream.close()
    await get.closed
  })

  test('a call whose stream the server closed is answered on the next one (resumption)', async () => {
    await using flow = await everything('Streamable HTTP')
    const result = await flow.client.callTool({ name: 'test_reconnection', arguments: {} })
    assert.match(JSON.stringify(result), /The answer came after the stream was closed/)
  })

  test('a client of the 2024 transport, which cannot resume, is told instead of left waiting', async () => {
    await using flow = await everything('the 2024 transport (F3)')
    await assert.rejects(flow.client.callTool({ name: 'test_reconnection', arguments: {} }), /ended its stream/)
  })
})

suite('a session through protect', () => {
  test('is ours, is the server’s there, and ends with DELETE at both', async () => {
    await using server = await startRecordingMcpServer()
    await using protecting = await startProtected(server.url)
    const authorization = `Bearer ${await protecting.callers.token()}`
    const session = await sessionOf(protecting, authorization)
    assert.doesNotMatch(session, /upstream/)
    const headers = { authorization, 'mcp-session-id': session }
    assert.equal((await post(protecting.endpoint, LIST, headers)).status, 200)
    assert.equal(server.seen.at(-1)?.headers['mcp-session-id'], 'upstream-session-1')
    assert.equal((await fetch(protecting.endpoint, { method: 'DELETE', headers })).status, 200)
    assert.equal(server.seen.at(-1)?.headers['mcp-session-id'], 'upstream-session-1')
    server.forget()
    assert.equal((await post(protecting.endpoint, LIST, headers)).status, 404)
    assert.deepEqual(server.seen, [])
  })

  test('outlives a restart with the same folder of keys, and is still nobody else’s (F7)', async () => {
    const keysDir = await mkdtemp(join(tmpdir(), 'gatehouse-keys-'))
    try {
      await using server = await startRecordingMcpServer()
      const first = await startProtected(server.url, { flags: { keysDir } })
      const { secret } = first.callers
      const authorization = `Bearer ${await first.callers.token({ sub: 'ada' })}`
      const eve = `Bearer ${await first.callers.token({ sub: 'eve' })}`
      const session = await sessionOf(first, authorization)
      await first[Symbol.asyncDispose]()
      await using second = await startProtected(server.url, { flags: { keysDir, secret } })
      const list = (token: string) => post(second.endpoint, LIST, { authorization: token, 'mcp-session-id': session })
      assert.equal((await list(authorization)).status, 200)
      assert.equal(server.seen.at(-1)?.headers['mcp-session-id'], 'upstream-session-1')
      assert.equal((await list(eve)).status, 404)
    } finally {
      await rm(keysDir, { recursive: true, force: true })
    }
  })

  test('of the 2024 transport is ended at the server when its client leaves', async () => {
    await using server = await startRecordingMcpServer()
    await using protecting = await startProtected(server.url)
    const authorization = `Bearer ${await protecting.callers.token()}`
    const client = new Client({ name: 'flow', version: '1' })
    const url = new URL(protecting.endpoint.replace(/mcp$/, 'sse'))
    await client.connect(new SSEClientTransport(url, { requestInit: { headers: { authorization } } }))
    await client.listTools()
    assert.equal(server.seen.at(-1)?.headers['mcp-session-id'], 'upstream-session-1')
    await client.close()
    const { headers } = await server.sees(({ method }) => method === 'DELETE')
    assert.equal(headers['mcp-session-id'], 'upstream-session-1')
  })

  test('of the 2024 transport hears each unasked message once, however often it says that it is ready', async () => {
    await using server = await startRecordingMcpServer()
    let gets = 0
    server.answer = ({ method }, response) => {
      if (method !== 'GET') return false
      gets += 1
      beginEvents(response).write(
        'id: 1\nevent: endpoint\ndata: {"jsonrpc":"2.0",\ndata: "method":"notifications/x"}\n\n',
      )
      return true
    }
    await using protecting = await startProtected(server.url)
    const authorization = `Bearer ${await protecting.callers.token()}`
    await using sse = await openEvents(protecting.endpoint.replace(/mcp$/, 'sse'), { headers: { authorization } })
    const url = new URL((await sse.next())?.data ?? '', protecting.endpoint).href
    await post(url, INITIALIZE, { authorization })
    assert.match(JSON.stringify(await sse.nextJson()), /"id":1/)
    for (let count = 0; count < 3; count += 1) {
      await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, { authorization })
    }
    // As a message, without the id, the name and the line ends of the other stream.
    const data = ['{"jsonrpc":"2.0",', '"method":"notifications/x"}']
    assert.equal((await sse.next())?.raw, `event: message\ndata: ${data.join('\ndata: ')}\n\n`)
    await post(url, LIST, { authorization })
    assert.match(JSON.stringify(await sse.nextJson()), /"tools"/)
    assert.equal(gets, 1)
  })
})

/** A client of the everything-server behind protect, which can be asked. */
async function everything(over: string) {
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await startEverythingServer())
  const protecting = parts.use(await startProtected(server.url))
  const headers = { Authorization: `Bearer ${await protecting.callers.token()}` }
  const client = new Client({ name: 'flow', version: '1' }, { capabilities: { sampling: {}, elicitation: {} } })
  const errors: Error[] = []
  const logged: unknown[] = []
  client.onerror = (error) => errors.push(error)
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data))
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    ...{ model: 'test', role: 'assistant' as const, content: { type: 'text' as const, text: 'a model’s answer' } },
  }))
  client.setRequestHandler(ElicitRequestSchema, () => ({
    ...{ action: 'accept' as const, content: { username: 'ada', email: 'ada@example.com' } },
  }))
  const requestInit = { headers }
  await client.connect(
    over === 'Streamable HTTP'
      ? new StreamableHTTPClientTransport(new URL(protecting.endpoint), { requestInit })
      : new SSEClientTransport(new URL(protecting.endpoint.replace(/mcp$/, 'sse')), { requestInit }),
  )
  parts.defer(() => client.close())
  const started = parts.move()
  return { client, errors, logged, protecting, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function sessionOf({ endpoint }: TestProtected, authorization: string): Promise<string> {
  const response = await post(endpoint, INITIALIZE, { authorization })
  assert.equal(response.status, 200, await response.text())
  return response.headers.get('mcp-session-id') ?? ''
}

function post(url: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

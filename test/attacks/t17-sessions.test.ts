import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { type EventClient, openEvents } from '../../src/testing/event-client.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import {
  beginEvents,
  type RecordingMcpServer,
  startRecordingMcpServer,
} from '../../src/testing/recording-mcp-server.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { startProtected, type TestProtected } from '../../src/testing/start-protected.ts'
import { post, TOOLS_LIST } from './support/client.ts'

const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
} as const
const ISSUERS = ['https://issuer.example', 'https://other.example']

/** One way in, and tokens of callers who are not each other. */
interface Way {
  readonly endpoint: string
  readonly sse: string
  readonly token: (claims: Readonly<Record<string, unknown>>) => Promise<string>
  /** Requests that went past the gateway. */
  readonly passed: () => number
}

let server: RecordingMcpServer
let api: RecordingApi
let protecting: TestProtected
let gateway: TestGateway
let ways: Readonly<Record<'protect' | 'workspace', Way>>

before(async () => {
  server = await startRecordingMcpServer()
  server.answer = ({ method }, response) => {
    if (method === 'GET')
      beginEvents(response).write('id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/secret"}\n\n')
    return method === 'GET'
  }
  api = await startRecordingApi()
  protecting = await startProtected(server.url, { flags: { issuer: ISSUERS } })
  gateway = await startGateway()
  const callers = testCallers({ issuer: ISSUERS })
  const document = JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    servers: [{ url: api.url }],
    paths: { '/things': { get: { operationId: 'listThings' } } },
  })
  const { endpoint } = await gateway.makeWorkspace({ name: 'things', source: { document }, auth: callers.auth })
  ways = {
    protect: {
      endpoint: protecting.endpoint,
      sse: protecting.endpoint.replace(/mcp$/, 'sse'),
      token: (claims) => protecting.callers.token(claims),
      passed: () => server.seen.length,
    },
    workspace: {
      endpoint,
      sse: `${endpoint}/sse`,
      token: (claims) => callers.token(claims),
      passed: () => api.seen.length,
    },
  }
})

after(async () => {
  await protecting[Symbol.asyncDispose]()
  await gateway[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

/** Ada, and everybody who is not she. */
async function cast({ token }: Way) {
  const ada = await token({ sub: 'ada' })
  const others = [
    await token({ sub: 'eve' }),
    await token({ sub: 'Ada' }),
    await token({ sub: 'ada ' }),
    await token({ sub: 'ada', iss: ISSUERS[1] }),
    await token({ sub: 'eve', userId: 'ada' }),
    await token({ sub: 'eve', act: { sub: 'ada' } }),
  ]
  return { ada, others }
}

async function open({ endpoint }: Way, token: string): Promise<string> {
  return (await post(endpoint, INITIALIZE, { token })).headers.get('mcp-session-id') ?? ''
}

/** The status of a request that names the session. */
async function use(endpoint: string, token: string | undefined, session: string, method = 'POST'): Promise<number> {
  const given = token === undefined ? {} : { token }
  if (method === 'POST') {
    return (await post(endpoint, TOOLS_LIST, { ...given, headers: { 'mcp-session-id': session } })).status
  }
  const headers = { authorization: `Bearer ${token}`, 'mcp-session-id': session, accept: 'text/event-stream' }
  await using stream = await openEvents(endpoint, { method, headers })
  return stream.status
}

async function openSse({ sse, endpoint }: Way, token: string): Promise<{ stream: EventClient; url: string }> {
  const stream = await openEvents(sse, { headers: { authorization: `Bearer ${token}` } })
  return { stream, url: new URL((await stream.next())?.data ?? '', endpoint).href }
}

for (const name of ['protect', 'workspace'] as const) {
  suite(`T17: through ${name}, another caller’s session is no session`, () => {
    test('for any message, for its stream, and for its end: all look as if it had never been', async () => {
      const way = ways[name]
      const { ada, others } = await cast(way)
      const session = await open(way, ada)
      const passed = way.passed()
      const [never] = await Promise.all([
        post(way.endpoint, TOOLS_LIST, { token: ada, headers: { 'mcp-session-id': 'x' } }),
      ])
      for (const token of others) {
        for (const method of ['POST', 'GET', 'DELETE']) {
          assert.equal(await use(way.endpoint, token, session, method), 404, method)
        }
        const refused = await post(way.endpoint, TOOLS_LIST, { token, headers: { 'mcp-session-id': session } })
        assert.equal(refused.text, never.text)
      }
      assert.equal(way.passed(), passed, 'nothing reached the other side')
      assert.equal(await use(way.endpoint, ada, session), 200, 'it is still hers')
    })

    test('is no credential', async () => {
      const way = ways[name]
      const { ada } = await cast(way)
      assert.equal(await use(way.endpoint, undefined, await open(way, ada)), 401)
    })

    test('cannot be ended by way of one’s own stream', async () => {
      const way = ways[name]
      const { ada, others } = await cast(way)
      const session = await open(way, ada)
      const [eve = ''] = others
      const { stream, url } = await openSse(way, eve)
      await post(url, INITIALIZE, { token: eve })
      await stream.nextJson()
      await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${eve}`, 'mcp-session-id': session } })
      assert.equal(await use(way.endpoint, ada, session), 200)
      stream.close()
    })

    test('of the 2024 transport takes no message of another, and answers on its own stream only', async () => {
      const way = ways[name]
      const { ada, others } = await cast(way)
      const hers = await openSse(way, ada)
      const passed = way.passed()
      for (const token of others) {
        assert.equal((await post(hers.url, TOOLS_LIST, { token })).status, 404)
      }
      assert.equal((await post(hers.url, TOOLS_LIST)).status, 401)
      assert.equal(way.passed(), passed)
      const [eve = ''] = others
      const eves = await openSse(way, eve)
      await post(hers.url, { ...TOOLS_LIST, id: 'hers' }, { token: ada })
      await post(eves.url, { ...TOOLS_LIST, id: 'eves' }, { token: eve })
      assert.match(JSON.stringify(await hers.stream.nextJson()), /"id":"hers"/)
      assert.match(JSON.stringify(await eves.stream.nextJson()), /"id":"eves"/)
      hers.stream.close()
      eves.stream.close()
    })

    test('ids are not to be guessed, and never the same', async () => {
      const way = ways[name]
      const { ada } = await cast(way)
      const ids = await Promise.all(Array.from({ length: 20 }, () => open(way, ada)))
      assert.equal(new Set(ids).size, 20)
      const [first = ''] = ids
      const [payload = '', signature = ''] = first.split('.')
      for (const forged of [`${payload}.`, payload, `.${signature}`, `${first}.`, `${payload}.${signature.slice(1)}`]) {
        assert.equal(await use(way.endpoint, ada, forged), 404, forged)
      }
    })
  })
}

suite('T17: through protect, the server’s own session stays between it and us', () => {
  test('its id is not good for anything, with any token', async () => {
    const way = ways.protect
    const { ada } = await cast(way)
    await open(way, ada)
    const passed = way.passed()
    for (const id of ['upstream-session-1', 'upstream-session-2']) {
      assert.equal(await use(way.endpoint, ada, id), 404)
    }
    assert.equal(way.passed(), passed)
  })

  test('his own name for his session is nobody else’s, and the same after a restart (F6)', async () => {
    const named = async (protecting: TestProtected, token: string) => {
      server.forget()
      const headers = { 'x-mcp-session-id': 'my-agent-session' }
      assert.equal((await post(protecting.endpoint, TOOLS_LIST, { token, headers })).status, 200)
      return String(server.seen[0]?.headers['x-mcp-session-id'])
    }
    const keysDir = gateway.folder
    await using first = await startProtected(server.url, { flags: { keysDir } })
    const { secret } = first.callers
    const [ada, bob] = await Promise.all(['ada', 'bob'].map((sub) => first.callers.token({ sub })))
    assert.ok(ada !== undefined && bob !== undefined)
    const adas = await named(first, ada)
    assert.match(adas, /^my-agent-session\./)
    assert.notEqual(await named(first, bob), adas)
    await using second = await startProtected(server.url, { flags: { keysDir, secret } })
    assert.equal(await named(second, ada), adas)
  })

  test('a session of one server is none in front of another, with the same keys', async () => {
    const keysDir = gateway.folder
    await using another = await startRecordingMcpServer()
    await using first = await startProtected(server.url, { flags: { keysDir } })
    const { secret } = first.callers
    await using second = await startProtected(another.url, { flags: { keysDir, secret } })
    const token = await first.callers.token()
    const headers = {
      'mcp-session-id': (await post(first.endpoint, INITIALIZE, { token })).headers.get('mcp-session-id') ?? '',
    }
    assert.equal((await post(second.endpoint, TOOLS_LIST, { token, headers })).status, 404)
    assert.deepEqual(another.seen, [])
  })
})

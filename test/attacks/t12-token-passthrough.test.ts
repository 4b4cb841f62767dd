import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  type McpRequest,
  type RecordingMcpServer,
  startRecordingMcpServer,
} from '../../src/testing/recording-mcp-server.ts'
import { startProtected, type TestProtected } from '../../src/testing/start-protected.ts'
import { sendRaw } from './support/raw-http.ts'

const CANARY = 'kanarienvogel-of-the-caller'
const OURS = 'the-token-of-the-gateway-itself'

let server: RecordingMcpServer
let protecting: TestProtected
let token = ''

before(async () => {
  server = await startRecordingMcpServer()
  protecting = await startProtected(server.url, {
    upstream: { auth: { type: 'bearer', token: OURS } },
    rules: { publicTools: ['open'] },
  })
  token = await protecting.callers.token({ sub: CANARY })
})

after(async () => {
  await protecting[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** Everything by which a client may carry something that was meant for us alone. */
const CARRIED = [
  ...['X-API-Key', 'X-Api-Token', 'Proxy-Authorization', 'Cookie', 'Cookie2', 'X-Auth-Token', 'X-Access-Token', 'DPoP'],
  ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-User', 'Forwarded', 'X-Real-IP', 'Via'],
  ...['X-User-ID', 'X-Remote-User', 'X-Original-URL', 'Origin-Agent-Cluster', 'Referer', 'From', 'User-Agent'],
  ...['X-Request-Id', 'Traceparent', 'X-Anything', 'Mcp-Authorization', 'MCP-Session', 'Mcp', 'Authorization2'],
] as const

const MESSAGES = [
  [
    'POST',
    { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {} } },
  ],
  ['POST', { jsonrpc: '2.0', id: 1, method: 'tools/list' }],
  ['POST', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'open', arguments: {} } }],
  ['POST', { jsonrpc: '2.0', method: 'notifications/initialized' }],
  ['POST', { jsonrpc: '2.0', id: 1, result: {} }],
  ['GET', undefined],
] as const

/** Sends it with everything a client can carry and gives what arrived at the server. */
async function passes(
  method: string,
  body: unknown,
  credential: readonly string[],
  target = `/mcp?access_token=${CANARY}`,
): Promise<McpRequest> {
  server.forget()
  const headers = [
    ...credential,
    'Accept: application/json, text/event-stream',
    'Content-Type: application/json',
    `X-MCP-Session-Id: callers-own-name`,
    ...CARRIED.map((name) => `${name}: ${CANARY}`),
  ]
  const text = body === undefined ? '' : JSON.stringify(body)
  const answer = await sendRaw(new URL(protecting.endpoint).origin, { method, target, headers, body: text })
  const [request] = server.seen
  assert.ok(request !== undefined, `${method} did not pass: ${answer.whole}`)
  return request
}

function assertOursAlone(request: McpRequest): void {
  const everything = `${request.target}\n${request.rawHeaders.join('\n')}\n${request.body}`
  assert.ok(!everything.includes(CANARY), everything)
  assert.ok(!everything.includes(token), everything)
  assert.equal(request.target, '/mcp')
  assert.equal(request.headers['authorization'], `Bearer ${OURS}`)
  assert.equal(request.rawHeaders.filter((name) => /^authorization$/i.test(name)).length, 1)
  assert.match(
    String(request.headers['x-mcp-session-id']),
    /^callers-own-name\.[\w-]{22}$/,
    'what MCP says is passed on',
  )
}

suite('T12: nothing that was meant for the gateway goes on to the MCP server', () => {
  for (const [method, body] of MESSAGES) {
    const name = body === undefined ? method : 'method' in body ? body.method : 'a response'
    test(`${name}, with a bearer`, async () => {
      assertOursAlone(await passes(method, body, [`Authorization: Bearer ${token}`]))
    })
    test(`${name}, with agent-session`, async () => {
      assertOursAlone(await passes(method, body, [`agent-session: ${token}`]))
    })
  }

  test('a second credential beside the one that counts', async () => {
    const both = [`Authorization: Bearer ${token}`, `agent-session: ${CANARY}`]
    assertOursAlone(await passes('POST', MESSAGES[1][1], both))
  })

  test('a call without a credential, of a public tool', async () => {
    assertOursAlone(await passes('POST', MESSAGES[2][1], []))
  })

  test('the stateless era, whose other headers do go on', async () => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'open', arguments: {}, _meta } }
    const said = [
      'MCP-Protocol-Version: 2026-07-28',
      'Mcp-Method: tools/call',
      'Mcp-Name: open',
      'Mcp-Param-Region: eu',
    ]
    const request = await passes('POST', body, [`Authorization: Bearer ${token}`, ...said])
    assertOursAlone(request)
    for (const line of said) {
      const [header = '', value] = line.split(': ')
      assert.equal(request.headers[header.toLowerCase()], value)
    }
  })

  test('a header of the caller does not take the place of ours, in any spelling', async () => {
    for (const name of ['authorization', 'AUTHORIZATION', 'Authorization']) {
      assertOursAlone(await passes('POST', MESSAGES[1][1], [`${name}: Bearer ${token}`]))
    }
  })

  test('an API key of ours is sent in its header, the caller’s of that name is not', async () => {
    await using other = await startProtected(server.url, {
      upstream: { auth: { type: 'apiKey', header: 'X-API-Key', value: OURS } },
    })
    server.forget()
    const headers = { authorization: `Bearer ${await other.callers.token()}`, 'x-api-key': CANARY }
    await fetch(other.endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify(MESSAGES[1][1]),
    })
    assert.equal(server.seen[0]?.headers['x-api-key'], OURS)
    assert.equal(server.seen[0]?.headers['authorization'], undefined)
  })

  test('without a credential of ours none is sent at all', async () => {
    await using other = await startProtected(server.url)
    server.forget()
    await fetch(other.endpoint, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await other.callers.token()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify(MESSAGES[1][1]),
    })
    assert.equal(server.seen.length, 1)
    assert.equal(server.seen[0]?.headers['authorization'], undefined)
  })
})

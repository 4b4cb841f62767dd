import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { startShop, useFiveTools } from './shop.ts'

/** What `curl -H … -d …` sends: `Accept: *`/`*`, and a form unless told otherwise. */
interface Curl {
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON text; without it the request is a GET. */
  readonly data?: unknown
}

const JSON_TYPE = { 'Content-Type': 'application/json' } as const

/** Seed 004, word for word. */
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2024-11-05',
    capabilities: {},
    clientInfo: { name: 'my-agent', version: '1.0' },
  },
} as const

/** Seed 003, word for word. */
const LIST_TOOLS = { jsonrpc: '2.0', method: 'tools/list', params: {}, id: 1 } as const

const initialized = z.object({
  id: z.literal(1),
  result: z.object({ protocolVersion: z.literal('2024-11-05'), capabilities: z.object({ tools: z.object({}) }) }),
})
const listed = z.object({ id: z.literal(1), result: z.object({ tools: z.array(z.object({ name: z.string() })) }) })
const failed = z.object({ error: z.object({ code: z.number(), message: z.string() }) })

test('the seeds’ curls', async (t) => {
  // Seed 003 asks for these scopes and signs a token that has them as a list.
  await using shop = await startShop({
    verifier: { requiredScopes: ['mcp', 'mcp:call'] },
    claims: { email: 'test@example.com', scopes: ['mcp', 'mcp:call'] },
  })
  const { token } = shop
  const bearer = { Authorization: `Bearer ${token}` }
  const curl = (path: string, request: Curl) => send(shop.gateway.url + path, request)

  await t.test('004: initialize with Authorization: Bearer', async () => {
    const { status, headers, body } = await curl('/mcp', { headers: { ...JSON_TYPE, ...bearer }, data: INITIALIZE })
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/json')
    assert.match(headers.get('mcp-session-id') ?? '', /^[\x21-\x7e]+$/)
    initialized.parse(body)
  })

  await t.test('004: initialize with agent-session', async () => {
    const headers = { ...JSON_TYPE, 'agent-session': token }
    const { status, body } = await curl('/mcp', { headers, data: INITIALIZE })
    assert.equal(status, 200)
    initialized.parse(body)
  })

  await t.test('004: with both, Authorization: Bearer takes precedence', async () => {
    const good = { ...JSON_TYPE, ...bearer, 'agent-session': 'not-a-token' }
    assert.equal((await curl('/mcp', { headers: good, data: INITIALIZE })).status, 200)
    const bad = { ...JSON_TYPE, Authorization: 'Bearer not-a-token', 'agent-session': token }
    assert.equal((await curl('/mcp', { headers: bad, data: INITIALIZE })).status, 401)
  })

  await t.test('004: X-MCP-Session-Id beside the token is read independently', async () => {
    const own = { 'X-MCP-Session-Id': 'my-agent-session' }
    const { status, headers, body } = await curl('/mcp', {
      headers: { ...JSON_TYPE, ...bearer, ...own },
      data: INITIALIZE,
    })
    assert.equal(status, 200)
    initialized.parse(body)
    assert.notEqual(headers.get('mcp-session-id'), 'my-agent-session')
    // It is no protocol session: the next request needs none, and the token still decides.
    const next = await curl('/mcp', { headers: { ...JSON_TYPE, ...bearer, ...own }, data: LIST_TOOLS })
    assert.equal(next.status, 200)
    assert.equal((await curl('/mcp', { headers: { ...JSON_TYPE, ...own }, data: LIST_TOOLS })).status, 401)
  })

  await t.test('003: tools/list without initialize, Accept: */*', async () => {
    const { status, body } = await curl('/mcp', { headers: { ...JSON_TYPE, ...bearer }, data: LIST_TOOLS })
    assert.equal(status, 200)
    assert.equal(listed.parse(body).result.tools.length, 5)
  })

  await t.test(
    '003: the last curl names no content type, so curl sends a form: the answer says what to send',
    async () => {
      const { params: _, ...data } = LIST_TOOLS
      const { status, body } = await curl('/mcp', { headers: bearer, data })
      assert.equal(status, 415)
      assert.match(failed.parse(body).error.message, /Content-Type must be application\/json/)
      assert.equal((await curl('/mcp', { headers: { ...JSON_TYPE, ...bearer }, data })).status, 200)
    },
  )

  await t.test('001: POST …/sse with JSON-RPC lists and calls the five tools', async () => {
    const post = (data: unknown) => curl('/sse', { headers: { ...bearer, ...JSON_TYPE }, data })
    await useFiveTools(shop, {
      list: async () => listed.parse((await post(LIST_TOOLS)).body).result.tools.map(({ name }) => name),
      call: async (name, args) => {
        const params = { name, arguments: args }
        const { body } = await post({ jsonrpc: '2.0', id: 2, method: 'tools/call', params })
        return z.object({ result: z.unknown() }).parse(body).result
      },
    })
  })

  await t.test('001: its body, which is no JSON-RPC, is told so', async () => {
    const data = { query: "What's the weather like today?" }
    const { status, body } = await curl('/sse', { headers: { ...bearer, ...JSON_TYPE }, data })
    assert.equal(status, 400)
    assert.deepEqual(failed.parse(body).error, {
      code: -32600,
      message: 'Invalid Request: not a JSON-RPC 2.0 message.',
    })
  })

  await t.test('001: curl -v …/sse shows whether the token is good', async () => {
    const refused = await curl('/sse', { headers: { Authorization: `Bearer ${token}x` } })
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"/)
    assert.notEqual((await curl('/sse', { headers: bearer })).status, 401)
  })
})

async function send(url: string, { headers, data }: Curl) {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const response = await fetch(url, {
    headers: data === undefined ? { ...headers } : { ...form, ...headers },
    ...(data === undefined ? {} : { method: 'POST', body: JSON.stringify(data) }),
  })
  const body: unknown = await response.json()
  return { status: response.status, headers: response.headers, body }
}

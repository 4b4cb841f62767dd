import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { at, callTool, post } from '../attacks/support/client.ts'
import { sendRaw } from '../attacks/support/raw-http.ts'
import { documentWith, openShop, type Shop } from './support/bystander.ts'

let shop: Shop
let upstream: RecordingApi
let endpoint = ''

before(async () => {
  upstream = await startRecordingApi()
  shop = await openShop({ config: { bodyBytesMax: 10_000, requestTimeoutMs: 1_000 } })
  const document = documentWith(upstream.url, { '/things': { get: { operationId: 'listThings' } } })
  endpoint = (await shop.make({ source: { document } })).endpoint
})

after(async () => {
  await shop[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const modernList = { ...list, params: { _meta: meta } }
const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }

interface Malformed {
  readonly name: string
  readonly message: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly code: number
  readonly says: string
}

const invalid = (name: string, message: unknown, why: string): Malformed => {
  return { name, message, status: 400, code: -32600, says: `Invalid Request: ${why}` }
}
const noJson = { status: 400, code: -32700, says: 'Parse error: the body is not JSON.' }

const cases: readonly Malformed[] = [
  { name: 'no JSON', message: '{"jsonrpc":', ...noJson },
  { name: 'nothing', message: '', ...noJson },
  { name: 'two messages in a row', message: '{}{}', ...noJson },
  invalid('a batch', [list], 'JSON-RPC batches are not supported, send one message a POST.'),
  invalid('a text', '"tools/list"', 'not a JSON-RPC 2.0 message.'),
  invalid('null', 'null', 'not a JSON-RPC 2.0 message.'),
  invalid('JSON-RPC 1.0', { id: 1, method: 'tools/list' }, 'not a JSON-RPC 2.0 message.'),
  invalid('neither question nor answer', { jsonrpc: '2.0', id: 1 }, 'neither a method nor a result.'),
  invalid('a method that is no text', { ...list, method: 7 }, 'the method must be a string.'),
  invalid('params that are a list', { ...list, params: [1] }, 'the params must be an object.'),
  invalid('an id that is null', { ...list, id: null }, 'the id must be a string or an integer.'),
  invalid('an id that is an object', { ...list, id: {} }, 'the id must be a string or an integer.'),
  {
    name: 'another media type',
    message: list,
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: -32000,
    says: 'Unsupported Media Type: Content-Type must be application/json.',
  },
  {
    name: 'no answer that we can give',
    message: list,
    headers: { accept: 'text/html' },
    status: 406,
    code: -32000,
    says: 'Not Acceptable: Client must accept application/json.',
  },
  {
    name: 'a revision that nobody knows',
    message: list,
    headers: { 'mcp-protocol-version': '1999-01-01' },
    status: 400,
    code: -32000,
    says: 'Bad Request: Unsupported protocol version.',
  },
  {
    name: 'a session that nobody has',
    message: list,
    headers: { 'mcp-session-id': 'not-a-session' },
    status: 404,
    code: -32001,
    says: 'Session not found',
  },
  {
    name: 'a header of another method',
    message: modernList,
    headers: { ...modern, 'mcp-method': 'tools/call' },
    status: 400,
    code: -32020,
    says: 'Header mismatch: the Mcp-Method header says something else than the body.',
  },
  {
    name: 'no header of the method',
    message: modernList,
    headers: { 'mcp-protocol-version': '2026-07-28' },
    status: 400,
    code: -32020,
    says: 'Header mismatch: the Mcp-Method header is missing.',
  },
  {
    name: 'a header of a revision and a body of none',
    message: list,
    headers: modern,
    status: 400,
    code: -32602,
    says: 'Invalid params: _meta is missing.',
  },
  {
    name: 'a body of a revision to come',
    message: { ...list, params: { _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } } },
    headers: { ...modern, 'mcp-protocol-version': '2099-01-01' },
    status: 400,
    code: -32022,
    says: 'Unsupported protocol version.',
  },
  {
    name: 'a method that is not there, in the older era',
    message: { ...list, method: 'tools/lsit' },
    status: 200,
    code: -32601,
    says: 'Method not found',
  },
  {
    name: 'a method that is not there, in the newer era',
    message: { ...modernList, method: 'tools/lsit' },
    headers: { ...modern, 'mcp-method': 'tools/lsit' },
    status: 404,
    code: -32601,
    says: 'Method not found',
  },
  {
    name: 'a body over the limit',
    message: { ...list, params: { filler: 'x'.repeat(10_000) } },
    status: 413,
    code: -32000,
    says: 'The body is larger than 10000 bytes.',
  },
]

suite('a message that cannot be read is refused in words, and the next one is served:', () => {
  for (const { name, message, headers = {}, status, code, says } of cases) {
    test(name, async () => {
      const answer = await post(endpoint, message, { token: shop.token, headers })
      assert.equal(answer.status, status, answer.text)
      assert.equal(answer.headers.get('content-type'), 'application/json')
      const error = at(answer.json, 'error')
      assert.deepEqual({ code: at(error, 'code'), message: at(error, 'message') }, { code, message: says })
      assert.equal((await callTool(endpoint, shop.token, 'listThings')).isError, false)
    })
  }

  test('a body over the limit that does not say how long it is', async () => {
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
    const headers = [
      `Authorization: Bearer ${shop.token}`,
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ]
    const request = { method: 'POST', target: new URL(endpoint).pathname, headers, body: `${chunk.repeat(4)}0\r\n\r\n` }
    const answer = await sendRaw(shop.gateway.url, request)
    assert.equal(answer.status, 413, answer.whole)
    assert.match(answer.body, /The body is larger than 10000 bytes\./)
    await shop.assertOthersAreServed()
  })

  test('a body that is not UTF-8', async () => {
    const { hostname, port, pathname } = new URL(endpoint)
    const head = `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\nAuthorization: Bearer ${shop.token}\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n`
    const answer = await bytes(Number(port), Buffer.concat([Buffer.from(head), Buffer.from([0x22, 0xff, 0x22])]))
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request/)
    assert.match(answer, /Parse error: the body is not UTF-8\./)
  })

  test('a GET says how messages are sent', async () => {
    const response = await fetch(endpoint, { headers: { authorization: `Bearer ${shop.token}` } })
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'GET, POST, DELETE, OPTIONS')
    assert.match(await response.text(), /Method not allowed: send messages by POST, or accept text\/event-stream\./)
  })
})

suite('a client that is slow to send', () => {
  test('its body is cut off with 408, and the others are served meanwhile', async () => {
    const { hostname, port, pathname } = new URL(endpoint)
    const head = `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${shop.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"jsonrpc"`
    const slow = Array.from({ length: 10 }, () => bytes(Number(port), Buffer.from(head)))
    await shop.assertOthersAreServed()
    assert.equal((await callTool(endpoint, shop.token, 'listThings')).isError, false)
    for (const answer of await Promise.all(slow)) assert.match(answer, /^HTTP\/1\.1 408 Request Timeout/)
    await shop.assertOthersAreServed()
  })

  test('its head is cut off too', async () => {
    const { port } = new URL(endpoint)
    const answer = await bytes(Number(port), Buffer.from('POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: '))
    assert.match(answer, /^HTTP\/1\.1 408 Request Timeout/)
    await shop.assertOthersAreServed()
  })
})

/** Sends and waits until the other side closes. */
function bytes(port: number, data: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(data))
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

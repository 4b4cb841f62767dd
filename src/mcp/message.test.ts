import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { send, type TestRequest } from '../http/http.test-support.ts'
import { StdioExchange } from '../http/stdio-exchange.ts'
import { serveMessages } from './mcp.test-support.ts'
import { readMessage } from './message.ts'

const VERSION = '2026-07-28'
const KEY = 'io.modelcontextprotocol/'
const META = { [`${KEY}protocolVersion`]: VERSION, [`${KEY}clientCapabilities`]: {} }
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const CALL = { ...LIST, method: 'tools/call', params: { name: 'get_item', arguments: {} } }
const JSON_TYPE = { 'content-type': 'application/json' }

const server = await serveMessages({ after })

type Headers = NonNullable<TestRequest['headers']>

async function post(body: unknown, headers: Headers = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await send(server, { headers: { ...JSON_TYPE, ...headers }, body: text })
  const parsed: unknown = JSON.parse(answer.text)
  assert.ok(typeof parsed === 'object' && parsed !== null)
  return { status: answer.status, body: { ...parsed } }
}

/** `<HTTP status> <JSON-RPC code>`, or `200 <era> <kind>`. */
async function outcome(body: unknown, headers: Headers = {}): Promise<string> {
  const answer = await post(body, headers)
  const { error, era, kind } = answer.body
  if (typeof error === 'object' && error !== null && 'code' in error) return `${answer.status} ${error.code}`
  return [answer.status, era, kind].filter((part) => part !== undefined).join(' ')
}

function modern(params: object = {}, meta: object = {}): object {
  return { ...CALL, params: { ...CALL.params, ...params, _meta: { ...META, ...meta } } }
}

/** The three headers of a modern call; undefined leaves one out. */
function standard(changed: Record<string, string | string[] | undefined> = {}): Headers {
  const headers = { 'mcp-protocol-version': VERSION, 'mcp-method': 'tools/call', 'mcp-name': 'get_item', ...changed }
  const given: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) given[name] = value
  return given
}

const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`

suite('a message of 2026-07-28', () => {
  const cases: readonly [name: string, body: unknown, headers: Headers, expected: string][] = [
    ['with an envelope and headers that agree is read', modern(), standard(), '200 modern request'],
    ['may have spaces around its headers', modern(), standard({ 'mcp-method': ' tools/call\t' }), '200 modern request'],
    ['needs its version header', modern(), standard({ 'mcp-protocol-version': undefined }), '400 -32020'],
    ['needs its method header', modern(), standard({ 'mcp-method': undefined }), '400 -32020'],
    ['needs its name header', modern(), standard({ 'mcp-name': undefined }), '400 -32020'],
    [
      'disagrees with an older version header',
      modern(),
      standard({ 'mcp-protocol-version': '2025-11-25' }),
      '400 -32020',
    ],
    [
      'disagrees with an unknown version header',
      modern(),
      standard({ 'mcp-protocol-version': '2099-01-01' }),
      '400 -32020',
    ],
    ['disagrees with another method header', modern(), standard({ 'mcp-method': 'tools/list' }), '400 -32020'],
    [
      'disagrees with a method header in another case',
      modern(),
      standard({ 'mcp-method': 'Tools/Call' }),
      '400 -32020',
    ],
    ['disagrees with another name header', modern(), standard({ 'mcp-name': 'delete_item' }), '400 -32020'],
    ['disagrees with two name headers', modern(), standard({ 'mcp-name': ['get_item', 'get_item'] }), '400 -32020'],
    ['disagrees with two method headers', modern(), standard({ 'mcp-method': ['tools/call', 'ping'] }), '400 -32020'],
    ['disagrees with an empty name header', modern(), standard({ 'mcp-name': '' }), '400 -32020'],
    [
      'may have a name header where nothing is named',
      { ...LIST, params: { _meta: META } },
      standard({ 'mcp-method': 'tools/list' }),
      '200 modern request',
    ],
    [
      'without a name in its body asks for none in a header',
      modern({ name: undefined }),
      standard({ 'mcp-name': undefined }),
      '200 modern request',
    ],
    [
      'names a resource by its uri',
      { ...LIST, method: 'resources/read', params: { uri: 'a://b', _meta: META } },
      standard({ 'mcp-method': 'resources/read', 'mcp-name': 'a://b' }),
      '200 modern request',
    ],
    [
      'names a prompt',
      { ...LIST, method: 'prompts/get', params: { name: 'p', _meta: META } },
      standard({ 'mcp-method': 'prompts/get', 'mcp-name': 'q' }),
      '400 -32020',
    ],
    [
      'may write its name in Base64',
      modern({ name: 'größe' }),
      standard({ 'mcp-name': base64('größe') }),
      '200 modern request',
    ],
    ['may write a plain name in Base64', modern(), standard({ 'mcp-name': base64('get_item') }), '200 modern request'],
    ['disagrees with another name in Base64', modern(), standard({ 'mcp-name': base64('delete_item') }), '400 -32020'],
    ['refuses Base64 that is cut', modern(), standard({ 'mcp-name': '=?base64?Z2V0X2l0ZW?=' }), '400 -32020'],
    ['refuses Base64 with spaces', modern(), standard({ 'mcp-name': '=?base64?Z2V0 X2l0ZW0=?=' }), '400 -32020'],
    [
      'refuses Base64 for URLs',
      modern({ name: '>>>???' }),
      standard({ 'mcp-name': '=?base64?Pj4-Pz8_?=' }),
      '400 -32020',
    ],
    [
      'refuses Base64 that is not UTF-8',
      modern({ name: '\ufffd' }),
      standard({ 'mcp-name': '=?base64?/w==?=' }),
      '400 -32020',
    ],
    ['without an envelope is told so', CALL, standard(), '400 -32602'],
    [
      'with an envelope that is no object is told so',
      { ...CALL, params: { ...CALL.params, _meta: [] } },
      standard(),
      '400 -32602',
    ],
    [
      'with an envelope without a version is told so',
      modern({}, { [`${KEY}protocolVersion`]: undefined }),
      standard(),
      '400 -32602',
    ],
    [
      'with a version that is no text is told so',
      modern({}, { [`${KEY}protocolVersion`]: 20260728 }),
      standard(),
      '400 -32602',
    ],
    [
      'with a version that is null is told so',
      modern({}, { [`${KEY}protocolVersion`]: null }),
      standard(),
      '400 -32602',
    ],
    [
      'without capabilities is told so',
      modern({}, { [`${KEY}clientCapabilities`]: undefined }),
      standard(),
      '400 -32602',
    ],
    [
      'with capabilities that are no object is told so',
      modern({}, { [`${KEY}clientCapabilities`]: [] }),
      standard(),
      '400 -32602',
    ],
    [
      'with a client that is no object is told so',
      modern({}, { [`${KEY}clientInfo`]: 'me' }),
      standard(),
      '400 -32602',
    ],
    [
      'in a later revision is refused',
      modern({}, { [`${KEY}protocolVersion`]: '2099-01-01' }),
      standard({ 'mcp-protocol-version': '2099-01-01' }),
      '400 -32022',
    ],
    [
      'in an older revision is refused',
      modern({}, { [`${KEY}protocolVersion`]: '2025-11-25' }),
      standard({ 'mcp-protocol-version': '2025-11-25' }),
      '400 -32022',
    ],
    [
      'that is an initialize without an envelope is refused',
      { ...LIST, method: 'initialize' },
      standard({ 'mcp-method': 'initialize' }),
      '400 -32020',
    ],
    [
      'may be an initialize with an envelope: an unknown method there',
      { ...LIST, method: 'initialize', params: { _meta: META } },
      standard({ 'mcp-method': 'initialize' }),
      '200 modern request',
    ],
  ]
  for (const [name, body, headers, expected] of cases) {
    test(name, async () => assert.equal(await outcome(body, headers), expected))
  }

  test('that is refused for its version is told which ones we speak', async () => {
    const later = { [`${KEY}protocolVersion`]: '2099-01-01', [`${KEY}clientCapabilities`]: undefined }
    const { body } = await post(modern({}, later), standard({ 'mcp-protocol-version': '2099-01-01' }))
    assert.deepEqual(body, {
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -32022,
        message: 'Unsupported protocol version.',
        data: { supported: [VERSION], requested: '2099-01-01' },
      },
    })
  })

  test('that lacks a part of its envelope is told which', async () => {
    for (const part of ['protocolVersion', 'clientCapabilities']) {
      const { body } = await post(modern({}, { [KEY + part]: undefined }), standard())
      assert.deepEqual(body['error'], {
        code: -32602,
        message: `Invalid params: ${KEY}${part} is missing.`,
        data: { envelope: { missing: [KEY + part] } },
      })
    }
  })

  test('says its client, its version, and has no session', async () => {
    const meta = { [`${KEY}clientInfo`]: { name: 'cursor', version: '1.2' } }
    const { body } = await post(modern({}, meta), { ...standard(), 'mcp-session-id': 'stale' })
    assert.deepEqual(
      [body['client'], body['protocolVersion'], body['sessionId'], body['id']],
      ['cursor/1.2', VERSION, undefined, 1],
    )
  })
})

suite('a message of the 2025 revisions', () => {
  const version = (value: string) => ({ 'mcp-protocol-version': value })
  const initialize = { ...LIST, method: 'initialize', params: { protocolVersion: '2025-06-18' } }
  const older = { _meta: { [`${KEY}protocolVersion`]: '2025-11-25' } }
  const cases: readonly [name: string, body: unknown, headers: Headers, expected: string][] = [
    ['needs no header', LIST, {}, '200 legacy request'],
    ['may have a _meta of its own', { ...LIST, params: { _meta: { progressToken: 1 } } }, {}, '200 legacy request'],
    ['may name 2025-11-25', LIST, version('2025-11-25'), '200 legacy request'],
    ['may name 2025-06-18', LIST, version(' 2025-06-18 '), '200 legacy request'],
    ['may name 2025-03-26', LIST, version('2025-03-26'), '200 legacy request'],
    ['may name 2024-11-05', LIST, version('2024-11-05'), '200 legacy request'],
    ['may not name an unknown older revision', LIST, version('2024-01-01'), '400 -32000'],
    ['may not name anything else', LIST, version('latest'), '400 -32000'],
    ['may not name two', LIST, { 'mcp-protocol-version': ['2025-06-18', '2025-11-25'] }, '400 -32000'],
    ['has a method header that nobody looks at', LIST, { 'mcp-method': 'other' }, '200 legacy request'],
    ['may initialize', initialize, {}, '200 legacy request'],
    [
      'may initialize with any older version header: it negotiates',
      initialize,
      version('2024-01-01'),
      '200 legacy request',
    ],
    [
      'may initialize with an envelope that names an older revision',
      { ...initialize, params: older },
      {},
      '200 legacy request',
    ],
    ['that has an envelope naming an older revision is refused', { ...LIST, params: older }, {}, '400 -32022'],
  ]
  for (const [name, body, headers, expected] of cases) {
    test(name, async () => assert.equal(await outcome(body, headers), expected))
  }

  test('that names an unknown revision is told which ones we speak', async () => {
    const { body } = await post(LIST, version('2024-01-01'))
    const supported = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']
    assert.deepEqual(body['error'], {
      code: -32000,
      message: 'Bad Request: Unsupported protocol version.',
      data: { supported, requested: '2024-01-01' },
    })
  })

  test('carries its session id, not yet checked', async () => {
    assert.equal((await post(LIST, { 'mcp-session-id': 'abc' })).body['sessionId'], 'abc')
  })
})

suite('a notification or a response', () => {
  const note = { jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }
  const versioned = (value: string) => ({ ...note, params: { _meta: { [`${KEY}protocolVersion`]: value } } })
  const header = (value: string, method?: string) => ({
    'mcp-protocol-version': value,
    ...(method === undefined ? {} : { 'mcp-method': method }),
  })
  const cases: readonly [name: string, body: unknown, headers: Headers, expected: string][] = [
    ['needs no header in the older era', note, {}, '200 legacy notification'],
    ['is modern by its header', note, header(VERSION), '200 modern notification'],
    ['is modern by its envelope, which needs no capabilities', versioned(VERSION), {}, '200 modern notification'],
    ['may say its method in a header', note, header(VERSION, note.method), '200 modern notification'],
    ['must not say another method in a header', note, header(VERSION, 'notifications/progress'), '400 -32020'],
    ['must not say another version in a header', versioned(VERSION), header('2025-11-25'), '400 -32020'],
    ['must not be of an unknown revision', versioned('2099-01-01'), {}, '400 -32022'],
    [
      'must not have a version that is no text',
      { ...note, params: { _meta: { [`${KEY}protocolVersion`]: 1 } } },
      {},
      '400 -32602',
    ],
    ['is a response when it has a result', { jsonrpc: '2.0', id: 1, result: {} }, {}, '200 response'],
    ['is a response when it has an error', { jsonrpc: '2.0', id: null, error: {} }, header(VERSION), '200 response'],
  ]
  for (const [name, body, headers, expected] of cases) {
    test(name, async () => assert.equal(await outcome(body, headers), expected))
  }
})

test('over stdio there are no headers, so none is missing', async () => {
  const line = JSON.stringify(modern())
  const exchange = new StdioExchange(line, { path: '/', now: () => 0, write: () => undefined })
  const message = await readMessage(exchange)
  assert.ok(message.kind === 'request' && message.era === 'modern' && message.sessionId === undefined)
  assert.deepEqual(exchange.replyTo, { id: 1, era: 'modern' })
})

suite('readMessage throws nothing but a GatewayError', () => {
  async function reads(line: string): Promise<void> {
    const exchange = new StdioExchange(line, { path: '/', now: () => 0, write: () => undefined })
    try {
      await readMessage(exchange)
    } catch (error) {
      assert.ok(error instanceof GatewayError && error.code !== 'internal', `${line}: ${error}`)
      assert.equal(error.cause, undefined)
    }
  }

  test('for any text', () => fc.assert(fc.asyncProperty(fc.string({ unit: 'binary' }), reads)))

  test('for any JSON', () => fc.assert(fc.asyncProperty(fc.json(), reads)))

  test('for anything that looks like a message', () => {
    const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(VERSION, '2025-11-25', 'initialize', '2.0', '__proto__'))
    const message = fc.record(
      {
        jsonrpc: fc.oneof(fc.constant('2.0'), odd),
        id: odd,
        method: fc.oneof(fc.constantFrom('tools/call', 'initialize', 'constructor', 'toString'), odd),
        params: fc.oneof(
          odd,
          fc.record({ name: odd, uri: odd, _meta: fc.dictionary(fc.constantFrom(...Object.keys(META)), odd) }),
        ),
        result: odd,
      },
      { requiredKeys: [] },
    )
    return fc.assert(
      fc.asyncProperty(
        message.map((value) => JSON.stringify(value)),
        reads,
      ),
    )
  })

  test('for nesting as deep as a body can be', async () => {
    await reads('['.repeat(1_000_000))
    await reads(`{"jsonrpc":"2.0","id":1,"method":"x","params":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`)
  })
})

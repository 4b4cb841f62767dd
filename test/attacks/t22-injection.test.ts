import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { type RecordedRequest, type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { callTool } from './support/client.ts'

/** What ends a line, a header or a request for some parser, and what a lenient one takes for it. */
const BREAKS = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '\u0000',
  '\u000b',
  '\u000c',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u010d\u010a',
  '\u560a\u560d',
  '%0d%0a',
  '\\r\\n',
  '\u007f',
  '\u001b[0m',
]
const TAILS = ['X-Injected: 1', 'Content-Length: 0\r\n\r\nGET /injected HTTP/1.1\r\nHost: x\r\n\r\n', 'Set-Cookie: a=b']

let gateway: TestGateway
let upstream: RecordingApi
let callers: TestCallers
let token = ''
let endpoint = ''

before(async () => {
  upstream = await startRecordingApi(({ target }) =>
    target.startsWith('/login')
      ? { status: 200, body: { token: decodeURIComponent(target.slice('/login/'.length)), expiresIn: 900 } }
      : { status: 200, body: { ok: true } },
  )
  gateway = await startGateway()
  callers = testCallers()
  token = await callers.token()
  endpoint = await workspaceWith({})
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

function documentOf(): string {
  const parameter = (place: string) => ({ name: `in-${place}`, in: place, required: place === 'path', schema: {} })
  const body = (type: string) => ({
    required: true,
    content: { [type]: { schema: { type: 'object', properties: { field: {} } } } },
  })
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    servers: [{ url: upstream.url }],
    paths: {
      '/things/{in-path}': {
        get: { operationId: 'get', parameters: ['path', 'query', 'header', 'cookie'].map(parameter) },
      },
      '/json': { post: { operationId: 'postJson', requestBody: body('application/json') } },
      '/form': { post: { operationId: 'postForm', requestBody: body('application/x-www-form-urlencoded') } },
      '/text': { post: { operationId: 'postText', requestBody: { required: true, content: { 'text/plain': {} } } } },
    },
  })
}

async function workspaceWith(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const base = { name: 'things', source: { document: documentOf() }, auth: callers.auth, tools: 'all' }
  return (await gateway.makeWorkspace({ ...base, ...settings })).endpoint
}

/** Header names that a request of ours has when nobody has smuggled one in. */
const EXPECTED = new Set(
  'host connection accept user-agent x-request-id content-type content-length cookie in-header authorization x-api-key x-custom transfer-encoding'.split(
    ' ',
  ),
)

function assertClean(request: RecordedRequest): void {
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase()
    assert.ok(EXPECTED.has(name), `a header was smuggled in: ${name}`)
  }
  assert.ok(!request.target.startsWith('/injected'), 'a request was smuggled in')
}

/** Calls and gives what the API saw; whatever it saw was one clean request. */
async function callSeen(tool: string, args: Readonly<Record<string, unknown>>, at = endpoint) {
  const before = upstream.seen.length
  const called = await callTool(at, token, tool, args)
  const seen = upstream.seen.slice(before)
  for (const request of seen) assertClean(request)
  const calls = seen.filter((request) => !request.target.startsWith('/login'))
  assert.equal(calls.length, called.isError ? 0 : 1, `${called.result}: ${calls.length} calls`)
  return { called, call: calls[0], seen }
}

suite('T22: an argument cannot become a header or a request', () => {
  test('in a header parameter: refused before the dial, naming the argument and not the value', async () => {
    for (const lineBreak of BREAKS.filter((text) => !/^[\x20-\x7e\x80-\xff]+$/.test(text))) {
      for (const tail of TAILS) {
        const value = `x${lineBreak}${tail}`
        const { called } = await callSeen('get', { 'in-path': 'a', 'in-header': value })
        assert.equal(called.isError, true, JSON.stringify(lineBreak))
        assert.equal(called.result, 'The argument "in-header" has a character that a header cannot carry.')
      }
    }
  })

  test('in a header parameter: text that only looks like a line break goes as it is', async () => {
    for (const value of ['%0d%0aX-Injected: 1', '\\r\\nX-Injected: 1', 'a: b', ': b', 'é', ' ']) {
      const { call } = await callSeen('get', { 'in-path': 'a', 'in-header': value })
      assert.equal(call?.headers['in-header'], value.trim())
    }
  })

  test('in lists and objects of a header parameter', async () => {
    const hostile = [['a', 'b\r\nX-Injected: 1'], { 'a\r\nX-Injected': '1' }, { a: '\r\nX-Injected: 1' }]
    for (const value of hostile) {
      const { called } = await callSeen('get', { 'in-path': 'a', 'in-header': value })
      assert.equal(called.result, 'The argument "in-header" has a character that a header cannot carry.')
    }
    const { call } = await callSeen('get', { 'in-path': 'a', 'in-header': [['\r\n']] })
    assert.equal(call?.headers['in-header'], '["\\r\\n"]', 'a list in a list is JSON, where it is escaped')
  })

  for (const place of ['path', 'query', 'cookie'] as const) {
    test(`in a ${place} parameter: encoded, and the API reads the value back`, async () => {
      for (const lineBreak of BREAKS) {
        for (const tail of TAILS) {
          const value = `x${lineBreak}${tail}`
          const { called, call } = await callSeen('get', { 'in-path': 'a', [`in-${place}`]: value })
          assert.equal(called.isError, false, called.result)
          assert.equal(readBack(call, place), value)
        }
      }
    })
  }

  test('in a cookie parameter: no second cookie and no attribute', async () => {
    for (const value of ['a; admin=1', 'a, admin=1', 'a=b', 'a\tb', '"a"', 'a; Path=/']) {
      const { call } = await callSeen('get', { 'in-path': 'a', 'in-cookie': value })
      assert.match(String(call?.headers['cookie']), /^in-cookie=[^;,="\s]+$/)
    }
  })

  test('in a query parameter: no second one', async () => {
    for (const value of ['a&admin=1', 'a;admin=1', 'a=b', 'a#b', 'a?b', 'a+b', '%26admin=1']) {
      const { call } = await callSeen('get', { 'in-path': 'a', 'in-query': value })
      const query = new URL(call?.target ?? '', upstream.url).searchParams
      assert.deepEqual([...query], [['in-query', value]])
    }
  })

  test('in a body: the content type and length are ours, and the API reads the value back', async () => {
    for (const lineBreak of BREAKS) {
      const value = `x${lineBreak}Content-Type: text/html${lineBreak}${lineBreak}<p>&field=2`
      const json = await callSeen('postJson', { field: value })
      assert.deepEqual(JSON.parse(json.call?.body ?? ''), { field: value })
      const form = await callSeen('postForm', { field: value })
      assert.deepEqual([...new URLSearchParams(form.call?.body)], [['field', value]])
      const text = await callSeen('postText', { body: value })
      assert.equal(text.call?.body, value)
    }
  })

  test('in the name of a field: an unknown argument is refused', async () => {
    const { called } = await callSeen('get', { 'in-path': 'a', 'Authorization\r\nX-Injected': '1' })
    assert.equal(called.isError, true)
    assert.match(called.result, /is not an argument of this tool/)
  })

  test('whatever the arguments are, one call is one request with the headers we know', async () => {
    const piece = fc.constantFrom(...BREAKS, ...TAILS, 'a', ':', ' ', 'é', '😀', '\ud800')
    const text = fc.oneof(
      fc.array(piece, { maxLength: 5 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    )
    const value = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.dictionary(text, text, { maxKeys: 3 }))
    const args = fc.record({ 'in-path': value, 'in-query': value, 'in-header': value, 'in-cookie': value })
    await fc.assert(
      fc.asyncProperty(args, async (given) => {
        await callSeen('get', given)
      }),
      { numRuns: 300 },
    )
  })
})

function readBack(call: RecordedRequest | undefined, place: 'path' | 'query' | 'cookie'): string | null {
  const { pathname, searchParams } = new URL(call?.target ?? '', upstream.url)
  if (place === 'path') return decodeURIComponent(pathname.slice('/things/'.length))
  if (place === 'query') return searchParams.get('in-query')
  return decodeURIComponent(String(call?.headers['cookie']).slice('in-cookie='.length))
}

suite('T22: a credential cannot become a header or a request', () => {
  const hostile = 'canary-value\r\nX-Injected: 1'

  const settings: readonly { readonly name: string; readonly upstream: unknown; readonly header: string }[] = [
    {
      name: 'a param in a header of the workspace',
      upstream: { headers: { 'X-Custom': 'v {{key}}' } },
      header: 'X-Custom',
    },
    {
      name: 'a param in a bearer token',
      upstream: { auth: { type: 'bearer', token: '{{key}}' } },
      header: 'Authorization',
    },
    { name: 'a param in an API key', upstream: { auth: { type: 'apiKey', value: '{{key}}' } }, header: 'X-Api-Key' },
    { name: 'a header of the workspace', upstream: { headers: { 'X-Custom': hostile } }, header: 'X-Custom' },
    { name: 'a bearer token', upstream: { auth: { type: 'bearer', token: hostile } }, header: 'Authorization' },
    { name: 'an API key', upstream: { auth: { type: 'apiKey', value: hostile } }, header: 'X-Api-Key' },
  ]
  for (const { name, upstream: setting, header } of settings) {
    test(`in ${name}: refused before the dial, naming the header and not the value`, async () => {
      const at = await workspaceWith({ upstream: setting, params: { key: hostile } })
      const before = upstream.connections()
      const { called } = await callSeen('get', { 'in-path': 'a' }, at)
      assert.equal(called.isError, true)
      assert.equal(
        called.result,
        `The value of the header ${header} has characters that may not be sent, such as a line break.`,
      )
      assert.equal(upstream.connections(), before, 'the API was dialled')
    })
  }

  test('in the name of a header: refused', async () => {
    for (const name of [
      'X-A\r\nX-Injected',
      'X A',
      '',
      'X:A',
      'Host',
      'Transfer-Encoding',
      'Content-Length',
      'Connection',
    ]) {
      const at = await workspaceWith({ upstream: { headers: { [name]: 'x' } } })
      const { called } = await callSeen('get', { 'in-path': 'a' }, at)
      assert.equal(called.isError, true, name)
      assert.match(called.result, /header/)
    }
  })

  test('in basic credentials: encoded, and a colon in the name is refused', async () => {
    const at = await workspaceWith({ upstream: { auth: { type: 'basic', username: 'a\r\nX 1', password: 'b\r\n' } } })
    const { call } = await callSeen('get', { 'in-path': 'a' }, at)
    const [, encoded = ''] = String(call?.headers['authorization']).split(' ')
    assert.equal(Buffer.from(encoded, 'base64').toString(), 'a\r\nX 1:b\r\n')
    const colon = await workspaceWith({ upstream: { auth: { type: 'basic', username: 'a:b', password: 'c' } } })
    assert.equal((await callSeen('get', { 'in-path': 'a' }, colon)).called.isError, true)
  })

  test('in a token that a login answers: refused, and the call does not go out', async () => {
    for (const lineBreak of BREAKS.filter((text) => !/^[\x21-\x7e]+$/.test(text))) {
      for (const answered of [`abc${lineBreak}X-Injected: 1`, `${lineBreak}abc`, `abc${lineBreak}`]) {
        const login = `${upstream.url}/login/${encodeURIComponent(answered)}`
        const params = { login_url: login, username: 'u', password: 'p' }
        const at = await workspaceWith({ upstream: { auth: { type: 'bearer' } }, params })
        const { called, seen } = await callSeen('get', { 'in-path': 'a' }, at)
        assert.equal(called.isError, true, JSON.stringify(answered))
        assert.match(called.result, /answered with a token that cannot be sent in a header/)
        assert.equal(seen.length, 1, 'only the login went out')
      }
    }
  })

  test('in a login’s own headers and body', async () => {
    const params = { login_url: `${upstream.url}/login/abc`, username: hostile, password: `${hostile}","admin":"1` }
    const inHeader = { type: 'bearer', login: { headers: { 'X-Custom': '{{username}}' } } }
    const refused = await callSeen(
      'get',
      { 'in-path': 'a' },
      await workspaceWith({ upstream: { auth: inHeader }, params }),
    )
    assert.equal(refused.seen.length, 0, 'the login was dialled')
    assert.match(refused.called.result, /The value of the header X-Custom has characters that may not be sent/)
    assert.ok(!refused.called.result.includes('canary-value'))
    const asJson = await callSeen(
      'get',
      { 'in-path': 'a' },
      await workspaceWith({ upstream: { auth: { type: 'bearer' } }, params }),
    )
    const { username, password } = params
    assert.deepEqual(JSON.parse(asJson.seen[0]?.body ?? ''), { username, password })
    const form = { type: 'bearer', login: { contentType: 'form' } }
    const asForm = await callSeen('get', { 'in-path': 'a' }, await workspaceWith({ upstream: { auth: form }, params }))
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asForm.seen[0]?.body)), { username, password })
  })

  test('in a login URL: what ends a line there does not end one on the wire', async () => {
    for (const url of [
      `${upstream.url}/login/abc\r\nX-Injected: 1`,
      `${upstream.url}/login/abc HTTP/1.1\r\nX-Injected: 1`,
    ]) {
      const params = { login_url: url, username: 'u', password: 'p' }
      const at = await workspaceWith({ upstream: { auth: { type: 'bearer' } }, params })
      await callSeen('get', { 'in-path': 'a' }, at)
    }
  })
})

suite('T22: an answer of ours cannot be split', () => {
  test('by what a caller sends: no header of the answer repeats it', async () => {
    for (const value of ['a\u00e9', 'x"y', 'a,b']) {
      const response = await fetch(`${endpoint}`, {
        method: 'POST',
        headers: {
          origin: `http://localhost:1/${value}`,
          'content-type': 'application/json',
          'x-mcp-session-id': value,
        },
        body: '{}',
      })
      await response.text()
      assert.ok(![...response.headers.values()].some((header) => header.includes(value)))
    }
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { combine, keyAt, NO_CREDENTIAL } from '../credentials/credential.ts'
import { GatewayError } from '../errors.ts'
import { toolErrorFrom, toToolResult } from './to-tool-result.ts'

const request = { method: 'GET', path: '/api/items?key=1' }

function answer(status: number, contentType: string, body: string | Buffer = '', headers: Record<string, string> = {}) {
  return { status, headers: { 'content-type': contentType, ...headers }, body: Buffer.from(body) }
}

function textOf(result: ReturnType<typeof toToolResult>): string {
  const [first] = result.content
  assert.equal(first?.type, 'text')
  return first?.type === 'text' ? first.text : ''
}

suite('a good answer', () => {
  const texts = [
    { name: 'JSON as it is', type: 'application/json', body: '{ "a":1 }\n', text: '{ "a":1 }\n' },
    { name: 'JSON of a kind', type: 'application/problem+json; charset=utf-8', body: '{}', text: '{}' },
    { name: 'text', type: 'Text/Plain', body: 'käse', text: 'käse' },
    { name: 'a drawing in XML', type: 'image/svg+xml', body: '<svg/>', text: '<svg/>' },
    { name: 'text without a type', type: '', body: 'käse', text: 'käse' },
    { name: 'Latin-1', type: 'text/plain; charset=ISO-8859-1', body: Buffer.from('käse', 'latin1'), text: 'käse' },
    { name: 'UTF-16', type: 'text/csv;charset="utf-16le"', body: Buffer.from('käse', 'utf16le'), text: 'käse' },
    { name: 'a charset that nobody knows', type: 'text/plain; charset=klingon', body: 'käse', text: 'käse' },
  ]
  for (const { name, type, body, text } of texts) {
    test(`gives ${name} as text`, () => {
      assert.deepEqual(toToolResult(request, answer(200, type, body)), { content: [{ type: 'text', text }] })
    })
  }

  test('without a body says its status', () => {
    assert.deepEqual(toToolResult(request, answer(204, '')), { content: [{ type: 'text', text: '204 No Content' }] })
    assert.deepEqual(toToolResult(request, answer(200, 'text/plain')), { content: [{ type: 'text', text: '200 OK' }] })
  })

  test('gives images, sounds and other bytes in base64', () => {
    const bytes = Buffer.from([0, 255, 1])
    const data = bytes.toString('base64')
    const first = (type: string) => toToolResult(request, answer(200, type, bytes)).content[0]
    assert.deepEqual(first('image/png'), { type: 'image', data, mimeType: 'image/png' })
    assert.deepEqual(first('audio/mpeg; x=y'), { type: 'audio', data, mimeType: 'audio/mpeg' })
    for (const type of ['application/pdf', '']) {
      assert.deepEqual(first(type), {
        type: 'resource',
        resource: { uri: 'urn:gatehouse:answer', mimeType: type || 'application/octet-stream', blob: data },
      })
    }
  })
})

suite('an API that repeats its credential', () => {
  const headers = { Authorization: 'Bearer canary-token-1', 'X-Api-Key': 'canary-key-2', 'X-Tenant': 'north' }
  const credential = { ...NO_CREDENTIAL, headers }
  const body = '{"you":"Bearer canary-token-1","key":"canary-key-2","tenant":"north","name":"käse"}'

  for (const status of [200, 500]) {
    test(`does not show it to the caller in a ${status}`, () => {
      const text = textOf(toToolResult(request, answer(status, 'application/json', body), credential))
      assert.ok(text.endsWith('{"you":"Bearer [redacted]","key":"[redacted]","tenant":"north","name":"käse"}'))
    })
  }

  const elsewhere = [
    { name: 'in the query', key: keyAt({ in: 'query', name: 'k' }, 'cañary +/"key"') },
    { name: 'in a cookie', key: keyAt({ in: 'cookie', name: 'k' }, 'canary-cookie-1') },
    { name: 'in a cookie header', key: { ...NO_CREDENTIAL, headers: { cookie: 'a=1; k=canary-cookie-1' } } },
    { name: 'of another HTTP scheme', key: { ...NO_CREDENTIAL, headers: { Authorization: 'Token canary-token-9' } } },
  ]
  for (const { name, key } of elsewhere) {
    test(`does not show one ${name}, however it is spelled`, () => {
      const plain = ['cañary +/"key"', 'canary-cookie-1', 'canary-token-9']
      const texts = plain.flatMap((it) => [it, encodeURIComponent(it), encodeURIComponent(it).toLowerCase()])
      const bodies = [...texts.map((it) => `/x?k=${it}`), new URLSearchParams({ k: plain.join() }).toString()]
      const text = textOf(toToolResult(request, answer(200, 'application/json', JSON.stringify(bodies)), key))
      const all = combine(...elsewhere.map((one) => one.key), keyAt({ in: 'header', name: 'X' }, 'canary-token-9'))
      const rest = textOf(toToolResult(request, answer(200, 'application/json', JSON.stringify(bodies)), all))
      assert.match(text, /redacted/)
      assert.doesNotMatch(rest, /ca(?:n|ñ|%C3%B1|%c3%b1)ary/)
    })
  }

  const writers = [
    ['PHP', String.raw`canary+a\/b<c>&'\"d==`],
    ['Go', String.raw`canary+a/b\u003cc\u003e\u0026'\"d==`],
    ['Gson', String.raw`canary+a/b\u003cc\u003e\u0026\u0027\"d\u003d\u003d`],
    ['.NET', String.raw`canary\u002Ba/b\u003Cc\u003E\u0026\u0027\u0022d==`],
  ] as const
  for (const [writer, written] of writers) {
    test(`does not show it in the JSON of ${writer}`, () => {
      const key = keyAt({ in: 'header', name: 'X-Api-Key' }, `canary+a/b<c>&'"d==`)
      const body = `{"key":"${written}"}`
      assert.deepEqual(JSON.parse(body), { key: key.headers['X-Api-Key'] })
      assert.equal(textOf(toToolResult(request, answer(200, 'application/json', body), key)), '{"key":"[redacted]"}')
    })
  }
})

suite('another answer is an error (E6)', () => {
  test('with method, path, status and body, and without the query', () => {
    const result = toToolResult(request, answer(404, 'application/json', '{"error":"no such item"}'))
    assert.deepEqual(result, {
      content: [{ type: 'text', text: 'GET /api/items answered 404 Not Found: {"error":"no such item"}' }],
      isError: true,
    })
    assert.equal(textOf(toToolResult(request, answer(500, ''))), 'GET /api/items answered 500 Internal Server Error')
    const binary = textOf(toToolResult(request, answer(500, 'application/pdf', 'xyz')))
    assert.match(binary, /: 3 bytes of application\/pdf$/)
  })

  test('whose body is cut after 2,000 characters', () => {
    const text = textOf(toToolResult(request, answer(500, 'text/plain', `${'x'.repeat(1999)}😀${'y'.repeat(100)}`)))
    assert.ok(text.length < 2100 && text.endsWith('…') && text.isWellFormed())
  })

  test('with Retry-After for 429', () => {
    const result = toToolResult(request, answer(429, 'text/plain', 'slow down', { 'retry-after': '7' }))
    assert.equal(textOf(result), 'GET /api/items answered 429 Too Many Requests (Retry-After: 7): slow down')
  })

  test('with the host of a redirect and no more of it', () => {
    const result = toToolResult(request, answer(302, '', 'moved', { location: 'https://sso.example/a?token=canary' }))
    assert.equal(textOf(result), 'GET /api/items answered 302 Found: redirects are not followed (to sso.example).')
    assert.equal(result.isError, true)
    const local = toToolResult(request, answer(301, '', '', { location: '/canary' }))
    assert.equal(textOf(local), 'GET /api/items answered 301 Moved Permanently: redirects are not followed.')
  })
})

test('any answer becomes a result', () => {
  const bytes = fc.uint8Array({ maxLength: 50 }).map((it) => Buffer.from(it))
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.string(), bytes, (status, type, body) => {
      const result = toToolResult(request, answer(status, type, body))
      assert.equal(result.content.length, 1)
      assert.equal(result.isError === true, status < 200 || status > 299)
    }),
  )
})

suite('a failure on the way', () => {
  for (const code of ['login_failed', 'credential_missing', 'unsafe_value', 'egress_refused'] as const) {
    test(`${code} becomes a tool error with its message and without its cause`, () => {
      const error = new GatewayError(code, 'What failed.', { cause: new Error('canary') })
      assert.deepEqual(toolErrorFrom(error), { content: [{ type: 'text', text: 'What failed.' }], isError: true })
    })
  }
  for (const code of ['cancelled', 'internal', 'invalid_token', 'unavailable'] as const) {
    test(`${code} is thrown on`, () => {
      const error = new GatewayError(code, 'x')
      assert.throws(() => toolErrorFrom(error), error)
    })
  }
})

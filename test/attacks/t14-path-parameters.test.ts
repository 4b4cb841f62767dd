import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { testCallers } from '../../src/testing/callers.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { callTool } from './support/client.ts'

const BASE = '/v1/tenant-7'

let gateway: TestGateway
let upstream: RecordingApi
let endpoint = ''
let token = ''

before(async () => {
  upstream = await startRecordingApi()
  gateway = await startGateway()
  const text = { type: 'string' }
  const inPath = (name: string, more: object = {}) => ({ name, in: 'path', required: true, schema: text, ...more })
  const document = {
    openapi: '3.1.0',
    info: { title: 'Files', version: '1' },
    servers: [{ url: upstream.url + BASE }],
    paths: {
      '/files/{name}': { get: { operationId: 'last', parameters: [inPath('name')] } },
      '/files/{name}/raw': { get: { operationId: 'middle', parameters: [inPath('name')] } },
      '/files/a-{name}.txt': { get: { operationId: 'within', parameters: [inPath('name')] } },
      '/files/.{name}/raw': { get: { operationId: 'afterDot', parameters: [inPath('name')] } },
      '/{name}/files': { get: { operationId: 'first', parameters: [inPath('name')] } },
      '/pairs/{name}{second}': { get: { operationId: 'pair', parameters: [inPath('name'), inPath('second')] } },
      '/labels/{name}/raw': { get: { operationId: 'label', parameters: [inPath('name', { style: 'label' })] } },
      '/label-lists/{name}/raw': {
        get: {
          operationId: 'labelList',
          parameters: [inPath('name', { style: 'label', schema: { type: 'array', items: text } })],
        },
      },
      '/matrix/{name}/raw': { get: { operationId: 'matrix', parameters: [inPath('name', { style: 'matrix' })] } },
      '/lists/{name}/raw': {
        get: { operationId: 'list', parameters: [inPath('name', { schema: { type: 'array', items: text } })] },
      },
      '/json/{name}/raw': {
        get: {
          operationId: 'json',
          parameters: [{ name: 'name', in: 'path', required: true, content: { 'application/json': { schema: {} } } }],
        },
      },
    },
  }
  const callers = testCallers()
  const settings = { name: 'files', source: { document: JSON.stringify(document) }, auth: callers.auth }
  const made = await gateway.makeWorkspace(settings)
  endpoint = made.endpoint
  token = await callers.token()
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

/** What the API saw of a call: its raw request target, or undefined when it saw nothing. */
async function targetOf(tool: string, args: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const before = upstream.seen.length
  const called = await callTool(endpoint, token, tool, args)
  const seen = upstream.seen.slice(before)
  assert.equal(called.status, 200, called.text)
  if (called.isError) {
    assert.equal(seen.length, 0, `the call failed after it went out: ${called.result}`)
    return undefined
  }
  assert.equal(seen.length, 1, 'one call is one request')
  return seen[0]?.target
}

/** Where the value stands in the segments of the path, and what the path is without it. */
const PLACES = {
  last: { at: 4, path: (value: string) => `${BASE}/files/${value}` },
  middle: { at: 4, path: (value: string) => `${BASE}/files/${value}/raw` },
  first: { at: 3, path: (value: string) => `${BASE}/${value}/files` },
} as const

type Place = keyof typeof PLACES

/** The value stays in its own segment for whoever reads the URL: as it is, resolved as a browser does, decoded once more. */
async function assertStays(tool: Place, value: string): Promise<'sent' | 'refused'> {
  const target = await targetOf(tool, { name: value })
  if (target === undefined) return 'refused'
  const { at, path } = PLACES[tool]
  const expected = path('x').split('/')
  const segments = target.split('/')
  assert.equal(segments.length, expected.length, `another path: ${target}`)
  for (const [index, segment] of segments.entries()) {
    if (index !== at) assert.equal(segment, expected[index], `another path: ${target}`)
  }
  assert.equal(decodeURIComponent(segments[at] ?? ''), value, 'the API got another value')
  assert.match(target, /^[A-Za-z0-9\-._~!'()*%/]+$/, 'a character that means something stands there bare')
  assert.equal(new URL(target, upstream.url).pathname, target, 'a URL parser resolves it to another path')
  const decoded = decodeURIComponent(target).split(/[/\\]/)
  assert.ok(!decoded.some((segment) => /^\.{1,2}(?:;.*)?$/.test(segment.trim())), `climbs once decoded: ${target}`)
  return 'sent'
}

/** What leads to another place when somebody on the way decodes, normalises or splits: refused before the dial. */
const climbing = [
  '..',
  '.',
  '../',
  '../..',
  '../../../../etc/passwd',
  '..\\..\\windows',
  '.\\',
  'a/../b',
  'a/..',
  '/..',
  '/../admin',
  '..;/admin',
  '..;x=1/admin',
  '%2e%2e',
  '%2E%2E',
  '%2e',
  '.%2e/',
  '%2e%2e%2fadmin',
  '..%2fadmin',
  '..%5cadmin',
  '%252e%252e%252fadmin',
  '%25252e%25252e',
  'a%2f..%2fb',
  'x/%2e%2e/y',
  '',
]

/** What is a value like any other once it is encoded. */
const staying = [
  'report.txt',
  '...',
  '..a',
  'a..',
  '.hidden',
  'a/b',
  'a\\b',
  '/etc/passwd',
  '?admin=true',
  'x?y=1&z=2',
  '#fragment',
  'x#?',
  ';jsessionid=1',
  '%00',
  '\u0000',
  'a\r\nX-Injected: 1',
  '\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n',
  'a b',
  'a+b',
  '%',
  '%zz',
  '100%',
  'http://evil.example/',
  '//evil.example',
  '@evil.example',
  ':80',
  '{other}',
  '$HOME',
  '日本語',
  '😀',
  '\u2024\u2024/',
  '\uff0e\uff0e\uff0fadmin',
  '\u202e',
  'é',
  'null',
  'constructor',
  '__proto__',
]

suite('T14: a path parameter stays in its segment', () => {
  for (const value of climbing) {
    test(`refuses ${JSON.stringify(value)} before the dial, in every place, and says why`, async () => {
      const before = upstream.seen.length
      for (const tool of ['last', 'middle', 'first'] as const) {
        const called = await callTool(endpoint, token, tool, { name: value })
        assert.equal(called.isError, true, called.text)
        assert.match(
          called.result,
          /^The argument "name" (has a "\." or "\.\." path segment|is part of the path and is empty)/,
        )
      }
      assert.equal(upstream.seen.length, before, 'the API was called')
    })
  }

  for (const value of staying) {
    test(`sends ${JSON.stringify(value)} as one segment`, async () => {
      for (const tool of ['last', 'middle', 'first'] as const) assert.equal(await assertStays(tool, value), 'sent')
    })
  }

  test('sends a very long value whole, or refuses it with the API’s own answer', async () => {
    assert.equal(await assertStays('last', 'a'.repeat(8_000)), 'sent')
    assert.equal(await assertStays('middle', '/'.repeat(2_000)), 'sent')
  })

  test('refuses half a character, which no encoding can carry', async () => {
    const called = await callTool(endpoint, token, 'last', { name: 'a\ud800b' })
    assert.equal(called.isError, true)
    assert.match(called.result, /broken character/)
  })

  test('refuses values that climb only together with what stands around them', async () => {
    const before = upstream.seen.length
    for (const [tool, args] of [
      ['afterDot', { name: '.' }],
      ['pair', { name: '.', second: '.' }],
      ['pair', { name: '..', second: 'x' }],
      ['pair', { name: '%2e', second: '.' }],
      ['pair', { name: '', second: '..' }],
      ['label', { name: '.' }],
      ['list', { name: ['..'] }],
      ['list', { name: ['a', '..'] }],
      ['list', { name: ['../x', 'b'] }],
      ['list', { name: [] }],
    ] as const) {
      const called = await callTool(endpoint, token, tool, args)
      assert.equal(called.isError, true, `${tool} ${JSON.stringify(args)}: ${called.text}`)
    }
    assert.equal(upstream.seen.length, before, 'the API was called')
  })

  test('refuses a list that leaves nothing but the dot of its style', async () => {
    const called = await callTool(endpoint, token, 'labelList', { name: [] })
    assert.equal(called.isError, true)
    assert.equal(called.result, 'The argument "name" would change the path of the request.')
    assert.equal(await targetOf('labelList', { name: ['a', 'b'] }), `${BASE}/label-lists/.a,b/raw`)
  })

  test('holds in every style: the value is encoded, what the style adds is not the caller’s', async () => {
    assert.equal(await targetOf('within', { name: 'x/../y' }), undefined)
    assert.equal(await targetOf('within', { name: 'x/y' }), `${BASE}/files/a-x%2Fy.txt`)
    assert.equal(await targetOf('label', { name: 'x/y?z' }), `${BASE}/labels/.x%2Fy%3Fz/raw`)
    assert.equal(await targetOf('matrix', { name: 'x;y=1/z' }), `${BASE}/matrix/;name=x%3By%3D1%2Fz/raw`)
    assert.equal(await targetOf('list', { name: ['a/b', 'c,d'] }), `${BASE}/lists/a%2Fb,c%2Cd/raw`)
    assert.equal(await targetOf('json', { name: '../..' }), `${BASE}/json/%22..%2F..%22/raw`)
    assert.equal(await targetOf('json', { name: { a: '/?#' } }), `${BASE}/json/%7B%22a%22%3A%22%2F%3F%23%22%7D/raw`)
  })

  test('refuses a value of another type instead of writing it out', async () => {
    const before = upstream.seen.length
    for (const name of [['..'], { toString: '..' }, null, 7, true, undefined]) {
      const called = await callTool(endpoint, token, 'last', { name })
      assert.equal(called.isError, true)
      assert.match(called.result, /"name" (must be string|is required)/)
    }
    assert.equal(upstream.seen.length, before)
  })

  test('whatever the value: it stays in its segment or it is refused', async () => {
    const dots = fc.constantFrom(
      '.',
      '..',
      '/',
      '\\',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '%25',
      ';',
      '?',
      '#',
      '%',
      ' ',
      '\r\n',
      '\u0000',
      'a',
    )
    const value = fc.oneof(
      fc.array(dots, { maxLength: 8 }).map((parts) => parts.join('')),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
    )
    const tool = fc.constantFrom('last', 'middle', 'first')
    await fc.assert(
      fc.asyncProperty(tool, value, async (place, name) => {
        await assertStays(place, name)
      }),
      { numRuns: 400 },
    )
  })
})

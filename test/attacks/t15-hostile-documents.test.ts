import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { GatewayError } from '../../src/errors.ts'
import { close, listen } from '../../src/test-api/wire.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { openShop, type Shop } from '../faults/support/bystander.ts'
import { type Canary, startCanary } from './support/canary.ts'
import { at, callApi, callTool, post, TOOLS_LIST } from './support/client.ts'
import { type Home, makeHome } from './support/gatehouse-process.ts'
import { HOSTILE_DOCUMENTS, type HostileDocument } from './support/hostile-documents.ts'

/**
 * T15: a description that reads files, calls other hosts, never ends, or unfolds to more than a machine holds. It is refused in
 * words or served as far as it goes, in bounded time and memory, and whoever calls another workspace meanwhile is answered.
 */
const SECRET = 'kanarienvogelruf-in-a-file'
/** On a machine that is busy with other tests too: alone the longest takes six seconds. Without the guards it is over a minute. */
const IMPORT_MS_MAX = 45_000
const ANSWER_MS_MAX = 3_000
/** Of the whole import: on a slow machine all of it takes longer. Read on the requests' thread, it would be all of the import. */
const ANSWER_SHARE_MAX = 0.4

let shop: Shop
let upstream: RecordingApi
let canary: Canary
let home: Home

/** Milliseconds that the clock of the egress's deadlines was turned on by hand. */
let turnedMs = 0

before(async () => {
  shop = await openShop({ egress: { now: () => performance.now() + turnedMs } })
  upstream = await startRecordingApi()
  canary = await startCanary()
  home = await makeHome()
  await home.write(
    'canary.yaml',
    `x: { name: ${SECRET}, in: query, schema: { type: string, description: ${SECRET} } }\n`,
  )
})

after(async () => {
  await shop[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
  await canary[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

interface Imported {
  /** Why it was refused; undefined when it was not. */
  readonly refused?: GatewayError
  readonly id: string
  readonly endpoint: string
}

/** Imports a document while the bystander calls as fast as it is answered; neither may take long. */
async function importMeanwhile(document: string): Promise<Imported> {
  await using site = await startRecordingApi(() => ({ status: 200, text: { content: document, type: 'text/plain' } }))
  const startedAt = performance.now()
  let ended = false
  const importing = shop
    .make({ name: 'hostile', source: { url: site.url } })
    .catch((error: unknown) => {
      assert.ok(error instanceof GatewayError, String(error))
      return { refused: error, id: '', endpoint: '' }
    })
    .finally(() => {
      ended = true
    })
  let longestMs = 0
  while (!ended) {
    const askedAt = performance.now()
    await shop.assertOthersAreServed()
    longestMs = Math.max(longestMs, performance.now() - askedAt)
  }
  const imported = await importing
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs < IMPORT_MS_MAX, `it took ${tookMs} ms`)
  const answerMsMax = Math.max(ANSWER_MS_MAX, tookMs * ANSWER_SHARE_MAX)
  assert.ok(longestMs < answerMsMax, `somebody else waited ${longestMs} of ${tookMs} ms`)
  return imported
}

const refused: readonly (readonly [HostileDocument, RegExp])[] = [
  ['alias bomb', /^The YAML document unfolds to more than 5000000 values through its aliases: line \d+, column \d+\.$/],
  ['merge bomb', /^The YAML document unfolds to more than 5000000 values through its aliases: line \d+, column \d+\.$/],
  ['an alias inside its own anchor', /^The YAML document uses an alias whose anchor does not stand before it: line 2/],
  ['open brackets in YAML', /^The document is nested too deeply to be read\.$/],
  ['levels of YAML', /^The YAML document is nested more than 500 levels deep: line \d+, column \d+\.$/],
  [
    'one schema for all operations',
    /^The list of the \d+ tools that are on would have more than 50000000 bytes\. Switch on fewer, by name\.$/,
  ],
  ['one body for all operations', /^The list of the \d+ tools that are on would have more than 50000000 bytes\./],
]

suite('T15: what cannot be read is refused in words, in bounded time, while others are served:', () => {
  for (const [name, says] of refused) {
    test(name, async () => {
      const { refused: error } = await importMeanwhile(HOSTILE_DOCUMENTS[name](upstream.url))
      assert.equal(error?.code, 'document_invalid')
      assert.match(error.message, says)
    })
  }
})

const served: readonly (readonly [HostileDocument, number])[] = [
  ['a million brackets in JSON', 1],
  ['schemas a hundred thousand deep', 1],
  ['a million elements', 1],
  ['100,000 operations', 30_000],
  ['references in a long chain', 0],
]

suite('T15: what can be read is served as far as it goes, in bounded time, while others are served:', () => {
  for (const [name, tools] of served) {
    test(name, async () => {
      const { refused: error, id } = await importMeanwhile(HOSTILE_DOCUMENTS[name](upstream.url))
      assert.equal(error?.message, undefined)
      const answer = await callApi(shop.gateway, 'GET', `/api/workspaces/${id}/tools`)
      const listed = at(answer.json, 'tools')
      assert.equal(Array.isArray(listed) ? listed.length : undefined, tools)
      if (name === '100,000 operations') assert.match(answer.text, /the document has more than 30000 operations/)
      if (tools === 0) assert.match(answer.text, /references that go round in a circle, or through more than 32 others/)
    })
  }
})

suite('T15: reading takes bounded memory:', () => {
  const limits = [
    ['alias bomb', 300],
    ['a million elements', 700],
    ['100,000 operations', 800],
    ['one schema for all operations', 1_100],
  ] as const
  for (const [name, peakMbMax] of limits) {
    test(`${name}: under ${peakMbMax} MB for the whole process`, async () => {
      const file = join(import.meta.dirname, 'support/measured-import.ts')
      const { stdout } = await promisify(execFile)(process.execPath, [file, name], { timeout: 60_000 })
      const peakMb = Number(at(JSON.parse(stdout), 'peakMb'))
      assert.ok(peakMb > 50 && peakMb < peakMbMax, stdout)
    })
  }
})

suite('T15: an answer that never ends well:', () => {
  test('a stream without an end is cut off at the limit', async () => {
    let sent = 0
    const piece = Buffer.alloc(1_000_000, ' ')
    const closed = Promise.withResolvers<void>()
    await using site = await serve((_request, response) => {
      const more = () => {
        while (!response.destroyed) {
          sent += piece.length
          if (!response.write(piece)) return
        }
      }
      response.on('drain', more).on('close', closed.resolve).on('error', closed.resolve)
      more()
    })
    await assertRefused(site.url, 'document_invalid', 'The document is too large (limit 50 MB).')
    await closed.promise
    assert.ok(sent < 100_000_000, `${sent} bytes were taken`)
  })

  test('a gigabyte that came as a megabyte is not unpacked', async () => {
    const headers = { 'content-encoding': 'gzip' }
    const packed = gzipSync(Buffer.alloc(200_000_000, ' '))
    await using site = await serve((_request, response) => response.writeHead(200, headers).end(packed))
    await assertRefused(site.url, 'document_invalid', 'The document is too large (limit 50 MB).')
  })

  test('a server that drips is given up at the deadline, and holds up nobody’s import meanwhile', async () => {
    const dripping = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    await using site = await serve((_request, response) => {
      response.on('close', closed.resolve)
      response.write('{', () => dripping.resolve())
    })
    const waiting = assertRefused(site.url, 'upstream_timeout', 'The document’s server did not answer within 30 s.')
    await dripping.promise
    await shop.assertOthersAreServed()
    const { refused: error } = await importMeanwhile(HOSTILE_DOCUMENTS['references in a long chain'](upstream.url))
    assert.equal(error, undefined)
    turnedMs += 30_001
    await waiting
    await closed.promise
  })
})

suite('T15: a reference leads nowhere but into the document', () => {
  test('not to a file, whatever the form, and what the file says is nowhere', async () => {
    const file = join(home.folder, 'canary.yaml')
    const forms = [
      `file://${file}`,
      `file://localhost${file}`,
      `file:${file}`,
      `FILE://${file}`,
      file,
      `${file}#/x`,
      'canary.yaml#/x',
      './canary.yaml',
      `../../../../../../../..${file}#/x`,
      `file:///proc/self/environ`,
      `\\\\?\\${file}`,
      `//localhost${file}`,
      `http://127.0.0.1:${canary.port}/canary.yaml#/x`,
      `//127.0.0.1:${canary.port}/canary.yaml#/x`,
      `https://127.0.0.1:${canary.port}/`,
    ]
    const paths = Object.fromEntries(forms.flatMap((form, index) => referringOperations(form, index)))
    const document = JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'T', version: '1' },
      servers: [{ url: upstream.url }],
      paths: { ...paths, '/plain': { get: { operationId: 'getPlain' } } },
    })
    const made = await shop.make({ name: 'refers', source: { document } })
    const view = await callApi(shop.gateway, 'GET', `/api/workspaces/${made.id}/tools`)
    const list = await post(made.endpoint, TOOLS_LIST, { token: shop.token })
    const setAside = at(view.json, 'setAside')
    assert.equal(Array.isArray(setAside) ? setAside.length : 0, Object.keys(paths).length)
    assert.match(view.text, /outside the document; such references are never followed/)
    assert.match(list.text, /getPlain/)
    assert.equal((await callTool(made.endpoint, shop.token, 'getPlain')).isError, false)
    assert.doesNotMatch(view.text + list.text + shop.gateway.log.join(''), new RegExp(SECRET))
    assert.equal(canary.connections(), 0)
  })

  for (const url of ['file:///etc/passwd', '/etc/passwd', 'canary.yaml']) {
    test(`and ${url} is no spec URL over the API`, async () => {
      const answer = await callApi(shop.gateway, 'POST', '/api/workspaces', { name: 'x', source: { url } })
      assert.equal(answer.status, 400, answer.text)
      assert.match(String(at(answer.json, 'detail')), /Invalid URL/)
    })
  }

  test('round in circles: those operations are set aside or served, and every call is answered', async () => {
    const schemas = {
      Self: { $ref: '#/components/schemas/Self' },
      Ping: { $ref: '#/components/schemas/Pong' },
      Pong: { $ref: '#/components/schemas/Ping' },
      Tree: { type: 'object', properties: { next: { $ref: '#/components/schemas/Tree' } } },
      Left: { type: 'object', properties: { next: { $ref: '#/components/schemas/Right' } } },
      Right: { type: 'object', properties: { next: { $ref: '#/components/schemas/Left' } } },
      Whole: { type: 'object', properties: { next: { $ref: '#' } } },
      All: { allOf: [{ $ref: '#/components/schemas/All' }] },
      // Each level of a value is looked at twice: 2^n steps for n levels.
      Both: {
        anyOf: ['a', 'b'].map((name) => {
          return { type: 'object', required: [name], properties: { next: { $ref: '#/components/schemas/Both' } } }
        }),
      },
      Named: { type: 'object', properties: { $ref: { type: 'string' }, next: { $ref: '#/components/schemas/Named' } } },
    }
    const paths = Object.fromEntries(
      Object.keys(schemas).map((name) => {
        const schema = { type: 'object', properties: { value: { $ref: `#/components/schemas/${name}` } } }
        const requestBody = { content: { 'application/json': { schema } } }
        return [`/${name}`, { post: { operationId: `post${name}`, requestBody } }]
      }),
    )
    const document = JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'T', version: '1' },
      servers: [{ url: upstream.url }],
      paths: { ...paths, '/path': { $ref: '#/paths/~1path' }, '/mutual': { $ref: '#/paths/~1path' } },
      components: { schemas },
    })
    const { endpoint } = await shop.make({ name: 'circles', source: { document } })
    const list = await post(endpoint, TOOLS_LIST, { token: shop.token })
    for (const name of ['Tree', 'Left', 'Right', 'Both', 'Named']) assert.match(list.text, new RegExp(`"post${name}"`))
    let value: unknown = { last: 1 }
    for (let level = 0; level < 200; level += 1) value = { next: value, $ref: 'x' }
    for (const name of Object.keys(schemas)) {
      const startedAt = performance.now()
      const called = await callTool(endpoint, shop.token, `post${name}`, { value })
      assert.ok(called.status === 200, `${name}: ${called.text}`)
      assert.ok(performance.now() - startedAt < ANSWER_MS_MAX, name)
    }
    const named = await callTool(endpoint, shop.token, 'postNamed', { value: { $ref: '#/components/schemas/Self' } })
    assert.equal(named.isError, false, named.result)
    assert.match(upstream.seen.at(-1)?.body ?? '', /"\$ref":"#\/components\/schemas\/Self"/)
    const wrong = await callTool(endpoint, shop.token, 'postNamed', { value: { $ref: 7 } })
    assert.equal(wrong.isError, true, 'a property named $ref has a schema like any other')
  })
})

/** An operation for each place where a reference may stand. */
function referringOperations(reference: string, index: number): readonly (readonly [string, unknown])[] {
  const it = { $ref: reference }
  const json = (schema: unknown) => ({ requestBody: { content: { 'application/json': { schema } } } })
  return [
    [`/parameter/${index}`, { get: { parameters: [it] } }],
    [`/schema/${index}`, { get: { parameters: [{ name: 'a', in: 'query', schema: it }] } }],
    [`/body/${index}`, { post: { requestBody: it } }],
    [`/items/${index}`, { post: json({ type: 'array', items: it }) }],
    [`/all/${index}`, { post: json({ allOf: [it] }) }],
    [`/path/${index}`, it],
  ]
}

async function assertRefused(url: string, code: GatewayError['code'], message: string): Promise<void> {
  await assert.rejects(shop.make({ name: 'endless', source: { url } }), (error) => {
    assert.ok(error instanceof GatewayError, String(error))
    assert.deepEqual([error.code, error.message], [code, message])
    return true
  })
}

async function serve(listener: RequestListener): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer(listener)
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return { url: `http://127.0.0.1:${port}/openapi.json`, [Symbol.asyncDispose]: () => close(server) }
}

import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { after, before, suite, test } from 'node:test'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { close, listen } from '../../src/test-api/wire.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { at, callApi, callTool, post, TOOLS_LIST } from '../attacks/support/client.ts'
import { documentWith, openShop, type Shop } from './support/bystander.ts'

let shop: Shop
let upstream: RecordingApi
/** A server of documents that are of no use; each path answers in its own way. */
let library: { readonly url: string; readonly stop: () => Promise<void> }
let id = ''
let endpoint = ''

const GOOD = { '/items': { get: { operationId: 'listItems', summary: 'The first import' } } }

const PAGES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/missing': (response) => response.writeHead(404).end('nothing'),
  '/secret': (response) => response.writeHead(401).end('log in'),
  '/failing': (response) => response.writeHead(500).end('oops'),
  '/empty': (response) => response.end(''),
  '/page': (response) => response.end('<!doctype html><title>Our API</title>'),
  '/latin1': (response) => response.end(Buffer.from('openapi: 3.1.0\ninfo: { title: Caf\xe9 }', 'latin1')),
  '/round': (response) => response.writeHead(302, { location: '/round' }).end(),
  '/nowhere': (response) => response.writeHead(302).end(),
  '/ftp': (response) => response.writeHead(302, { location: 'ftp://127.0.0.1/openapi.json' }).end(),
  '/large': (response) => response.writeHead(200, { 'content-length': 50_000_001 }).flushHeaders(),
  '/drop': (response) => response.destroy(),
}

before(async () => {
  shop = await openShop()
  upstream = await startRecordingApi()
  const server = createServer((request, response) => PAGES[request.url ?? '']?.(response))
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  library = { url: `http://127.0.0.1:${port}`, stop: () => close(server) }
  ;({ id, endpoint } = await shop.make({ source: { document: documentWith(upstream.url, GOOD) } }))
})

after(async () => {
  await shop[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
  await library.stop()
})

async function toolNames(at_ = endpoint): Promise<readonly unknown[]> {
  const answer = await post(at_, TOOLS_LIST, { token: shop.token })
  const tools = at(at(answer.json, 'result'), 'tools')
  return Array.isArray(tools) ? tools.map((tool: unknown) => at(tool, 'name')) : []
}

/** The import is refused in these words, and the workspace is what it was before. */
async function assertRefused(source: unknown, expected: { status: number; says: string | RegExp }): Promise<void> {
  const before = await callApi(shop.gateway, 'GET', `/api/workspaces/${id}`)
  const answer = await callApi(shop.gateway, 'POST', `/api/workspaces/${id}/import`, source)
  assert.equal(answer.status, expected.status, answer.text)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  const detail = String(at(answer.json, 'detail'))
  if (typeof expected.says === 'string') assert.equal(detail, expected.says)
  else assert.match(detail, expected.says)
  const after_ = await callApi(shop.gateway, 'GET', `/api/workspaces/${id}`)
  assert.deepEqual(after_.json, before.json, 'the workspace is another one than before')
  assert.deepEqual(await toolNames(), ['listItems'])
  assert.equal((await callTool(endpoint, shop.token, 'listItems')).isError, false)
  await shop.assertOthersAreServed()
}

const accepted = 'Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2 are accepted'

const texts: readonly { readonly name: string; readonly document: string; readonly says: string | RegExp }[] = [
  {
    name: 'is neither JSON nor YAML',
    document: '{"openapi": "3.1.0",\n "info": {"title": "x"\n "paths": {}}',
    says: /^The document is neither valid JSON nor valid YAML: line \d+, column \d+ \(.+\)\. Correct that place and try again\.$/,
  },
  {
    name: 'is a web page',
    document: '<!DOCTYPE html><html><body>Swagger UI</body></html>',
    says: 'This is a web page (or XML), not an OpenAPI document. Give the address of the JSON or YAML file itself: documentation pages usually link to it, often as openapi.json or openapi.yaml.',
  },
  {
    name: 'is blank',
    document: '  \n ',
    says: 'The document is empty. Give an OpenAPI document in JSON or YAML.',
  },
  {
    name: 'is a list',
    document: '[1, 2, 3]',
    says: 'The document is not a mapping. An OpenAPI document begins with `openapi: 3.1.0` or {"openapi": "3.1.0", …}.',
  },
  {
    name: 'is prose',
    document: 'Our API is described elsewhere.',
    says: /^The document is not a mapping\./,
  },
  {
    name: 'is an older Swagger',
    document: 'swagger: "1.2"\npaths: {}',
    says: `The document is Swagger 1.2; ${accepted}. Convert it (for example at https://converter.swagger.io) and import it again.`,
  },
  {
    name: 'is a later OpenAPI',
    document: '{"openapi":"4.0.0"}',
    says: `The document is OpenAPI "4.0.0"; ${accepted}. Convert it and import it again.`,
  },
  {
    name: 'has its version as a number',
    document: 'openapi: 3.1',
    says: `\`openapi\` is the number 3.1; it must be a text such as "3.0.3" (in quotes). ${accepted}.`,
  },
  {
    name: 'is no API description at all',
    document: '{"name":"mcp-gatehouse","version":"0.1.0"}',
    says: `The document has no \`openapi\` field, so it is not an OpenAPI document. ${accepted}.`,
  },
  {
    name: 'unfolds to more than a machine holds',
    document: `openapi: 3.1.0\na: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`)}]`)
      .join('\n')}`,
    says: /^The YAML document unfolds to more than \d+ values/,
  },
  {
    name: 'is nested too deeply',
    document: `openapi: 3.1.0\nx: ${'['.repeat(600)}${']'.repeat(600)}`,
    says: 'The document is nested too deeply to be read.',
  },
]

suite('a document that cannot be imported is refused in words, and the last one stays, when it', () => {
  for (const { name, document, says } of texts) {
    test(name, () => assertRefused({ document }, { status: 422, says }))
  }
})

suite('a document that cannot be fetched is refused in words, and the last one stays, when its address', () => {
  const invalid = (path: string, says: string) => ({ name: path, path, status: 422, says })
  const cases = [
    invalid('/missing', 'The document’s URL answered 404.'),
    invalid('/secret', 'The document’s URL answered 401.'),
    invalid('/empty', 'The document is empty. Give an OpenAPI document in JSON or YAML.'),
    invalid('/latin1', 'The document is not UTF-8 text.'),
    invalid('/round', 'The document’s URL redirects more than 3 times.'),
    invalid('/nowhere', 'The document’s URL answered 302 without a place to go to.'),
    invalid('/ftp', 'The document’s URL must begin with http:// or https://.'),
    invalid('/large', 'The document is too large (limit 50 MB).'),
    { name: '/failing', path: '/failing', status: 502, says: 'The document’s URL answered 500.' },
    {
      name: '/drop',
      path: '/drop',
      status: 502,
      says: 'The document’s server could not be reached: the connection was dropped.',
    },
  ]
  for (const { name, path, status, says } of cases) {
    test(`answers ${name}`, () => assertRefused({ url: library.url + path }, { status, says }))
  }

  test('answers with a page', () => assertRefused({ url: `${library.url}/page` }, { status: 422, says: /web page/ }))

  test('never ends', async () => {
    await using faulty = await startFaultyApi()
    const says = 'The document is too large (limit 50 MB).'
    await assertRefused({ url: `${faulty.url}/huge` }, { status: 422, says })
  })

  test('is where nobody listens', () =>
    assertRefused(
      { url: 'http://127.0.0.1:1/openapi.json' },
      { status: 502, says: 'The document’s server could not be reached: the connection was refused.' },
    ))

  test('holds a password', () =>
    assertRefused(
      { url: 'http://user:password@127.0.0.1/openapi.json' },
      { status: 422, says: 'The document’s URL must not hold a user or a password.' },
    ))

  test('is that of the cloud’s metadata', () =>
    assertRefused(
      { url: 'http://169.254.169.254/latest/meta-data' },
      { status: 422, says: 'The document’s server may not be called: cloud metadata addresses are never called.' },
    ))

  test('is no URL', () => assertRefused({ url: 'openapi.json' }, { status: 400, says: /url: Invalid URL/ }))

  test('is not known, since the last import was a text', () =>
    assertRefused(undefined, {
      status: 400,
      says: 'There is no URL to fetch again: give a URL, or the document itself.',
    }))
})

suite('a document that is unusual works', () => {
  test('with schemas that hold themselves: the tool brings them as $defs, and checks arguments by them', async () => {
    const node = { type: 'object', required: ['name'], properties: { name: { type: 'string' }, children: {} } }
    const children = { type: 'array', items: { $ref: '#/components/schemas/Node' } }
    const schemas = { Node: { ...node, properties: { ...node.properties, children } } }
    const content = { 'application/json': { schema: { $ref: '#/components/schemas/Node' } } }
    const paths = { '/trees': { post: { operationId: 'plant', requestBody: { required: true, content } } } }
    const document = documentWith(upstream.url, paths, { components: { schemas } })
    const tree = await shop.make({ name: 'tree', source: { document } })
    const answer = await post(tree.endpoint, TOOLS_LIST, { token: shop.token })
    assert.match(answer.text, /"\$defs":\{"Node":/)
    const good = { name: 'root', children: [{ name: 'leaf', children: [] }] }
    const planted = await callTool(tree.endpoint, shop.token, 'plant', good)
    assert.equal(planted.isError, false, planted.result)
    assert.deepEqual(JSON.parse(upstream.seen.at(-1)?.body ?? ''), good)
    const bad = await callTool(tree.endpoint, shop.token, 'plant', { name: 'root', children: [{ children: [] }] })
    assert.equal(bad.result, '"children.0.name" is required.')
  })

  test('with references to files and other hosts: those operations are set aside with the reason, the rest is served', async () => {
    const paths = {
      ...GOOD,
      '/file': { get: { operationId: 'file', parameters: [{ $ref: 'file:///etc/passwd#/x' }] } },
      '/remote': { get: { operationId: 'remote', parameters: [{ $ref: `${library.url}/page#/x` }] } },
      '/lost': { get: { operationId: 'lost', parameters: [{ $ref: '#/components/parameters/none' }] } },
    }
    const made = await shop.make({ name: 'mixed', source: { document: documentWith(upstream.url, paths) } })
    assert.deepEqual(await toolNames(made.endpoint), ['listItems'])
    const tools = await callApi(shop.gateway, 'GET', `/api/workspaces/${made.id}/tools`)
    assert.match(
      tools.text,
      /"GET \/file","reason":"a parameter refers to \\"file:\/\/\/etc\/passwd#\/x\\", outside the document/,
    )
    assert.match(tools.text, /such references are never followed/)
    assert.match(tools.text, /"GET \/lost","reason":"a parameter refers to .* which is not in the document/)
  })

  test('imported again, with tools that changed: what is new, gone and other is told', async () => {
    const made = await shop.make({ name: 'again', source: { document: documentWith(upstream.url, GOOD) } })
    const paths = {
      '/items': { get: { operationId: 'listItems', summary: 'The second import' } },
      '/users': { get: { operationId: 'listUsers' } },
    }
    const source = { document: documentWith(upstream.url, paths) }
    const answer = await callApi(shop.gateway, 'POST', `/api/workspaces/${made.id}/import`, source)
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(at(answer.json, 'added'), ['listUsers'])
    assert.deepEqual(at(answer.json, 'changed'), ['listItems'])
    assert.deepEqual(at(answer.json, 'removed'), [])
  })
})

test('a document that is too long for one request is refused with the limit, and nothing is lost', async () => {
  const source = { document: 'x'.repeat(4_000_001) }
  await assertRefused(source, { status: 413, says: 'The body is larger than 4000000 bytes.' })
})

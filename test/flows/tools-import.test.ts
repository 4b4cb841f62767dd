import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stringify } from 'yaml'
import { z } from 'zod'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const FIVE = ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers']
const READS = ['getStats', 'listItems', 'listUsers']

const made = z.object({ id: z.string(), url: z.string() })
const tools = z.object({
  tools: z.array(
    z.object({
      name: z.string(),
      enabled: z.boolean(),
      method: z.string(),
      path: z.string(),
      description: z.string(),
    }),
  ),
  setAside: z.array(z.object({ operation: z.string(), reason: z.string() })),
})
const imported = z.object({ added: z.array(z.string()), removed: z.array(z.string()), changed: z.array(z.string()) })

/** A gateway with one workspace that was made through `/api`. */
async function startWorkspace(source: unknown, settings: Readonly<Record<string, unknown>> = {}) {
  await using parts = new AsyncDisposableStack()
  const gateway = parts.use(await startGateway())
  const admin = adminClient(gateway)
  const answer = await admin.send('POST', '/api/workspaces', { name: 'Shop', source, ...settings })
  assert.equal(answer.status, 201, answer.text)
  const { id, url } = made.parse(answer.json)
  const path = `/api/workspaces/${id}`
  const client = mcpClient(url)
  const started = parts.move()
  return {
    ...{ gateway, admin, client, path },
    names: async () => (await client.list()).map(({ name }) => name).sort(),
    tools: async () => tools.parse((await admin.send('GET', `${path}/tools`)).json),
    change: (body: unknown) => admin.send('PATCH', path, body),
    switchTools: (body: unknown) => admin.send('PATCH', `${path}/tools`, body),
    import: async (body?: unknown) => {
      const { status, text, json } = await admin.send('POST', `${path}/import`, body)
      assert.equal(status, 200, text)
      return imported.parse(json)
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The test API's document at another version, as text. */
async function documentOf(origin: string, { version, format }: { readonly version: string; readonly format: string }) {
  const document: unknown = await (await fetch(`${origin}/openapi.json`)).json()
  const changed = { ...z.looseObject({}).parse(document), openapi: version }
  return format === 'yaml' ? stringify(changed, { aliasDuplicateObjects: false }) : JSON.stringify(changed)
}

suite('an API description is imported', () => {
  for (const format of ['json', 'yaml'] as const) {
    test(`from a URL, as ${format} (E1)`, async () => {
      await using api = await startTestApi({ mode: 'none' })
      const source = { url: `${api.origin}/openapi.${format}` }
      await using workspace = await startWorkspace(source, { tools: 'all' })
      assert.deepEqual(await workspace.names(), FIVE)
      assert.match((await workspace.client.call('listItems')).result, /"Desk lamp"/)
    })

    for (const version of ['3.0.3', '3.1.0'] as const) {
      test(`from the text of a file, as ${format}, OpenAPI ${version} with local $refs (E1)`, async () => {
        await using api = await startTestApi({ mode: 'none' })
        const document = await documentOf(api.origin, { version, format })
        assert.match(document, /\$ref/)
        await using workspace = await startWorkspace({ document }, { tools: 'all' })
        assert.deepEqual(await workspace.names(), FIVE)
        assert.match((await workspace.client.call('createItem', { name: 'Vase', price: 3 })).result, /"name":"Vase"/)
        const wrong = await workspace.client.call('createItem', { name: 'Vase', price: -3 })
        assert.equal(wrong.isError, true, 'the schema behind the $ref is checked')
      })
    }
  }

  test('from Swagger 2.0, and a file arrives as its bytes', async () => {
    await using api = await startRecordingApi()
    const { host, protocol } = new URL(api.url)
    const parameters = [
      { name: 'picture', in: 'formData', type: 'file', required: true },
      { name: 'title', in: 'formData', type: 'string' },
    ]
    const paths = {
      '/pictures': { post: { operationId: 'addPicture', consumes: ['multipart/form-data'], parameters } },
    }
    const document = JSON.stringify({ swagger: '2.0', host, schemes: [protocol.slice(0, -1)], basePath: '/v1', paths })
    await using workspace = await startWorkspace({ document }, { tools: 'all' })
    await workspace.client.call('addPicture', { picture: Buffer.from('GIF89a').toString('base64'), title: 'Tea' })
    const [seen] = api.seen
    assert.deepEqual([seen?.method, seen?.target], ['POST', '/v1/pictures'])
    assert.match(String(seen?.headers['content-type']), /^multipart\/form-data; boundary=/)
    assert.match(seen?.body ?? '', /filename="picture"\r\n[\s\S]*\r\n\r\nGIF89a\r\n[\s\S]*\r\n\r\nTea\r\n/)
  })

  const refused = [
    { name: 'a web page', document: '<!doctype html><p>Docs', says: /a web page.*not an OpenAPI document/ },
    {
      name: 'Swagger 1.2',
      document: '{"swagger":"1.2","paths":{}}',
      says: /Swagger 1\.2; Swagger 2\.0 and OpenAPI 3\.0, 3\.1 and 3\.2 are accepted/,
    },
    { name: 'broken YAML', document: 'openapi: 3.1.0\npaths: [', says: /neither valid JSON nor valid YAML: line 2/ },
  ] as const
  for (const { name, document, says } of refused) {
    test(`but not ${name}: the answer says why, and no workspace is made (E1)`, async () => {
      await using gateway = await startGateway()
      const admin = adminClient(gateway)
      const { status, text } = await admin.send('POST', '/api/workspaces', { name: 'Shop', source: { document } })
      assert.ok(status >= 400 && status < 500, text)
      assert.match(text, says)
      assert.equal((await admin.send('GET', '/api/workspaces')).text, '[]')
    })
  }
})

const NAMES_DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Names', version: '1' },
  paths: {
    '/users/{id}/orders': {
      get: {
        summary: 'Orders of a user',
        description: 'Newest first.',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'integer' }, description: 'Whose orders.' },
          { name: 'page[size]', in: 'query', schema: { type: 'integer', maximum: 50 } },
          { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
        ],
        responses: {},
      },
      post: {
        operationId: 'orders.create',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
        },
        responses: {},
      },
    },
    '/a': { get: { operationId: 'same', responses: {} } },
    '/b': { get: { operationId: 'same', responses: {} } },
  },
  components: {
    schemas: {
      Order: {
        type: 'object',
        required: ['lines'],
        properties: { lines: { type: 'array', items: { type: 'string' } }, note: { type: 'string' } },
      },
    },
  },
}

suite('a tool', () => {
  test('is called by its operationId, else by method and path; two of one name are told apart for good (E2)', async () => {
    await using api = await startRecordingApi()
    const document = JSON.stringify({ ...NAMES_DOCUMENT, servers: [{ url: api.url }] })
    await using workspace = await startWorkspace({ document }, { tools: 'all' })
    const names = await workspace.names()
    const [get, orders, sameA = '', sameB = '', ...rest] = names
    assert.deepEqual([get, orders, rest], ['get_users_id_orders', 'orders_create', []])
    assert.match(sameA, /^same_[\w-]{8}$/)
    assert.match(sameB, /^same_[\w-]{8}$/)
    assert.notEqual(sameA, sameB)

    // The order of the operations in the document does not count.
    const paths = Object.fromEntries(Object.entries(NAMES_DOCUMENT.paths).reverse())
    const { added, removed } = await workspace.import({
      document: JSON.stringify({ ...NAMES_DOCUMENT, paths, servers: [{ url: api.url }] }),
    })
    assert.deepEqual([added, removed], [[], []])
    assert.deepEqual(await workspace.names(), names)
    for (const name of [sameA, sameB]) await workspace.client.call(name)
    assert.deepEqual(api.seen.map(({ target }) => target).sort(), ['/a', '/b'])
  })

  test('has the summary and description, and path, query, header and body as its schema (E3)', async () => {
    await using api = await startRecordingApi()
    const document = JSON.stringify({ ...NAMES_DOCUMENT, servers: [{ url: api.url }] })
    await using workspace = await startWorkspace({ document }, { tools: 'all' })
    const list = await workspace.client.list()
    const get = list.find(({ name }) => name === 'get_users_id_orders')
    assert.equal(get?.['title'], 'Orders of a user')
    assert.equal(get?.['description'], 'Orders of a user\n\nNewest first.\n\n(GET /users/{id}/orders)')
    assert.deepEqual(get?.['inputSchema'], {
      type: 'object',
      properties: {
        id: { type: 'integer', description: 'Whose orders.' },
        page_size: { type: 'integer', maximum: 50 },
        'X-Trace': { type: 'string' },
      },
      required: ['id'],
      additionalProperties: false,
    })
    const create = list.find(({ name }) => name === 'orders_create')
    assert.deepEqual(create?.['inputSchema'], {
      type: 'object',
      properties: {
        id: { type: 'integer' },
        lines: { type: 'array', items: { type: 'string' } },
        note: { type: 'string' },
      },
      required: ['id', 'lines'],
      additionalProperties: false,
    })

    await workspace.client.call('get_users_id_orders', { id: 7, page_size: 5, 'X-Trace': 't-1' })
    await workspace.client.call('orders_create', { id: 8, lines: ['tea'] })
    const [read, write] = api.seen
    assert.deepEqual([read?.method, read?.headers['x-trace']], ['GET', 't-1'])
    assert.equal(decodeURIComponent(read?.target ?? ''), '/users/7/orders?page[size]=5')
    assert.deepEqual([write?.method, write?.target, write?.body], ['POST', '/users/8/orders', '{"lines":["tea"]}'])
  })
})

suite('a tool that is off', () => {
  test('is one that writes, until it is switched on (E4)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using workspace = await startWorkspace({ url: `${api.origin}/openapi.json` })
    assert.deepEqual(await workspace.names(), READS)
    const before = await workspace.tools()
    assert.deepEqual(
      before.tools
        .filter(({ enabled }) => !enabled)
        .map(({ name }) => name)
        .sort(),
      ['createItem', 'deleteItem'],
    )
    const { status } = await workspace.switchTools({ createItem: true })
    assert.equal(status, 200)
    assert.deepEqual(await workspace.names(), ['createItem', ...READS])
    assert.equal((await workspace.client.call('createItem', { name: 'Vase' })).isError, false)
  })

  test('is neither listed nor callable, and looks like one that never was (E4)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using workspace = await startWorkspace({ url: `${api.origin}/openapi.json` }, { tools: 'all' })
    assert.equal((await workspace.client.call('listUsers')).isError, false)
    await workspace.switchTools({ listUsers: false })
    assert.deepEqual(
      await workspace.names(),
      FIVE.filter((name) => name !== 'listUsers'),
    )
    const before = api.counts.calls
    const off = await workspace.client.send('tools/call', { name: 'listUsers', arguments: {} })
    const never = await workspace.client.send('tools/call', { name: 'neverThere', arguments: {} })
    assert.equal(off.text.replace('listUsers', 'neverThere'), never.text)
    assert.match(off.text, /"error":\{"code":-32602,"message":"Unknown tool: listUsers"/)
    assert.equal(api.counts.calls, before)
  })

  test('stays off, and one that is on stays on, through imports and a restart (E4)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using workspace = await startWorkspace({ url: `${api.origin}/openapi.json` })
    await workspace.switchTools({ deleteItem: true, getStats: false })
    const expected = ['deleteItem', 'listItems', 'listUsers']
    assert.deepEqual(await workspace.names(), expected)
    const again = await workspace.import()
    assert.deepEqual([again.added, again.removed, again.changed], [[], [], []])
    assert.deepEqual(await workspace.names(), expected)
    await workspace.import({ document: await documentOf(api.origin, { version: '3.0.3', format: 'yaml' }) })
    assert.deepEqual(await workspace.names(), expected)
    await workspace.gateway.restart()
    assert.deepEqual(await workspace.names(), expected)
  })

  test('is also one that a later import adds once names were chosen, and a name that no tool has is refused (E4)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const { paths, ...rest } = z
      .looseObject({ paths: z.record(z.string(), z.unknown()) })
      .parse(await (await fetch(`${api.origin}/openapi.json`)).json())
    const { '/api/stats': _, ...fewer } = paths
    await using workspace = await startWorkspace({ document: JSON.stringify({ ...rest, paths: fewer }) })
    await workspace.switchTools({ createItem: true })
    const unknown = await workspace.switchTools({ getStats: true })
    assert.equal(unknown.status, 400)
    assert.match(unknown.text, /There is no tool getStats/)
    const { added } = await workspace.import({ document: JSON.stringify({ ...rest, paths }) })
    assert.deepEqual(added, ['getStats'])
    assert.deepEqual(await workspace.names(), ['createItem', 'listItems', 'listUsers'])
  })
})

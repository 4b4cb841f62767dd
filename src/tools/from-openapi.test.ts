import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'
import type { Tool } from './tool.ts'

const json = (schema: object) => ({ content: { 'application/json': { schema } } })

function importPaths(paths: object, rest: object = {}, options: Parameters<typeof importOpenApi>[1] = {}) {
  return importOpenApi({ version: '3.0', root: { openapi: '3.0.3', paths, ...rest } }, options)
}

/** The only tool of a document with one operation at `/x/{id}`. */
function only(operation: object, { method = 'post', pathItem = {}, rest = {} } = {}): Tool {
  const { tools, setAside } = importPaths({ '/x/{id}': { ...pathItem, [method]: operation } }, rest)
  const [tool] = tools
  assert.ok(tool, JSON.stringify(setAside))
  return tool
}

function reasonFor(operation: object, { method = 'post', path = '/x', rest = {} } = {}): string {
  const { tools, setAside } = importPaths({ [path]: { [method]: operation }, '/good': { get: {} } }, rest)
  assert.deepEqual(
    tools.map((tool) => tool.name),
    ['get_good'],
    'the good operation is imported, the bad one is not',
  )
  return setAside.map(({ operation: label, reason }) => `${label}: ${reason}`).join()
}

suite('importOpenApi', () => {
  test('makes the five tools of the test API from YAML (E5)', () => {
    const document = parseDocument(`
openapi: 3.1.0
info: {title: Test API, version: "1"}
servers: [{url: "http://localhost:{port}/", variables: {port: {default: "3456"}}}]
paths:
  /api/items:
    get: {operationId: listItems, summary: List all items, parameters: [{$ref: "#/components/parameters/Limit"}]}
    post:
      operationId: createItem
      summary: Create an item
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/NewItem"}}}}
  /api/items/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    delete: {operationId: deleteItem}
  /api/users: {get: {operationId: listUsers}}
  /api/stats: {get: {operationId: getStats}}
components:
  parameters: {Limit: {name: limit, in: query, description: At most so many, schema: {type: integer, maximum: 100}}}
  schemas: {NewItem: {type: object, required: [name], properties: {name: {type: string}, price: {type: number}}}}
`)
    const { title, tools, setAside } = importOpenApi(document)
    assert.equal(title, 'Test API')
    assert.deepEqual(setAside, [])
    const shown = tools.map(({ name, description, operation }) => [name, description, operation.server])
    const server = 'http://localhost:3456'
    assert.deepEqual(shown, [
      ['listItems', 'List all items (GET /api/items)', server],
      ['createItem', 'Create an item (POST /api/items)', server],
      ['deleteItem', '(DELETE /api/items/{id})', server],
      ['listUsers', '(GET /api/users)', server],
      ['getStats', '(GET /api/stats)', server],
    ])
    assert.deepEqual(tools[0]?.inputSchema, {
      type: 'object',
      properties: { limit: { type: 'integer', maximum: 100, description: 'At most so many' } },
      additionalProperties: false,
    })
    assert.deepEqual(tools[1]?.inputSchema, {
      type: 'object',
      properties: { name: { type: 'string' }, price: { type: 'number' } },
      required: ['name'],
      additionalProperties: false,
    })
  })

  test('annotates by the method (E7)', () => {
    const item = { get: { summary: 'See' }, put: {}, post: {}, delete: {}, patch: {} }
    const hints = importPaths({ '/x': item }).tools.map(({ annotations: it, operation }) => {
      return [operation.method, it.readOnlyHint, it.destructiveHint, it.idempotentHint, it.openWorldHint]
    })
    assert.deepEqual(hints, [
      ['GET', true, false, true, true],
      ['PUT', false, true, true, true],
      ['POST', false, false, false, true],
      ['DELETE', false, true, true, true],
      ['PATCH', false, true, false, true],
    ])
    assert.equal(importPaths({ '/x': item }).tools[0]?.annotations.title, 'See')
  })

  test('lets the operation’s parameter override the path’s, by name and place', () => {
    const pathItem = {
      parameters: [
        { name: 'a', in: 'query', schema: { type: 'string' } },
        { name: 'id', in: 'path', schema: {} },
      ],
    }
    const tool = only(
      { parameters: [{ name: 'a', in: 'query', required: true, schema: { type: 'integer' } }] },
      { pathItem },
    )
    assert.deepEqual(tool.inputSchema['properties'], { id: {}, a: { type: 'integer' } })
    assert.deepEqual(tool.inputSchema['required'], ['id', 'a'])
  })

  test('gives parameters of one name in several places names of their own, in any order', () => {
    const parameters = ['query', 'header', 'cookie'].map((place) => ({ name: 'id', in: place }))
    for (const list of [parameters, parameters.toReversed()]) {
      const tool = only({ parameters: list })
      const names = tool.operation.parameters.map((it) => `${it.in}:${it.name}<${it.argument}`)
      assert.deepEqual(names, ['path:id<id', 'query:id<id_query', 'header:id<id_header', 'cookie:id<id_cookie'])
    }
    const alike = only({ parameters: ['a[]', 'a', 'b_'].map((name) => ({ name, in: 'query' })) })
    assert.equal(new Set(alike.operation.parameters.map((it) => it.argument)).size, 4)
  })

  test('takes a placeholder that nobody declared as a text, and drops a path parameter that is not in the path', () => {
    const tool = only({ parameters: [{ name: 'gone', in: 'path', schema: {} }] })
    assert.deepEqual(tool.inputSchema['properties'], { id: { type: 'string' } })
  })

  test('never takes a header that frames the message, proves the caller or speaks for the network', () => {
    const forbidden = [
      'Accept',
      'content-type',
      'Authorization',
      'Host',
      'Cookie',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'TE',
      'Upgrade',
      'Proxy-Authorization',
      'X-Forwarded-For',
      'bad name',
      'a\r\nb',
    ]
    const tool = only({ parameters: [...forbidden, 'X-Good'].map((name) => ({ name, in: 'header', required: true })) })
    assert.deepEqual(
      tool.operation.parameters.map((it) => it.name),
      ['id', 'X-Good'],
    )
  })

  test('names the method in the description, even of a long one, and repeats no summary', () => {
    const tool = only({ summary: 'Make it', description: `Make it\n${'x'.repeat(5000)}`, deprecated: true })
    assert.match(tool.description, /^Deprecated\.\n\nMake it\nxxx/)
    assert.match(tool.description, /…\n\n\(POST \/x\/\{id\}\)$/)
    assert.ok(tool.description.length < 2100)
  })

  test('strips invisible characters from every text (T25)', () => {
    const hidden = `\u{e0069}\u200b\u202e`
    const parameters = [
      { name: 'a', in: 'query', description: `d${hidden}`, schema: { title: `t${hidden}`, enum: [`v${hidden}`] } },
    ]
    const tool = only({ operationId: `op${hidden}`, summary: `s${hidden}`, description: `x${hidden}`, parameters })
    const shown = JSON.stringify([tool.name, tool.description, tool.inputSchema, tool.annotations])
    assert.doesNotMatch(shown, /\u{e0069}|\u200b|\u202e/u)
    assert.equal(importPaths({}, { info: { title: `T${hidden}` } }).title, 'T')
  })

  test('gives the same tools when the operations stand in another order', () => {
    const paths = {
      '/a': { get: { operationId: 'x' } },
      '/b': { get: { operationId: 'x' } },
      '/c': { get: {}, post: {} },
    }
    const turned = Object.fromEntries(Object.entries(paths).toReversed())
    const byName = (tools: readonly Tool[]) => tools.toSorted((left, right) => (left.name < right.name ? -1 : 1))
    assert.deepEqual(byName(importPaths(turned).tools), byName(importPaths(paths).tools))
  })

  test('keeps tools alike when another operation cannot be imported', () => {
    const bad = { operationId: 'x', parameters: [{ $ref: 'file:///etc/passwd' }] }
    const { tools, setAside } = importPaths({ '/a': { get: { operationId: 'x' } }, '/b': { get: bad } })
    const [twin] = importPaths({ '/a': { get: { operationId: 'x' } }, '/b': { get: { operationId: 'x' } } }).tools
    assert.deepEqual([tools[0]?.name, tools.length, setAside.length], [twin?.name, 1, 1])
  })
})

suite('importOpenApi makes of a body', () => {
  const shapes = [
    { name: 'fields, of a plain object', schema: { type: 'object', properties: { a: {} } }, shape: 'fields' },
    {
      name: 'fields, of a closed object',
      schema: { properties: { a: {} }, additionalProperties: false },
      shape: 'fields',
    },
    { name: 'one argument, of a composition', schema: { properties: { a: {} }, allOf: [{}] }, shape: 'whole' },
    {
      name: 'one argument, of an open map',
      schema: { properties: { a: {} }, additionalProperties: true },
      shape: 'whole',
    },
    { name: 'one argument, of a list', schema: { type: 'array', items: {} }, shape: 'whole' },
    { name: 'one argument, of an object without fields', schema: { type: 'object' }, shape: 'whole' },
    { name: 'one argument, of what may be null', schema: { properties: { a: {} }, nullable: true }, shape: 'whole' },
    {
      name: 'one argument, when a field is called like a parameter',
      schema: { properties: { id: {}, b: {} } },
      shape: 'whole',
    },
    {
      name: 'one argument, when a field has a name that clients refuse',
      schema: { properties: { 'a b': {} } },
      shape: 'whole',
    },
    {
      name: 'one argument, when a field is called __proto__',
      schema: { properties: JSON.parse('{"__proto__":{},"a":{}}') },
      shape: 'whole',
    },
  ]
  for (const { name, schema, shape } of shapes) {
    test(name, () => assert.equal(only({ requestBody: json(schema) }).operation.body?.shape.kind, shape))
  }

  test('an argument of another name when `body` is taken', () => {
    const parameters = [
      { name: 'body', in: 'query' },
      { name: 'body_', in: 'query' },
    ]
    const tool = only({
      parameters,
      requestBody: { ...json({ type: 'array' }), description: 'All of it', required: true },
    })
    assert.deepEqual(tool.operation.body?.shape, { kind: 'whole', argument: 'body__' })
    assert.deepEqual(tool.inputSchema['required'], ['id', 'body__'])
  })

  test('required fields, unless the body is expressly optional', () => {
    const body = json({ properties: { a: {}, b: {} }, required: ['a'] })
    assert.deepEqual(only({ requestBody: body }).inputSchema['required'], ['id', 'a'])
    assert.deepEqual(only({ requestBody: { ...body, required: false } }).inputSchema['required'], ['id'])
  })

  test('the best content type it can send', () => {
    const types = [
      [['text/xml', 'application/json; charset=utf-8'], 'application/json'],
      [['*/*'], 'application/json'],
      [
        ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'],
        'application/merge-patch+json',
      ],
      [['application/vnd.api+json'], 'application/vnd.api+json'],
      [['multipart/form-data', 'application/x-www-form-urlencoded'], 'application/x-www-form-urlencoded'],
      [['text/plain'], 'text/plain'],
    ] as const
    for (const [offered, chosen] of types) {
      const content = Object.fromEntries(offered.map((type) => [type, {}]))
      assert.equal(only({ requestBody: { content } }).operation.body?.contentType, chosen)
    }
  })

  test('a form with the fields that want brackets (Stripe)', () => {
    const schema = { type: 'object', properties: { expand: { type: 'array', items: { type: 'string' } }, name: {} } }
    const content = {
      'application/x-www-form-urlencoded': { schema, encoding: { expand: { style: 'deepObject', explode: true } } },
    }
    assert.deepEqual(only({ requestBody: { content } }).operation.body?.fieldRules, {
      expand: { style: 'deepObject', explode: true },
    })
  })

  test('of a GET nothing, where HTTP gives it no meaning', () => {
    assert.equal(only({ requestBody: json({}) }, { method: 'get' }).operation.body, undefined)
  })
})

suite('importOpenApi sets aside, with the reason, and imports the rest', () => {
  const q = (schema: object) => ({ parameters: [{ name: 'a', in: 'query', schema }] })
  const cases = [
    {
      name: 'a reference to a file',
      operation: { parameters: [{ $ref: 'file:///etc/passwd' }] },
      reason: /^POST \/x: .*outside the document/,
    },
    {
      name: 'a schema on another host',
      operation: q({ $ref: 'http://169.254.169.254/' }),
      reason: /outside the document/,
    },
    {
      name: 'a body that is somewhere else',
      operation: { requestBody: { $ref: './body.yaml' } },
      reason: /the body refers to/,
    },
    {
      name: 'a body schema that is not there',
      operation: { requestBody: json({ $ref: '#/nope' }) },
      reason: /not in the document/,
    },
    {
      name: 'a parameter in the body',
      operation: { parameters: [{ name: 'b', in: 'body' }] },
      reason: /no known place/,
    },
    { name: 'a parameter that is a text', operation: { parameters: ['a'] }, reason: /no name/ },
    {
      name: 'a body of described parts',
      operation: { requestBody: { content: { 'multipart/related': {} } } },
      reason: /multipart\/related, which cannot be sent/,
    },
    {
      name: 'a GET that needs a body',
      operation: { requestBody: { ...json({}), required: true } },
      method: 'get',
      reason: /needs a body/,
    },
    { name: 'HEAD', operation: {}, method: 'head', reason: /HEAD gives a model nothing/ },
    { name: 'a path that climbs', operation: {}, path: '/a/../b', reason: /segment/ },
    { name: 'a path that climbs in disguise', operation: {}, path: '/a/%2E%2e/b', reason: /segment/ },
    { name: 'a path with a placeholder in its query', operation: {}, path: '/a?b={c}', reason: /query with a place/ },
    { name: 'a path that goes on behind a #', operation: {}, path: '/a/#env/v1/{id}', reason: /behind a #/ },
    { name: 'a path that climbs before its query', operation: {}, path: '/a/..?b=c', reason: /segment/ },
    { name: 'a path with a line end', operation: {}, path: '/a\r\nb', reason: /control/ },
    { name: 'a path with a backslash', operation: {}, path: '/a\\b', reason: /\\/ },
    { name: 'a path that is another host', operation: {}, path: 'http://evil.example/', reason: /begin with/ },
    { name: 'a path with one brace', operation: {}, path: '/a/{b', reason: /braces/ },
  ]
  for (const { name, reason, operation, ...rest } of cases) {
    test(name, () => assert.match(reasonFor(operation, rest), reason))
  }
})

suite('importOpenApi stays quick and small', () => {
  test('with 3,000 operations that share recursive schemas', { timeout: 20_000 }, () => {
    const fields = (name: string) =>
      Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`f${i}`, { type: 'string', description: `${name} ${i}` }]),
      )
    const schemas = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `S${i}`,
        {
          type: 'object',
          properties: { ...fields(`S${i}`), next: { $ref: `#/components/schemas/S${(i * 7 + 1) % 300}` } },
        },
      ]),
    )
    const paths = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [
        `/p${i}/{id}`,
        { get: {}, post: { requestBody: json({ $ref: `#/components/schemas/S${i % 300}` }) } },
      ]),
    )
    const started = process.cpuUsage().user
    const { tools } = importPaths(paths, { components: { schemas } })
    assert.equal(tools.length, 3000)
    assert.ok(process.cpuUsage().user - started < 5_000_000)
    for (const tool of tools.slice(0, 20)) assert.ok(JSON.stringify(tool.inputSchema).length < 70_000)
  })

  test('with more operations than anyone has', { timeout: 20_000 }, () => {
    const paths = Object.fromEntries(Array.from({ length: 31_000 }, (_, i) => [`/p${i}`, { get: {} }]))
    const { tools, setAside } = importPaths(paths)
    assert.equal(tools.length, 30_000)
    assert.match(setAside[0]?.reason ?? '', /more than 30000/)
  })

  test('with a thousand parameters', () => {
    assert.match(
      reasonFor({ parameters: Array.from({ length: 1000 }, (_, i) => ({ name: `p${i}`, in: 'query' })) }),
      /more than 300/,
    )
  })
})

test('importOpenApi survives any document', () => {
  for (const paths of [
    null,
    1,
    'x',
    [],
    { '/x': null },
    { '/x': 'y' },
    { '/x': { get: null } },
    { '/x': { get: { parameters: {} } } },
    { '/x': { $ref: '#/paths/~1x' } },
    { '/x': { post: { requestBody: 1 } } },
  ]) {
    const document = { version: '3.1', root: { openapi: '3.1.0', paths, info: 1, servers: 2 } } as const
    const { tools, setAside } = importOpenApi(document)
    assert.ok(tools.length + setAside.length <= 1)
  }
})

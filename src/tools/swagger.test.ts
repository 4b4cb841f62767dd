import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'
import type { Arguments } from './path-template.ts'
import { buildRequest } from './request.ts'
import type { ServerOptions } from './servers.ts'
import type { Tool } from './tool.ts'

function importSwagger(rest: object, options: ServerOptions = {}) {
  return importOpenApi(parseDocument(JSON.stringify({ swagger: '2.0', ...rest })), options)
}

function only(operation: object, { pathItem = {}, rest = {}, options = {}, method = 'post' } = {}): Tool {
  const { tools, setAside } = importSwagger({ paths: { '/x': { ...pathItem, [method]: operation } }, ...rest }, options)
  const [tool] = tools
  assert.ok(tool, JSON.stringify(setAside))
  return tool
}

suite('Swagger 2.0: a call goes', () => {
  const cases = [
    {
      name: 'to host and basePath',
      rest: { host: 'a.example', basePath: '/v1', schemes: ['https'] },
      server: 'https://a.example/v1',
    },
    {
      name: 'by https where both are offered',
      rest: { host: 'a.example', schemes: ['http', 'https'] },
      server: 'https://a.example',
    },
    {
      name: 'by http where only that is',
      rest: { host: 'a.example:81', schemes: ['http', 'wss'] },
      server: 'http://a.example:81',
    },
    {
      name: 'as the document was fetched, when no scheme is named',
      rest: { host: 'localhost:3000' },
      options: { documentUrl: 'http://localhost:3000/swagger.json' },
      server: 'http://localhost:3000',
    },
    { name: 'by https when nothing says', rest: { host: 'a.example' }, server: 'https://a.example' },
    {
      name: 'to the host of the document when none is named',
      rest: { basePath: '/v2' },
      options: { documentUrl: 'https://d.example/docs/swagger.json' },
      server: 'https://d.example/v2',
    },
    { name: 'nowhere when the host is none', rest: { host: '{tenant}.example' }, server: undefined },
    { name: 'nowhere when the host has a user', rest: { host: 'u:p@a.example' }, server: undefined },
    { name: 'nowhere when the host has a path', rest: { host: 'a.example/evil?' }, server: undefined },
  ]
  for (const { name, rest, options, server } of cases) {
    test(name, () => assert.equal(only({}, { rest, options }).operation.server, server))
  }

  test('by the scheme of the operation', () => {
    const rest = { host: 'a.example', schemes: ['https'] }
    assert.equal(only({ schemes: ['http'] }, { rest }).operation.server, 'http://a.example')
  })
})

suite('Swagger 2.0: what is sent', () => {
  const ids = { name: 'ids', in: 'query', type: 'array', items: { type: 'integer' } }
  const cases: readonly {
    name: string
    operation: object
    args: Arguments
    path?: string
    type?: string
    body?: string
  }[] = [
    { name: 'a list with commas', operation: { parameters: [ids] }, args: { ids: [1, 2] }, path: '/x?ids=1,2' },
    {
      name: 'a list with pipes',
      operation: { parameters: [{ ...ids, collectionFormat: 'pipes' }] },
      args: { ids: [1, 2] },
      path: '/x?ids=1%7C2',
    },
    {
      name: 'a list with spaces',
      operation: { parameters: [{ ...ids, collectionFormat: 'ssv' }] },
      args: { ids: [1, 2] },
      path: '/x?ids=1%202',
    },
    {
      name: 'a list that repeats the name',
      operation: { parameters: [{ ...ids, collectionFormat: 'multi' }] },
      args: { ids: [1, 2] },
      path: '/x?ids=1&ids=2',
    },
    {
      name: 'a body as JSON',
      operation: { parameters: [{ name: 'pet', in: 'body', schema: { $ref: '#/definitions/Pet' } }] },
      args: { name: 'Rex' },
      type: 'application/json',
      body: '{"name":"Rex"}',
    },
    {
      name: 'a body as what the operation consumes',
      operation: {
        consumes: ['application/xml'],
        parameters: [{ name: 'pet', in: 'body', schema: { $ref: '#/definitions/Pet' } }],
      },
      args: { body: '<pet/>' },
      type: 'application/xml',
      body: '<pet/>',
    },
    {
      name: 'a form',
      operation: {
        parameters: [
          { name: 'a', in: 'formData', type: 'string' },
          { name: 'b', in: 'formData', type: 'array', items: { type: 'string' } },
        ],
      },
      args: { a: 'x y', b: ['1', '2'] },
      type: 'application/x-www-form-urlencoded',
      body: 'a=x%20y&b=1,2',
    },
  ]
  for (const { name, operation, args, path = '/x', type, body } of cases) {
    test(name, () => {
      const definitions = { Pet: { type: 'object', properties: { name: { type: 'string' } } } }
      const request = buildRequest(only(operation, { rest: { definitions } }), args)
      assert.deepEqual([request.path, request.headers['content-type'], request.body], [path, type, body])
    })
  }

  test('a file, with the fields beside it', async () => {
    const parameters = [
      { name: 'file', in: 'formData', type: 'file', required: true },
      { name: 'tags', in: 'formData', type: 'array', items: { type: 'string' } },
    ]
    const tool = only({ parameters, consumes: ['application/x-www-form-urlencoded'] })
    assert.deepEqual(tool.inputSchema['required'], ['file'])
    const { headers, body } = buildRequest(tool, { file: 'AQI=', tags: ['a', 'b'] })
    const form = await new Response(new Uint8Array(Buffer.from(body ?? '')), { headers }).formData()
    const file = form.get('file')
    assert.ok(file instanceof File)
    assert.deepEqual([...new Uint8Array(await file.arrayBuffer())], [1, 2])
    assert.equal(form.get('tags'), 'a,b')
  })
})

suite('Swagger 2.0: the schema', () => {
  test('keeps what stands beside the name, and $defs by their own names', () => {
    const definitions = { Node: { type: 'object', properties: { next: { $ref: '#/definitions/Node' } } } }
    const tool = only(
      {
        parameters: [
          {
            name: 'n',
            in: 'query',
            type: 'integer',
            minimum: 1,
            maximum: 9,
            exclusiveMaximum: true,
            description: 'How many.',
          },
          {
            name: 'node',
            in: 'body',
            required: true,
            schema: { type: 'array', items: { $ref: '#/definitions/Node' } },
          },
        ],
      },
      { rest: { definitions } },
    )
    assert.deepEqual(tool.inputSchema, {
      type: 'object',
      properties: {
        n: { type: 'integer', minimum: 1, exclusiveMaximum: 9, description: 'How many.' },
        body: { type: 'array', items: { $ref: '#/$defs/Node' } },
      },
      required: ['body'],
      additionalProperties: false,
      $defs: { Node: { type: 'object', properties: { next: { $ref: '#/$defs/Node' } } } },
    })
  })

  test('takes parameters from the path and from references, the operation’s winning', () => {
    const parameters = { Page: { name: 'page', in: 'query', type: 'integer' } }
    const pathItem = {
      parameters: [
        { $ref: '#/parameters/Page' },
        { name: 'a', in: 'formData', type: 'string' },
        { name: 'b', in: 'formData', type: 'string' },
      ],
    }
    const tool = only(
      { parameters: [{ name: 'a', in: 'formData', type: 'integer' }] },
      { pathItem, rest: { parameters } },
    )
    assert.deepEqual(tool.inputSchema['properties'], {
      page: { type: 'integer' },
      b: { type: 'string' },
      a: { type: 'integer' },
    })
  })

  test('a parameter that refers to another document sets its operation aside', () => {
    const bad = { get: { parameters: [{ $ref: 'file:///etc/passwd' }] } }
    const { tools, setAside } = importSwagger({ paths: { '/bad': bad, '/good': { get: {} } } })
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['get_good'],
    )
    assert.match(setAside[0]?.reason ?? '', /outside the document/)
  })
})

test('convertSwagger survives any document', () => {
  const key = fc.constantFrom(
    'get',
    'post',
    'parameters',
    'in',
    'name',
    'type',
    'schema',
    '$ref',
    'host',
    'consumes',
    '/x',
    'items',
    '__proto__',
  )
  const leaf = fc.oneof(
    fc.constantFrom('body', 'formData', 'query', 'array', 'file', '#/paths', '#', ''),
    fc.integer(),
    fc.constant(null),
  )
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'medium' },
      leaf,
      fc.dictionary(key, tie('any'), { maxKeys: 5 }),
      fc.array(tie('any'), { maxLength: 3 }),
    ),
  }))
  fc.assert(
    fc.property(any, any, any, (x, rest, parameters) => {
      importSwagger({
        ...(typeof rest === 'object' ? rest : {}),
        paths: { '/x': x, '/y': { post: { parameters: [parameters] } } },
      })
    }),
    { numRuns: 300 },
  )
})

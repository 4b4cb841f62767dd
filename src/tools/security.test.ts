import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { compareImports } from './changes.ts'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'
import { isSecurityPlace, requirementsOf } from './security.ts'

const KEY = { type: 'apiKey', in: 'header', name: 'api_key' }
const schemes = { key: KEY, token: { type: 'http', scheme: 'Bearer' } }

function importWith({ root, operations }: { root?: unknown; operations: readonly unknown[] }, more: object = {}) {
  const paths = Object.fromEntries(
    operations.map((security, index) => [`/${index}`, { get: security === undefined ? {} : { security } }]),
  )
  const security = root === undefined ? {} : { security: root }
  const document = { openapi: '3.1.0', paths, ...security, components: { securitySchemes: schemes }, ...more }
  return importOpenApi(parseDocument(JSON.stringify(document)))
}

/** The names of the schemes in every alternative, operation by operation. */
function namesOf(imported: ReturnType<typeof importWith>) {
  return imported.tools.map(({ operation }) => operation.security?.map((all) => all.map(({ name }) => name)))
}

/** The one scheme that the one operation of such a document names. */
function schemeOf(name: string, declared: Record<string, unknown>, openapi = '3.1.0') {
  const components = { securitySchemes: declared }
  const { tools } = importWith({ operations: [[{ [name]: [] }]] }, { openapi, components })
  return tools[0]?.operation.security?.[0]?.[0]?.scheme
}

suite('the security of an operation', () => {
  test('is the document’s, unless it has its own; an empty one counts, an empty value of YAML does not', () => {
    const operations = [undefined, [{ token: [] }], [], [{}], null]
    assert.deepEqual(namesOf(importWith({ root: [{ key: [] }], operations })), [
      [['key']],
      [['token']],
      [],
      [[]],
      [['key']],
    ])
  })

  test('is absent where nobody says anything', () => {
    const { tools } = importWith({ operations: [undefined, [{ key: [] }]] })
    assert.deepEqual(
      tools.map(({ operation }) => 'security' in operation),
      [false, true],
    )
  })

  test('is a list of alternatives in the document’s order, each with all of its schemes', () => {
    const operations = [[{ token: [], key: ['read'] }, {}, { key: [] }]]
    assert.deepEqual(namesOf(importWith({ operations })), [[['token', 'key'], [], ['key']]])
  })

  test('is understood where the list or the braces were forgotten', () => {
    assert.deepEqual(namesOf(importWith({ operations: [{ key: [] }, ['key'], 'key', {}] })), [
      [['key']],
      [['key']],
      [['key']],
      [[]],
    ])
  })

  test('sets the operation aside when it cannot be read', () => {
    const many = Array.from({ length: 51 }, () => ({ key: [] }))
    const wide = [Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`s${index}`, []]))]
    const { tools, setAside } = importWith({ operations: [true, 7, [['key']], [{ key: [] }, null], many, wide] })
    assert.deepEqual(tools, [])
    assert.equal(setAside.length, 6)
    for (const { reason } of setAside) assert.match(reason, /`security`/)
  })

  test('is one object for all operations that want the same', () => {
    const { tools } = importWith({ root: [{ key: [] }], operations: [undefined, [{ key: [] }], [{ token: [] }]] })
    assert.equal(tools[0]?.operation.security, tools[1]?.operation.security)
    assert.equal(requirementsOf(tools).length, 2)
  })

  test('is a difference between two imports (T25)', () => {
    const before = importWith({ operations: [[{ key: [] }]] })
    const after = importWith({ operations: [[]] })
    assert.deepEqual(compareImports(before, after).changed, [{ name: 'get_0', aspects: ['security'] }])
  })
})

suite('a security scheme', () => {
  const cases = [
    { name: 'a key in a header', raw: KEY, scheme: { type: 'apiKey', place: { in: 'header', name: 'api_key' } } },
    {
      name: 'a key in the query',
      raw: { ...KEY, in: 'query', name: 'k[]' },
      scheme: { type: 'apiKey', place: { in: 'query', name: 'k[]' } },
    },
    {
      name: 'a key in a cookie',
      raw: { ...KEY, in: 'Cookie' },
      scheme: { type: 'apiKey', place: { in: 'cookie', name: 'api_key' } },
    },
    { name: 'HTTP Basic', raw: { type: 'http', scheme: 'BASIC' }, scheme: { type: 'http', scheme: 'basic' } },
    {
      name: 'another HTTP scheme',
      raw: { type: 'http', scheme: 'Digest' },
      scheme: { type: 'http', scheme: 'digest' },
    },
    { name: 'OAuth 2.0', raw: { type: 'OAuth2', flows: {} }, scheme: { type: 'oauth2' } },
    { name: 'OpenID Connect', raw: { type: 'openIdConnect' }, scheme: { type: 'openIdConnect' } },
    { name: 'mutual TLS', raw: { type: 'mutualTLS' }, scheme: { type: 'mutualTLS' } },
    {
      name: 'one of no known type',
      raw: { type: 'magic' },
      scheme: { type: 'unreadable', reason: 'is of no known type' },
    },
  ]
  for (const { name, raw, scheme } of cases) {
    test(`can be ${name}`, () => {
      assert.deepEqual(schemeOf('s', { s: raw }), scheme)
      assert.deepEqual(schemeOf('s', { s: { $ref: '#/components/securitySchemes/t' }, t: raw }), scheme)
    })
  }

  test('can be named by its reference (OpenAPI 3.2)', () => {
    assert.equal(schemeOf('#/components/securitySchemes/s', { s: { type: 'oauth2' } }, '3.2.0')?.type, 'oauth2')
  })

  const unreadable = [
    { name: 'is not declared', declared: {} },
    { name: 'only the prototype has', declared: {}, called: 'constructor' },
    { name: 'stands outside the document', declared: { s: { $ref: 'http://169.254.169.254/' } } },
    { name: 'is a key in no place', declared: { s: { ...KEY, in: 'body' } } },
    { name: 'is a key without a name', declared: { s: { ...KEY, name: '' } } },
    { name: 'is a key in a header with a line break', declared: { s: { ...KEY, name: 'a\r\nHost' } } },
    { name: 'is a key in a header that frames the message', declared: { s: { ...KEY, name: 'Content-Length' } } },
    { name: 'is a key in a cookie that begins another', declared: { s: { ...KEY, in: 'cookie', name: 'a=1; b' } } },
    { name: 'is a key in a query with half a character', declared: { s: { ...KEY, in: 'query', name: '\ud800' } } },
    { name: 'is an HTTP scheme without a name', declared: { s: { type: 'http' } } },
  ]
  for (const { name, declared, called = 's' } of unreadable) {
    test(`that ${name} stays in the requirement, as one that nobody can read`, () => {
      assert.equal(schemeOf(called, declared)?.type, 'unreadable')
    })
  }
})

suite('Swagger 2.0', () => {
  const definitions = {
    basic: { type: 'basic' },
    key: { ...KEY, in: 'query' },
    auth: { type: 'oauth2', flow: 'implicit' },
  }
  test('has its schemes in securityDefinitions', () => {
    const get = (security: unknown) => ({ get: { security } })
    const paths = {
      '/a': get([{ basic: [] }]),
      '/b': get([{ key: [], auth: ['read'] }]),
      '/c': get([]),
      '/d': { get: {} },
    }
    const root = { swagger: '2.0', paths, securityDefinitions: definitions, security: [{ auth: [] }] }
    const { tools } = importOpenApi(parseDocument(JSON.stringify(root)))
    assert.deepEqual(
      tools.map(({ operation }) => operation.security?.map((all) => all.map(({ scheme }) => scheme))),
      [
        [[{ type: 'http', scheme: 'basic' }]],
        [[{ type: 'apiKey', place: { in: 'query', name: 'api_key' } }, { type: 'oauth2' }]],
        [],
        [[{ type: 'oauth2' }]],
      ],
    )
  })
})

suite('a parameter in the place of a key', () => {
  const parameter = (place: string, name: string) => ({ name, in: place, required: true, schema: { type: 'string' } })
  for (const place of ['header', 'query', 'cookie'] as const) {
    test(`in the ${place} is no argument, required or not (D17)`, () => {
      const parameters = ['other', 'api_key', ...(place === 'cookie' ? [] : ['API_KEY'])].map((it) =>
        parameter(place, it),
      )
      const components = { securitySchemes: { key: { ...KEY, in: place }, token: schemes.token } }
      const paths = {
        '/a': { parameters, get: { security: [{ token: [] }, { key: [] }] } },
        '/b': { parameters: parameters.slice(0, 2), get: { security: [{ token: [] }] } },
      }
      const { tools } = importWith({ operations: [] }, { paths, components })
      assert.deepEqual(
        tools.map(({ operation }) => operation.parameters.map(({ name }) => name)),
        [['other'], ['other', 'api_key']],
      )
      assert.deepEqual(tools[0]?.inputSchema['required'], ['other'])
    })
  }

  test('in another place stays one', () => {
    const security = [[{ name: 'key', scheme: { type: 'apiKey', place: { in: 'query', name: 'k' } } }]] as const
    assert.deepEqual(
      [
        isSecurityPlace(security, 'query', 'k'),
        isSecurityPlace(security, 'header', 'k'),
        isSecurityPlace(security, 'path', 'k'),
      ],
      [true, false, false],
    )
    assert.equal(isSecurityPlace(undefined, 'query', 'k'), false)
  })
})

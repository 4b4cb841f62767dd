import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'

function importDocument(document: object) {
  return importOpenApi(parseDocument(JSON.stringify(document)))
}

suite('OpenAPI 3.2', () => {
  test('sets its new methods aside, each with its reason, and imports the rest', () => {
    const pathItem = { get: {}, query: {}, additionalOperations: { LINK: {}, 'X\u200by': {} } }
    const { tools, setAside } = importDocument({ openapi: '3.2.0', paths: { '/x': pathItem } })
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['get_x'],
    )
    const reason = 'its method is none of GET, PUT, POST, DELETE and PATCH'
    assert.deepEqual(setAside, [
      { operation: 'QUERY /x', reason },
      { operation: 'LINK /x', reason },
      { operation: 'XY /x', reason },
    ])
  })

  test('reads a media type behind a reference, but none outside the document', () => {
    const mediaTypes = { Pet: { schema: { type: 'object', properties: { name: { type: 'string' } } } } }
    const body = ($ref: string) => ({ post: { requestBody: { content: { 'application/json': { $ref } } } } })
    const paths = { '/a': body('#/components/mediaTypes/Pet'), '/b': body('http://169.254.169.254/') }
    const { tools, setAside } = importDocument({ openapi: '3.2.0', paths, components: { mediaTypes } })
    assert.deepEqual(tools[0]?.inputSchema['properties'], { name: { type: 'string' } })
    assert.match(setAside[0]?.reason ?? '', /outside the document/)
  })
})

test('a definition of 2.0 and a schema of 3.0 that are called the same stay two', () => {
  const schema = {
    type: 'array',
    prefixItems: [{ $ref: '#/definitions/Pet' }, { $ref: '#/components/schemas/Pet' }],
  }
  const paths = { '/x': { post: { requestBody: { content: { 'application/json': { schema } } } } } }
  const { tools } = importDocument({
    openapi: '3.0.0',
    paths,
    definitions: { Pet: { type: 'string' } },
    components: { schemas: { Pet: { type: 'integer' } } },
  })
  const [other = '', ...rest] = Object.keys(Object(tools[0]?.inputSchema['$defs']))
  assert.match(other, /^Pet_[\w-]{8}$/)
  assert.deepEqual(rest, ['Pet'])
})

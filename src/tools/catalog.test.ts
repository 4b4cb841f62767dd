import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createCatalog } from './catalog.ts'
import { importOpenApi } from './from-openapi.ts'

const paths = {
  '/items': { get: { operationId: 'listItems', summary: 'List' }, post: { operationId: 'createItem' } },
  '/items/{id}': { delete: { operationId: 'deleteItem' } },
}
const imported = importOpenApi({ version: '3.0', root: { openapi: '3.0.3', paths } })

suite('createCatalog switches on', () => {
  const cases = [
    { name: 'with reads only what reads (E4)', settings: 'reads' as const, on: ['listItems'] },
    { name: 'with all everything', settings: 'all' as const, on: ['listItems', 'createItem', 'deleteItem'] },
    { name: 'with a list what it names', settings: ['deleteItem'], on: ['deleteItem'] },
    { name: 'with an empty list nothing', settings: [], on: [] },
  ]
  for (const { name, settings, on } of cases) {
    test(name, async () => {
      const catalog = await createCatalog(imported, settings)
      assert.deepEqual([...catalog.enabled.keys()], on)
      assert.deepEqual(
        JSON.parse(catalog.listJson).map((tool: { name: string }) => tool.name),
        on,
      )
      assert.deepEqual(
        catalog.all.filter((it) => it.enabled).map((it) => it.tool.name),
        on,
      )
      assert.equal(catalog.all.length, 3)
    })
  }

  test('and tells which names it does not know', async () => {
    const { enabled, unknownNames } = await createCatalog(imported, ['listItems', 'gone', 'gone', 'constructor'])
    assert.deepEqual(unknownNames, ['gone', 'constructor'])
    assert.equal(enabled.get('constructor'), undefined)
  })

  test('the same tools by name after a new import', async () => {
    const again = importOpenApi({
      version: '3.0',
      root: { openapi: '3.0.3', paths: { '/new': { post: {} }, ...paths } },
    })
    assert.deepEqual([...(await createCatalog(again, ['createItem'])).enabled.keys()], ['createItem'])
  })
})

test('the list is what MCP wants, and no more', async () => {
  const { listJson } = await createCatalog(imported, 'reads')
  const [tool] = imported.tools
  assert.deepEqual(JSON.parse(listJson), [
    {
      name: 'listItems',
      title: 'List',
      description: 'List (GET /items)',
      inputSchema: tool?.inputSchema,
      annotations: tool?.annotations,
    },
  ])
})

test('an enabled tool checks its arguments and makes its request', async () => {
  const callable = (await createCatalog(imported, 'all')).enabled.get('deleteItem')
  assert.deepEqual(callable?.check({ id: 1 }), { ok: false, reason: '"id" must be string.' })
  assert.deepEqual(callable?.check({ id: '1' }), { ok: true, value: { id: '1' } })
  assert.deepEqual(callable?.request({ id: '1' }), { method: 'DELETE', path: '/items/1', headers: {} })
})

test('a schema that cannot be compiled fails at once from the second call on', async () => {
  const chain = Array.from({ length: 600 }, (_, index) => {
    return [`S${index}`, { properties: { a: { $ref: `#/components/schemas/S${index + 1}` } } }]
  })
  const schema = { $ref: '#/components/schemas/S0' }
  const post = { operationId: 'deep', requestBody: { content: { 'application/json': { schema } } } }
  const schemas = Object.fromEntries([...chain, ['S600', {}]])
  const root = { openapi: '3.0.3', paths: { '/deep': { post } }, components: { schemas } }
  const { enabled } = await createCatalog(importOpenApi({ version: '3.0', root }), 'all')
  const callable = enabled.get('deep')
  const failure = () => {
    try {
      callable?.check({})
    } catch (error) {
      return error
    }
    return assert.fail('it was compiled')
  }
  const first = failure()
  assert.match(String(first), /its schema in the API's document is not valid/)
  assert.equal(failure(), first)
})

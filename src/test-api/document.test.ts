import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'
import type { TestApiMode } from './admission.ts'
import { openapiDocument } from './document.ts'
import { routes } from './routes.ts'
import { startTestApi } from './test-api.ts'

const modes: readonly TestApiMode[] = ['none', 'apikey', 'bearer', 'jwt']

function operationsOf(document: unknown): { method: string; path: string; operation: Record<string, unknown> }[] {
  const { paths } = JSON.parse(JSON.stringify(document))
  return Object.entries<Record<string, Record<string, unknown>>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

suite('the OpenAPI document', () => {
  test('describes exactly the routes', () => {
    const described = operationsOf(openapiDocument({ origin: 'http://127.0.0.1:1', mode: 'jwt' }))
    const names = ({ operationId, method, path }: { operationId: unknown; method: string; path: string }) =>
      `${operationId} ${method} ${path}`
    assert.deepEqual(
      described
        .map(({ method, path, operation }) => names({ operationId: operation['operationId'], method, path }))
        .sort(),
      routes.map(names).sort(),
    )
    assert.deepEqual(routes.map((route) => route.operationId).sort(), [
      'createItem',
      'deleteItem',
      'getStats',
      'listItems',
      'listUsers',
    ])
  })

  test('gives every operation a summary, a description and an answer', () => {
    for (const { operation } of operationsOf(openapiDocument({ origin: 'http://127.0.0.1:1', mode: 'none' }))) {
      assert.ok(operation['summary'] && operation['description'] && operation['responses'], JSON.stringify(operation))
    }
  })

  for (const mode of modes) {
    test(`is the same in JSON and YAML, names its own origin and needs no credential in mode ${mode}`, async () => {
      await using api = await startTestApi({ mode })
      const json = await (await fetch(`${api.url}/openapi.json`)).json()
      assert.deepEqual(parse(await (await fetch(`${api.url}/openapi.yaml`)).text()), json)
      assert.deepEqual(json, openapiDocument({ origin: api.origin, mode }))
      assert.equal(openapiDocument({ origin: api.origin, mode }).servers[0]?.url, api.origin)
      assert.deepEqual(
        Object.keys(Object(Object(json).components).securitySchemes ?? {}),
        mode === 'none' ? [] : [mode],
      )
    })
  }

  test('promises the answers that its operations give', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const document = openapiDocument({ origin: api.origin, mode: 'none' })
    const ajv = new Ajv2020({ strict: false })
    formats.default(ajv)
    ajv.addSchema(JSON.parse(JSON.stringify(document)), 'document')
    const sent: Record<string, { path: string; body?: string; promised: string }> = {
      listItems: { path: '/api/items?search=pen', promised: 'ItemList' },
      createItem: { path: '/api/items', body: '{"name":"Ruler","price":2}', promised: 'Item' },
      listUsers: { path: '/api/users', promised: 'UserList' },
      getStats: { path: '/api/stats', promised: 'Stats' },
      deleteItem: { path: '/api/items/1', promised: 'Deleted' },
    }
    for (const { method, operation } of operationsOf(document)) {
      const { path = '', body, promised = '' } = sent[String(operation['operationId'])] ?? {}
      const response = await fetch(api.url + path, { method, ...(body && { body }) })
      assert.ok(response.ok, path)
      assert.ok(Object.keys(Object(operation['responses'])).includes(String(response.status)), path)
      const answer = await response.json()
      assert.ok(ajv.validate(`document#/components/schemas/${promised}`, answer), `${path} ${ajv.errorsText()}`)
    }
    const refused = await (await fetch(`${api.url}/api/items/99`, { method: 'DELETE' })).json()
    assert.ok(ajv.validate('document#/components/schemas/Error', refused))
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isRecord } from '../mcp/json-rpc.ts'
import {
  changeWorkspaceBody,
  createWorkspaceBody,
  importAnswer,
  importBody,
  logsAnswer,
  logsQuery,
  switchToolsBody,
  toolsAnswer,
  workspaceAnswer,
} from './contract.ts'
import { describeApi, withDescription } from './openapi.ts'
import { openRoute, route } from './routes.ts'

const handle = async () => undefined
const one = { path: '/api/workspaces/{id}', handle } as const
const routes = [
  route({
    method: 'GET',
    path: '/api/workspaces',
    summary: 'List',
    needs: 'read',
    status: 200,
    answer: workspaceAnswer.array(),
    handle,
  }),
  route({
    method: 'POST',
    path: '/api/workspaces',
    summary: 'Make',
    needs: 'read',
    status: 201,
    body: createWorkspaceBody,
    answer: workspaceAnswer,
    handle,
  }),
  route({ ...one, method: 'PATCH', summary: 'Change', needs: 'read', status: 200, body: changeWorkspaceBody, handle }),
  route({ ...one, method: 'DELETE', summary: 'Delete', needs: 'read', status: 204, handle }),
  route({
    method: 'POST',
    path: '/api/workspaces/{id}/import',
    summary: 'Import',
    needs: 'read',
    status: 200,
    body: importBody,
    answer: importAnswer,
    handle,
  }),
  route({
    method: 'PATCH',
    path: '/api/workspaces/{id}/tools',
    summary: 'Switch',
    needs: 'read',
    status: 200,
    body: switchToolsBody,
    answer: toolsAnswer,
    handle,
  }),
  route({
    method: 'GET',
    path: '/api/logs',
    summary: 'Logs',
    needs: 'read',
    status: 200,
    query: logsQuery,
    answer: logsAnswer,
    handle,
  }),
  openRoute({ method: 'GET', path: '/api/openapi.json', summary: 'This', needs: 'nobody', status: 200, handle }),
]
const description: unknown = JSON.parse(JSON.stringify(describeApi(routes, '1.2.3')))

function at(...path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), description)
}

function* everyRecord(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (isRecord(value)) yield value
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) yield* everyRecord(part)
}

suite('the description of /api', () => {
  test('is OpenAPI 3.1 with every route, each by a name of its own', () => {
    assert.deepEqual([at('openapi'), at('info', 'version')], ['3.1.0', '1.2.3'])
    const ids: unknown[] = []
    for (const { method, path } of routes) ids.push(at('paths', path, method.toLowerCase(), 'operationId'))
    assert.equal(new Set(ids).size, routes.length)
    for (const id of ids) assert.match(String(id), /^[a-z][A-Za-z]+$/)
  })

  test('refers to nothing that is not in it', () => {
    let count = 0
    for (const { $ref } of everyRecord(description)) {
      if (typeof $ref !== 'string') continue
      count += 1
      assert.match($ref, /^#\//)
      assert.ok(isRecord(at(...$ref.slice(2).split('/'))), `${$ref} leads nowhere`)
    }
    assert.ok(count > 0)
  })

  test('has each schema once, among the components', () => {
    assert.ok(isRecord(at('components', 'schemas', 'Workspace', 'properties', 'slug')))
    assert.ok(isRecord(at('components', 'schemas', 'NewWorkspace', 'properties', 'source')))
    for (const record of everyRecord(at('paths'))) assert.equal('$defs' in record, false)
  })

  test('asks for a credential everywhere but where it is open, and says which role it takes', () => {
    assert.deepEqual(at('security'), [{ admin: [] }, { person: [] }])
    assert.deepEqual(at('paths', '/api/openapi.json', 'get', 'security'), [])
    assert.equal(at('paths', '/api/logs', 'get', 'security'), undefined)
    assert.equal(at('paths', '/api/logs', 'get', 'x-gatehouse-needs'), 'read')
  })

  test('names the parameters of path and query', () => {
    const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
    const [first, account] = [at('paths', '/api/workspaces/{id}', 'patch', 'parameters')].flat()
    assert.deepEqual(first, id)
    assert.ok(isRecord(account) && account['name'] === 'X-Gatehouse-Account' && account['in'] === 'header')
    const query = at('paths', '/api/logs', 'get', 'parameters')
    assert.ok(Array.isArray(query))
    assert.deepEqual(
      query.map((parameter) => [parameter.name, parameter.in]),
      [
        ...['workspace', 'kind', 'outcome', 'tool', 'requestId', 'before', 'after', 'limit'].map((name) => [
          name,
          'query',
        ]),
        ['X-Gatehouse-Account', 'header'],
      ],
    )
  })

  test('a body that may be left out is not required, another one is', () => {
    assert.equal(at('paths', '/api/workspaces/{id}/import', 'post', 'requestBody', 'required'), false)
    assert.equal(at('paths', '/api/workspaces', 'post', 'requestBody', 'required'), true)
  })

  test('every operation may fail with problem+json', () => {
    for (const { method, path } of routes) {
      const failed = at('paths', path, method.toLowerCase(), 'responses', 'default', 'content')
      assert.ok(isRecord(failed) && 'application/problem+json' in failed)
    }
  })

  test('is made once, however often a stranger asks for it: making it holds up every call (T29)', async () => {
    const own = withDescription(routes.slice(0, -1), '1.2.3').find(({ path }) => path === '/api/openapi.json')
    const nobody = { params: {}, query: undefined, body: undefined, caller: undefined, entered: undefined }
    const call = { ...nobody, by: { actor: 'anonymous' }, setHeader: () => {}, publicUrl: '' } as const
    const [first, second] = [await own?.handle(call), await own?.handle(call)]
    assert.ok(isRecord(first) && isRecord(first['paths']) && '/api/openapi.json' in first['paths'])
    assert.equal(second, first)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

/** A gateway with the test API or the faulty one behind it, all tools on. */
async function startWorkspace(
  api: { readonly origin: string },
  upstream: Readonly<Record<string, unknown>> = {},
  document?: string,
) {
  await using parts = new AsyncDisposableStack()
  const gateway = parts.use(await startGateway())
  const source = document === undefined ? { url: `${api.origin}/openapi.json` } : { document }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, upstream, tools: 'all' })
  const started = parts.move()
  return {
    ...{ gateway, client: mcpClient(endpoint), admin: adminClient(gateway) },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

test('the five tools of the test API work (E5)', async () => {
  await using api = await startTestApi({ mode: 'none' })
  await using workspace = await startWorkspace(api)
  const call = async (name: string, args: Readonly<Record<string, unknown>> = {}) => {
    const { isError, result } = await workspace.client.call(name, args)
    assert.equal(isError, false, result)
    const parsed: unknown = JSON.parse(result)
    return parsed
  }
  const item = z.object({ id: z.number(), name: z.string(), price: z.number() })
  const list = z.object({ items: z.array(item), total: z.number() })
  const created = item.parse(await call('createItem', { name: 'Ship in a bottle', description: 'Old', price: 12.5 }))
  assert.deepEqual([created.name, created.price], ['Ship in a bottle', 12.5])
  assert.deepEqual(
    list.parse(await call('listItems', { search: 'bottle' })).items.map(({ id }) => id),
    [created.id],
  )
  assert.equal(list.parse(await call('listItems', { limit: 2 })).items.length, 2)
  const { users } = z.object({ users: z.array(z.object({ username: z.string() })) }).parse(await call('listUsers'))
  assert.deepEqual(
    users.map(({ username }) => username),
    ['admin', 'alice'],
  )
  const stats = z.object({ items: z.number(), requestedBy: z.string() })
  assert.deepEqual(stats.parse(await call('getStats')), { items: 4, requestedBy: 'anonymous' })
  assert.deepEqual(await call('deleteItem', { id: created.id }), { deleted: true, id: created.id })
  assert.equal(stats.parse(await call('getStats')).items, 3)
})

test('a whole number beyond 2^53 reaches the API, and the record, as it was written', async () => {
  await using api = await startRecordingApi()
  const id = { type: 'integer', format: 'int64' }
  const properties = { owner: id, tags: { type: 'array', items: id }, any: {} }
  const content = { 'application/json': { schema: { type: 'object', properties } } }
  const parameters = [{ name: 'id', in: 'path', required: true, schema: id }]
  const document = JSON.stringify({
    ...{ openapi: '3.1.0', info: { title: 'Snowflakes', version: '1' }, servers: [{ url: api.url }] },
    paths: {
      '/items/{id}': {
        ...{ parameters, delete: { operationId: 'remove' } },
        put: { operationId: 'replace', requestBody: { required: true, content } },
      },
    },
  })
  await using workspace = await startWorkspace({ origin: api.url }, {}, document)
  const number = (digits: string) => JSON.rawJSON(digits)
  await workspace.client.call('remove', { id: number('9007199254740993') })
  const { requestId } = await workspace.client.call('replace', {
    ...{ id: 7, owner: number('-9007199254740993'), tags: [1, number('18446744073709551615')] },
    any: { a: number('9007199254740995') },
  })
  const body = '{"owner":-9007199254740993,"tags":[1,18446744073709551615],"any":{"a":9007199254740995}}'
  assert.deepEqual(
    api.seen.map(({ method, target, body }) => [method, target, body]),
    [
      ['DELETE', '/items/9007199254740993', ''],
      ['PUT', '/items/7', body],
    ],
  )
  const [line] = await workspace.admin.logs(`requestId=${requestId}`)
  assert.equal(line?.['arguments'], `{"id":7,${body.slice(1)}`)
  assert.equal((await workspace.client.call('remove', { id: number('1e999') })).result, '"id" must be integer.')
})

suite('a failure of the API', () => {
  test('404 is a tool error with status and body (E6)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using workspace = await startWorkspace(api)
    const { status, isError, result, requestId } = await workspace.client.call('deleteItem', { id: 999 })
    assert.deepEqual([status, isError], [200, true])
    assert.match(result, /^DELETE \/api\/items\/999 answered 404 Not Found: .*"ITEM_NOT_FOUND"/)
    const [line] = await workspace.admin.logs(`requestId=${requestId}`)
    assert.deepEqual([line?.outcome, line?.['upstreamStatus']], ['tool_error', 404])
  })

  const cases = [
    { tool: 'getBroken', says: /^GET \/broken answered 500 Internal Server Error: .*"BROKEN"/, upstream: 500 },
    { tool: 'getLimited', says: /^GET \/limited answered 429 Too Many Requests \(Retry-After: 7\)/, upstream: 429 },
    { tool: 'getRedirect', says: /^GET \/redirect answered 302 Found: redirects are not followed/, upstream: 302 },
    { tool: 'getDrop', says: /^The API could not be reached: the connection was dropped\.$/, upstream: undefined },
    { tool: 'getHalf', says: /^The API could not be reached: the connection was dropped\.$/, upstream: undefined },
  ] as const
  for (const { tool, says, upstream } of cases) {
    test(`${tool} is a tool error that says so (E6)`, async () => {
      await using api = await startFaultyApi()
      await using workspace = await startWorkspace(api)
      const { status, isError, result, requestId } = await workspace.client.call(tool)
      assert.deepEqual([status, isError], [200, true])
      assert.match(result, says)
      const [line] = await workspace.admin.logs(`requestId=${requestId}`)
      assert.deepEqual([line?.outcome, line?.['upstreamStatus']], ['tool_error', upstream])
      assert.equal(api.seen.filter(({ path }) => path !== '/openapi.json').length, 1, 'it is not repeated')
    })
  }

  test('no answer in time is a tool error, and the call is cut off (E6)', async () => {
    await using api = await startFaultyApi()
    await using workspace = await startWorkspace(api, { timeoutMs: 150 })
    const { isError, result } = await workspace.client.call('getSlow')
    assert.equal(isError, true)
    assert.equal(result, 'The API did not answer within 150 ms.')
    assert.equal(await (await api.arrival('/slow')).ended, 'cut')
  })

  test('an answer over the limit is a tool error, and the rest is not read (E6)', async () => {
    await using api = await startFaultyApi()
    await using workspace = await startWorkspace(api, { responseBytesMax: 50_000 })
    const { isError, result } = await workspace.client.call('getHuge')
    assert.equal(isError, true)
    assert.equal(result, 'The API answered with more than the limit of 50 KB.')
    assert.equal(await (await api.arrival('/huge')).ended, 'cut')
  })

  test('nobody listens is a tool error (E6)', async () => {
    const api = await startFaultyApi()
    await using workspace = await startWorkspace(api)
    await api.stop()
    const { isError, result } = await workspace.client.call('getBroken')
    assert.equal(isError, true)
    assert.equal(result, 'The API could not be reached: the connection was refused.')
  })

  test('leaves the next call alone (E6)', async () => {
    await using api = await startFaultyApi()
    await using workspace = await startWorkspace(api, { timeoutMs: 150 })
    for (const tool of ['getSlow', 'getDrop', 'getHalf', 'getBroken']) await workspace.client.call(tool)
    assert.equal((await workspace.client.call('getNotJson')).isError, false)
  })
})

suite('an answer', () => {
  const cases = [
    { tool: 'getEmpty', content: [{ type: 'text', text: '204 No Content' }] },
    { tool: 'getNotJson', content: [{ type: 'text', text: '{"items": [1, 2' }] },
    { tool: 'getHtml', content: [{ type: 'text', text: '<!doctype html><title>Sign in</title><p>Please sign in.' }] },
  ]
  for (const { tool, content } of cases) {
    test(`of ${tool} is no error and comes as it is (E6)`, async () => {
      await using api = await startFaultyApi()
      await using workspace = await startWorkspace(api)
      const { json } = await workspace.client.call(tool)
      assert.deepEqual(json, { jsonrpc: '2.0', id: 1, result: { content } })
    })
  }

  test('that is an image comes as one (E6)', async () => {
    await using api = await startFaultyApi()
    await using workspace = await startWorkspace(api)
    const { text } = await workspace.client.call('getImage')
    assert.match(text, /"content":\[\{"type":"image","data":"iVBORw0KGgo[^"]+","mimeType":"image\/png"\}\]/)
  })
})

test('the method is visible, and the annotations say what reads and what destroys (E7)', async () => {
  await using api = await startRecordingApi()
  const operation = (operationId: string) => ({ operationId, responses: {} })
  const thing = {
    get: operation('readThing'),
    post: operation('addThing'),
    put: operation('replaceThing'),
    patch: operation('changeThing'),
    delete: operation('removeThing'),
  }
  const document = {
    openapi: '3.1.0',
    info: { title: 'Methods', version: '1' },
    servers: [{ url: api.url }],
    paths: { '/thing': thing },
  }
  await using workspace = await startWorkspace({ origin: api.url }, {}, JSON.stringify(document))
  const hints = z.object({ readOnlyHint: z.boolean(), destructiveHint: z.boolean(), idempotentHint: z.boolean() })
  const listed = (await workspace.client.list()).map(({ name, description, annotations }) => {
    const { readOnlyHint, destructiveHint, idempotentHint } = hints.parse(annotations)
    return [name, description, readOnlyHint, destructiveHint, idempotentHint]
  })
  assert.deepEqual(listed.sort(), [
    ['addThing', '(POST /thing)', false, false, false],
    ['changeThing', '(PATCH /thing)', false, true, false],
    ['readThing', '(GET /thing)', true, false, true],
    ['removeThing', '(DELETE /thing)', false, true, true],
    ['replaceThing', '(PUT /thing)', false, true, true],
  ])
  const shown = z.object({ tools: z.array(z.object({ name: z.string(), method: z.string() })) })
  const { tools } = shown.parse((await workspace.admin.send('GET', '/api/workspaces/shop/tools')).json)
  assert.deepEqual(Object.fromEntries(tools.map(({ name, method }) => [name, method])), {
    readThing: 'GET',
    addThing: 'POST',
    replaceThing: 'PUT',
    changeThing: 'PATCH',
    removeThing: 'DELETE',
  })
})

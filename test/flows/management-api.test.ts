import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { openapiDocument } from '../../src/test-api/document.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { parseDocument } from '../../src/tools/document.ts'
import { importOpenApi } from '../../src/tools/from-openapi.ts'
import { adminOf, at, callTool, rpc, send, textAt, toolNames } from './http.ts'

const TOOLS = ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers']
const admin = (gateway: TestGateway) => adminOf(gateway.url, gateway.adminKey)

suite('the management API', () => {
  test('makes a workspace from an API behind a login, and lists, shows, changes and deletes it', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    await using gateway = await startGateway()
    const callers = testCallers()
    const call = admin(gateway)

    const made = await call('POST', '/api/workspaces', {
      name: 'Shop',
      source: { url: `${api.origin}/openapi.json` },
      auth: callers.auth,
      upstream: { auth: { type: 'bearer' } },
      params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
      tools: 'all',
    })
    assert.equal(made.status, 201)
    const endpoint = textAt(made.body, 'url')
    const path = `/api/workspaces/${textAt(made.body, 'id')}`
    const token = await callers.token()
    assert.match((await callTool(endpoint, 'getStats', { token })).text, /"requestedBy":"admin"/)

    assert.deepEqual((await call('GET', '/api/workspaces')).body, [made.body])
    for (const reference of [path, '/api/workspaces/shop', `/api/workspaces${new URL(endpoint).pathname}`]) {
      assert.deepEqual((await call('GET', reference)).body, made.body)
    }

    const changed = await call('PATCH', path, { name: 'Other', params: { username: 'alice', password: 'alice123' } })
    assert.equal(changed.status, 200)
    assert.equal(textAt(changed.body, 'name'), 'Other')
    assert.equal(textAt(changed.body, 'url'), endpoint)
    assert.match((await callTool(endpoint, 'getStats', { token })).text, /"requestedBy":"alice"/)

    const deleted = await call('DELETE', path)
    assert.deepEqual({ status: deleted.status, text: deleted.text }, { status: 204, text: '' })
    assert.equal((await call('GET', path)).status, 404)
    assert.equal((await rpc(endpoint, 'tools/list', { token })).status, 404)
  })

  test('never gives a secret back', async () => {
    await using gateway = await startGateway()
    const call = admin(gateway)
    const secret = (name: string) => `the-secret-value-of-${name}-${'x'.repeat(20)}`
    const settings = {
      name: 'Shop',
      auth: { authType: 'jwt', jwt: { secret: secret('jwt') } },
      upstream: { auth: { type: 'bearer', token: secret('token') }, headers: { 'X-Key': secret('header') } },
      params: { password: secret('password') },
    }
    const made = await call('POST', '/api/workspaces', settings)
    const others = [
      { type: 'apiKey', value: secret('key') },
      { type: 'basic', username: secret('username'), password: secret('basic') },
      { type: 'bearer', login: { body: { password: secret('body') }, headers: { 'X-Login': secret('login') } } },
    ]
    const answers = [made, await call('GET', '/api/workspaces'), await call('GET', '/api/workspaces/shop')]
    for (const auth of others) answers.push(await call('PATCH', '/api/workspaces/shop', { upstream: { auth } }))
    // What is refused is not repeated either.
    answers.push(await call('POST', '/api/workspaces', { ...settings, name: 7 }))
    answers.push(await call('PATCH', '/api/workspaces/shop', { params: { 'not a name': secret('refused') } }))
    for (const { text } of answers) assert.doesNotMatch(text, /the-secret-value/)
    assert.doesNotMatch(gateway.log.join(''), /the-secret-value/)
    assert.deepEqual(at(made.body, 'params', 'password'), { saved: true })
    assert.deepEqual(at(made.body, 'auth', 'jwt', 0, 'secret'), { saved: true })
    assert.deepEqual(at(made.body, 'upstream', 'auth', 'token'), { saved: true })
  })

  test('keeps every upstream setting that a change does not mention', async () => {
    await using gateway = await startGateway()
    const call = admin(gateway)
    const upstream = { auth: { type: 'apiKey', value: 'k' }, baseUrl: 'https://a.example', timeoutMs: 5000 }
    await call('POST', '/api/workspaces', { name: 'Shop', upstream })
    const changed = await call('PATCH', '/api/workspaces/shop', { upstream: { baseUrl: 'https://b.example' } })
    assert.equal(at(changed.body, 'upstream', 'baseUrl'), 'https://b.example')
    assert.equal(at(changed.body, 'upstream', 'timeoutMs'), 5000)
    assert.deepEqual(at(changed.body, 'upstream', 'auth'), {
      type: 'apiKey',
      header: 'X-Api-Key',
      value: { saved: true },
    })
    const cleared = await call('PATCH', '/api/workspaces/shop', { upstream: { baseUrl: null } })
    assert.equal(at(cleared.body, 'upstream', 'baseUrl'), undefined)
  })

  test('switches tools, and a tool that is off is neither listed nor called', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using gateway = await startGateway()
    const call = admin(gateway)
    const source = { url: `${api.origin}/openapi.json` }
    const endpoint = textAt((await call('POST', '/api/workspaces', { name: 'Shop', source })).body, 'url')
    // Writes are off until somebody switches them on.
    assert.deepEqual([...(await toolNames(endpoint))].sort(), ['getStats', 'listItems', 'listUsers'])
    await call('PATCH', '/api/workspaces/shop/tools', { createItem: true, getStats: false })
    assert.deepEqual([...(await toolNames(endpoint))].sort(), ['createItem', 'listItems', 'listUsers'])
    const refused = await rpc(endpoint, 'tools/call', { params: { name: 'getStats' } })
    assert.equal(at(refused.body, 'error', 'code'), -32602)
    assert.equal(api.counts.calls, 0)
    const unknown = await call('PATCH', '/api/workspaces/shop/tools', { createItem: false, nothing: true })
    assert.equal(unknown.status, 400)
    assert.ok((await toolNames(endpoint)).includes('createItem'))
  })

  test('switches what two requests ask for at once, and no tool that nobody names, whatever it is called', async () => {
    await using gateway = await startGateway()
    const call = admin(gateway)
    const operation = (operationId: string) => ({ operationId, responses: {} })
    const paths = {
      '/a': { get: operation('one') },
      '/b': { get: operation('other') },
      // Every object has these: a write that is off must not seem to be switched on.
      '/c': { post: operation('constructor'), put: operation('valueOf'), get: operation('toString') },
    }
    const document = JSON.stringify({ openapi: '3.1.0', info: { title: 'Odd', version: '1' }, paths })
    await call('POST', '/api/workspaces', { name: 'Shop', source: { document } })
    const path = '/api/workspaces/shop/tools'
    const isOn = async () => {
      const tools = [at((await call('GET', path)).body, 'tools')].flat()
      return tools.filter((tool) => at(tool, 'enabled')).map((tool) => at(tool, 'name'))
    }
    assert.deepEqual(await isOn(), ['one', 'other', 'toString'])
    await call('PATCH', path, { toString: false })
    const answers = await Promise.all([call('PATCH', path, { one: false }), call('PATCH', path, { other: false })])
    assert.deepEqual([answers.map(({ status }) => status), await isOn()], [[200, 200], []])
    await call('PATCH', path, { valueOf: true })
    assert.deepEqual(await isOn(), ['valueOf'])
  })

  test('imports again with the differences, and keeps what was switched', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using gateway = await startGateway()
    const call = admin(gateway)
    await call('POST', '/api/workspaces', { name: 'Shop' })
    const first = await call('POST', '/api/workspaces/shop/import', { url: `${api.origin}/openapi.json` })
    assert.equal(first.status, 200)
    assert.deepEqual([...z.array(z.string()).parse(at(first.body, 'added'))].sort(), TOOLS)
    await call('PATCH', '/api/workspaces/shop/tools', { deleteItem: true, listItems: false })

    const { paths, ...rest } = openapiDocument({ origin: api.origin, mode: 'none' })
    const { '/api/users': _removed, ...kept } = paths
    const added = { '/health': { get: { operationId: 'getHealth', responses: {} } } }
    const document = JSON.stringify({ ...rest, paths: { ...kept, ...added } })
    const second = await call('POST', '/api/workspaces/shop/import', { document })
    assert.deepEqual(at(second.body, 'added'), ['getHealth'])
    assert.deepEqual(at(second.body, 'removed'), ['listUsers'])
    assert.deepEqual(at(second.body, 'changed'), [])
    const endpoint = textAt(second.body, 'workspace', 'url')
    assert.deepEqual([...(await toolNames(endpoint))].sort(), ['deleteItem', 'getStats'])

    const broken = await call('POST', '/api/workspaces/shop/import', { document: 'not: openapi' })
    assert.deepEqual([broken.status, at(broken.body, 'code')], [422, 'document_invalid'])
    const noUrl = await call('POST', '/api/workspaces/shop/import')
    assert.deepEqual([noUrl.status, at(noUrl.body, 'code')], [400, 'invalid_request'])
    assert.deepEqual([...(await toolNames(endpoint))].sort(), ['deleteItem', 'getStats'])
  })

  test('answers what it refuses as application/problem+json', async () => {
    await using gateway = await startGateway()
    const call = admin(gateway)
    await call('POST', '/api/workspaces', { name: 'Shop' })
    const authorization = `Bearer ${gateway.adminKey}`
    const raw = (body: string, type: string) =>
      send('POST', `${gateway.url}/api/workspaces`, { body, headers: { authorization, 'content-type': type } })
    const cases = [
      { answer: await call('GET', '/api/workspaces/nothing'), status: 404, code: 'not_found' },
      { answer: await call('GET', '/api/nothing'), status: 404, code: 'not_found' },
      { answer: await call('DELETE', '/api/workspaces'), status: 405, code: 'method_not_allowed' },
      { answer: await call('POST', '/api/workspaces', { name: 'x', slug: 'shop' }), status: 409, code: 'conflict' },
      { answer: await call('POST', '/api/workspaces', { name: '' }), status: 400, code: 'invalid_request' },
      { answer: await call('POST', '/api/workspaces', { name: 'x', extra: 1 }), status: 400, code: 'invalid_request' },
      { answer: await call('GET', '/api/logs?limit=0'), status: 400, code: 'invalid_request' },
      { answer: await raw('{', 'application/json'), status: 400, code: 'parse_error' },
      { answer: await raw('{}', 'text/plain'), status: 415, code: 'unsupported_media_type' },
      { answer: await raw('x'.repeat(4_000_001), 'application/json'), status: 413, code: 'payload_too_large' },
    ]
    for (const { answer, status, code } of cases) {
      assert.deepEqual([answer.status, at(answer.body, 'status'), at(answer.body, 'code')], [status, status, code])
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.ok(textAt(answer.body, 'detail').length > 10)
    }
    assert.equal(cases[2]?.answer.headers.get('allow'), 'GET, POST')
  })

  test('lets nobody in without the admin key, and does not tell what exists', async () => {
    await using gateway = await startGateway()
    const callers = testCallers()
    await admin(gateway)('POST', '/api/workspaces', { name: 'Shop', auth: callers.auth })
    const token = await callers.token()
    for (const path of [
      '/api/workspaces',
      '/api/workspaces/shop',
      '/api/workspaces/none',
      '/api/logs',
      '/api/x',
      '/api',
    ]) {
      for (const authorization of [undefined, 'Bearer wrong', `Bearer ${token}`, `Basic ${gateway.adminKey}`]) {
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
        const { status, body, headers: answered } = await send('GET', `${gateway.url}${path}`, { headers })
        assert.equal(status, 401, `${path} ${authorization}`)
        assert.equal(answered.get('www-authenticate'), 'Bearer')
        assert.match(textAt(body, 'code'), /^(missing|invalid)_token$/)
      }
    }
    const asQuery = await send('GET', `${gateway.url}/api/workspaces?access_token=${gateway.adminKey}`)
    assert.equal(asQuery.status, 401)
  })
})

const description = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(
    z.string().startsWith('/api/'),
    z.partialRecord(
      z.enum(['get', 'post', 'patch', 'delete']),
      z.object({
        operationId: z.string(),
        summary: z.string(),
        parameters: z.array(z.looseObject({ name: z.string(), in: z.enum(['path', 'query', 'header']) })),
        responses: z.looseObject({ default: z.looseObject({ description: z.string() }) }),
      }),
    ),
  ),
  components: z.object({ schemas: z.looseObject({ Workspace: z.looseObject({}) }) }),
})

suite('/api/openapi.json', () => {
  test('is open to everybody and describes routes that all answer, and no other', async () => {
    await using gateway = await startGateway()
    const call = admin(gateway)
    const { status, body } = await send('GET', `${gateway.url}/api/openapi.json`)
    assert.equal(status, 200)
    const operations = Object.entries(at(body, 'paths') ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
    )
    assert.ok(operations.length >= 10)
    const make = async (path: string, body: unknown) => textAt((await call('POST', path, body)).body, 'id')
    await gateway.running.gateway.firstRun.announce(() => {})
    assert.equal((await call('POST', '/api/first-run/code')).status, 204)
    const ada = { email: 'ada@example.com', name: 'Ada', role: 'owner', password: 'correct horse battery' }
    const ids = new Map([
      ['/api/people', await make('/api/people', ada)],
      ['/api/workspaces', await make('/api/workspaces', { name: 'Shop' })],
      ['/api/tokens', await make('/api/tokens', { description: 'x' })],
      ['/api/keys', await make('/api/keys', { name: 'x' })],
      ['/api/sessions', await make('/api/sessions', { subject: 'x', workspaces: ['shop'] })],
    ])
    for (const { path, method } of operations.filter((one) => one.method !== 'DELETE')) {
      if (path === '/api/first-run/code') continue
      const id = ids.get(path.split('/', 3).join('/')) ?? ''
      const answer = await call(
        method,
        path.replace(/\{(?:id|person)\}/, id).replace('{account}', 'default'),
        method === 'GET' ? undefined : {},
      )
      assert.ok([200, 201, 400].includes(answer.status), `${method} ${path} answered ${answer.status}`)
    }
    assert.equal((await call('DELETE', `/api/workspaces/${ids.get('/api/workspaces')}`)).status, 204)
  })

  test('is a description that our own import makes tools of, and those tools work', async () => {
    await using gateway = await startGateway()
    const { text, body } = await send('GET', `${gateway.url}/api/openapi.json`)
    const imported = importOpenApi(parseDocument(text), { baseUrl: gateway.url })
    assert.deepEqual(imported.setAside, [])
    assert.equal(new Set(imported.tools.map(({ name }) => name)).size, imported.tools.length)
    description.parse(body)

    // Gatehouse behind Gatehouse: its own management API as a workspace.
    const { endpoint } = await gateway.makeWorkspace({
      name: 'Myself',
      source: { document: text },
      upstream: { baseUrl: gateway.url, auth: { type: 'bearer', token: gateway.adminKey } },
      tools: 'all',
    })
    const made = await callTool(endpoint, 'postWorkspaces', { args: { name: 'Made by a tool' } })
    assert.equal(made.isError, false, made.text)
    assert.equal(textAt(JSON.parse(made.text), 'slug'), 'made-by-a-tool')
    const shown = await callTool(endpoint, 'getWorkspacesId', { args: { id: 'made-by-a-tool' } })
    assert.equal(textAt(JSON.parse(shown.text), 'name'), 'Made by a tool')
  })
})

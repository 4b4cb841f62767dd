import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { mcpClient } from '../../src/testing/clients.ts'
import { type NamedToolsServer, startNamedToolsServer } from '../../src/testing/named-tools-server.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { startProtected } from '../../src/testing/start-protected.ts'
import { type Answered, adminOf, at, send, textAt } from './http.ts'

const callers = testCallers({ requiredScopes: ['mcp'] })
const TOOLS = ['deleteUser', 'greeting', 'listUsers', 'pay']
let api: RecordingApi
let server: NamedToolsServer
let gateway: TestGateway

before(async () => {
  api = await startRecordingApi()
  server = await startNamedToolsServer(TOOLS)
  gateway = await startGateway()
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

/** An API with these four tools. `pay` takes an amount. */
function documentOf(url: string): string {
  const amount = { type: 'number' }
  const schema = { type: 'object', properties: { amount } }
  const requestBody = { content: { 'application/json': { schema } } }
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Users', version: '1' },
    servers: [{ url }],
    paths: {
      '/greeting': { get: { operationId: 'greeting', 'x-public': true, tags: ['open'] } },
      '/users': { get: { operationId: 'listUsers', tags: ['users', 'open'] } },
      '/users/1': { delete: { operationId: 'deleteUser', tags: ['users'] } },
      '/pay': { post: { operationId: 'pay', requestBody } },
    },
  })
}

type Access = Readonly<Record<string, unknown>>

/** One endpoint with the four tools, and how often one of them has run. */
interface Place extends AsyncDisposable {
  readonly endpoint: string
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  ran(): number
}

const PLACES: readonly { readonly name: string; readonly open: (access: Access) => Promise<Place> }[] = [
  { name: 'of an API', open: openApi },
  { name: 'of an MCP server that is passed through', open: openServer },
]

async function openApi(access: Access): Promise<Place> {
  const source = { document: documentOf(api.url) }
  const settings = { name: 'users', source, auth: callers.auth, tools: 'all', access }
  const { endpoint, workspace } = await gateway.makeWorkspace(settings)
  return {
    endpoint,
    token: (claims) => callers.token(claims),
    ran: () => api.seen.length,
    [Symbol.asyncDispose]: () => gateway.running.gateway.manager.delete(workspace.id),
  }
}

async function openServer(access: Access): Promise<Place> {
  const running = await startProtected(server.url, { access, flags: { requiredScopes: ['mcp'] } })
  return {
    endpoint: running.endpoint,
    token: (claims) => running.callers.token(claims),
    ran: () => server.ran.length,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

const ERAS = ['2025-11-25', '2026-07-28'] as const

function ask(
  endpoint: string,
  method: string,
  { era, token, params = {} }: { era: (typeof ERAS)[number]; token?: string | undefined; params?: object },
): Promise<Answered> {
  const isModern = era === '2026-07-28'
  const name: unknown = Reflect.get(params, 'name')
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': era,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1' },
  }
  return send('POST', endpoint, {
    headers: {
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(isModern ? { 'mcp-protocol-version': era, 'mcp-method': method } : {}),
      ...(isModern && typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    body: { jsonrpc: '2.0', id: 1, method, params: isModern ? { ...params, _meta } : params },
  })
}

/** The names that are listed, or the status of the refusal. */
async function listed(place: Place, era: (typeof ERAS)[number], token?: string): Promise<readonly string[] | number> {
  const answer = await ask(place.endpoint, 'tools/list', { era, token })
  const tools = at(answer.body, 'result', 'tools')
  if (answer.status !== 200 || !Array.isArray(tools)) return answer.status
  return tools.map((tool: unknown) => textAt(tool, 'name')).sort()
}

/** The status of a call; it must have run where that is 200, and only there. */
async function called(
  place: Place,
  era: (typeof ERAS)[number],
  name: string,
  { token, args = {} }: { token?: string | undefined; args?: object } = {},
): Promise<Answered> {
  const before = place.ran()
  const answer = await ask(place.endpoint, 'tools/call', { era, token, params: { name, arguments: args } })
  const hasRun = answer.status === 200 && at(answer.body, 'error') === undefined
  assert.equal(place.ran() - before, hasRun ? 1 : 0, `${name}: ${answer.text}`)
  return answer
}

function assertChallenge(answer: Answered, place: Place): void {
  const metadata = `${new URL(place.endpoint).origin}/.well-known/oauth-protected-resource${new URL(place.endpoint).pathname}`
  assert.equal(answer.status, 401, answer.text)
  assert.equal(answer.headers.get('www-authenticate'), `Bearer resource_metadata="${metadata}"`)
}

for (const { name: kind, open } of PLACES) {
  suite(`tools ${kind}:`, () => {
    const enforcement = [
      { list: true, call: true, sees: 401, calls: 401 },
      { list: false, call: true, sees: TOOLS, calls: 401 },
      { list: true, call: false, sees: 401, calls: 200 },
      { list: false, call: false, sees: TOOLS, calls: 200 },
    ]
    for (const { list, call, sees, calls } of enforcement) {
      test(`a stranger, requireAuthForToolsList ${list}, requireAuthForToolsCall ${call} (G1)`, async () => {
        await using place = await open({ requireAuthForToolsList: list, requireAuthForToolsCall: call })
        const token = await place.token({ scope: 'mcp' })
        for (const era of ERAS) {
          assert.deepEqual(await listed(place, era), sees)
          const answer = await called(place, era, 'greeting')
          assert.equal(answer.status, calls)
          if (calls === 401) assertChallenge(answer, place)
          assert.deepEqual(await listed(place, era, token), TOOLS)
          assert.equal((await called(place, era, 'greeting', { token })).status, 200)
        }
      })
    }

    test('a public tool is open beside protected ones, each with the right challenge (G2)', async () => {
      await using place = await open({ publicTools: ['greeting'] })
      const poor = await place.token({ scope: 'other' })
      for (const era of ERAS) {
        assert.deepEqual(await listed(place, era), ['greeting'])
        assert.equal((await called(place, era, 'greeting')).status, 200)
        for (const name of ['listUsers', 'deleteUser', 'nothing', 'GREETING']) {
          assertChallenge(await called(place, era, name), place)
        }
        assert.equal((await called(place, era, 'greeting', { token: poor })).status, 200)
        assert.equal((await called(place, era, 'listUsers', { token: poor })).status, 403)
        assert.equal((await called(place, era, 'greeting', { token: 'x.y.z' })).status, 401)
        for (const method of ['resources/list', 'prompts/list', 'logging/setLevel']) {
          assertChallenge(await ask(place.endpoint, method, { era }), place)
        }
      }
    })

    test('a call without a scope is told every scope it needs; with it the tool is listed and runs (G4, G5)', async () => {
      const toolScopes = { pay: ['pay', 'write'], listUsers: { allOf: ['read'], anyOf: ['staff', 'audit'] } }
      await using place = await open({ toolScopes, adminTools: ['deleteUser'] })
      const token = await place.token({ scope: 'mcp read' })
      const full = await place.token({ scope: 'mcp read audit', scopes: ['pay', 'write'], scp: 'admin' })
      const needed = [
        { name: 'pay', scope: 'mcp pay write' },
        { name: 'listUsers', scope: 'mcp read staff' },
        { name: 'deleteUser', scope: 'mcp admin' },
        { name: 'DeleteUser', scope: 'mcp admin' },
      ]
      for (const era of ERAS) {
        assert.deepEqual(await listed(place, era, token), ['greeting'])
        assert.deepEqual(await listed(place, era, full), TOOLS)
        for (const { name, scope } of needed) {
          const answer = await called(place, era, name, { token })
          assert.equal(answer.status, 403)
          const challenge = answer.headers.get('www-authenticate') ?? ''
          assert.match(challenge, /^Bearer error="insufficient_scope", .*resource_metadata="/)
          assert.ok(challenge.includes(`scope="${scope}"`), challenge)
          assert.equal(at(answer.body, 'scope'), scope)
        }
        for (const name of TOOLS) assert.equal((await called(place, era, name, { token: full })).status, 200, name)
      }
    })

    test('a rule on claims denies, and says nothing of itself (G7)', async () => {
      const when = 'caller.claims.tier == "gold"'
      await using place = await open({ rules: [{ effect: 'allow', tools: ['list*', 'pay'], when }] })
      const gold = await place.token({ scope: 'mcp', tier: 'gold' })
      for (const claims of [{ tier: 'tin' }, {}, { tier: ['gold'] }, { tier: { gold: true } }]) {
        const token = await place.token({ scope: 'mcp', ...claims })
        for (const era of ERAS) {
          assert.deepEqual(await listed(place, era, token), ['deleteUser', 'greeting'])
          const answer = await called(place, era, 'listUsers', { token })
          assert.equal(answer.status, 403)
          // No other token of his would help, so none is asked for.
          assert.equal(answer.headers.get('www-authenticate'), null)
          assert.equal(at(answer.body, 'id'), 1)
          assert.deepEqual(at(answer.body, 'error'), {
            code: -32000,
            message: 'You are not allowed to call this tool.',
          })
        }
      }
      for (const era of ERAS) {
        assert.deepEqual(await listed(place, era, gold), TOOLS)
        assert.equal((await called(place, era, 'listUsers', { token: gold })).status, 200)
      }
    })

    test('a rule on arguments decides each call (G7)', async () => {
      const when = 'args.amount > caller.claims.limit'
      await using place = await open({ rules: [{ effect: 'deny', tools: ['pay'], when }] })
      const token = await place.token({ scope: 'mcp', limit: 100 })
      const cases = [
        { args: { amount: 100 }, status: 200 },
        { args: { amount: 101 }, status: 403 },
        { args: { amount: '1' }, status: 403 },
        { args: {}, status: 403 },
        { args: [100], status: 403 },
      ]
      for (const era of ERAS) {
        assert.deepEqual(await listed(place, era, token), TOOLS)
        for (const { args, status } of cases) {
          assert.equal((await called(place, era, 'pay', { token, args })).status, status, JSON.stringify(args))
        }
      }
    })
  })
}

test('a rule on an argument is not gone round by a member of another one (G7)', async () => {
  const parameters = [
    { name: 'tenant', in: 'query', schema: { type: 'string' } },
    { name: 'filter', in: 'query', schema: { type: 'object', additionalProperties: { type: 'string' } } },
  ]
  const document = JSON.stringify({
    ...{ openapi: '3.1.0', info: { title: 'Items', version: '1' }, servers: [{ url: api.url }] },
    paths: { '/items': { get: { operationId: 'listItems', parameters } } },
  })
  const access = { rules: [{ effect: 'allow', when: 'args.tenant == "a"' }] }
  const settings = { name: 'items', source: { document }, auth: callers.auth, access }
  const { endpoint } = await gateway.makeWorkspace(settings)
  const client = mcpClient(endpoint, { authorization: `Bearer ${await callers.token({ scope: 'mcp' })}` })
  const before = api.seen.length
  assert.equal((await client.call('listItems', { tenant: 'b' })).status, 403)
  assert.match(
    (await client.call('listItems', { tenant: 'a', filter: { tenant: 'b' } })).result,
    /like another parameter/,
  )
  assert.equal(api.seen.length, before)
  assert.equal((await client.call('listItems', { tenant: 'a', filter: { name: 'b' } })).isError, false)
  assert.equal(api.seen.at(-1)?.target, '/items?tenant=a&name=b')
})

suite('what an API description says can make a tool public (G3):', () => {
  const cases: readonly { readonly name: string; readonly access: Access; readonly open?: readonly string[] }[] = [
    { name: 'x-public, with publicTools default', access: { publicTools: 'default' }, open: ['greeting'] },
    {
      name: 'a tag that is a public category',
      access: { publicCategories: ['open'] },
      open: ['greeting', 'listUsers'],
    },
    {
      name: 'not where denyPublicTools says no',
      access: { publicCategories: ['open'], denyPublicTools: ['greeting'] },
      open: ['listUsers'],
    },
    {
      name: 'not outside the whitelisted namespaces',
      access: { publicCategories: ['open'], namespaceWhitelist: ['users'] },
      open: [],
    },
    { name: 'not by itself', access: {} },
  ]
  for (const { name, access, open } of cases) {
    test(name, async () => {
      await using place = await openApi(access)
      for (const era of ERAS) {
        assert.deepEqual(await listed(place, era), open ?? 401)
        for (const tool of TOOLS) {
          assert.equal((await called(place, era, tool)).status, open?.includes(tool) === true ? 200 : 401, tool)
        }
      }
    })
  }
})

suite('permissions in /api', () => {
  test('are shown, changed one by one and stay after a restart', async () => {
    const own = await startGateway()
    await using _own = own
    const manage = adminOf(own.url, own.adminKey)
    const made = await manage('POST', '/api/workspaces', {
      name: 'shop',
      source: { document: documentOf(api.url) },
      auth: callers.auth,
      tools: 'all',
      access: { publicTools: ['greeting'], toolScopes: { pay: ['pay'] } },
    })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(at(made.body, 'access', 'toolScopes'), { pay: { allOf: ['pay'], anyOf: [] } })
    const changed = await manage('PATCH', '/api/workspaces/shop', { access: { publicTools: [] } })
    assert.deepEqual(at(changed.body, 'access', 'publicTools'), [])
    await own.restart()
    const shown = await manage('GET', '/api/workspaces/shop')
    assert.deepEqual(at(shown.body, 'access', 'publicTools'), [])
    assert.deepEqual(at(shown.body, 'access', 'toolScopes'), { pay: { allOf: ['pay'], anyOf: [] } })
    const endpoint = textAt(shown.body, 'url')
    assert.equal((await ask(endpoint, 'tools/list', { era: '2025-11-25' })).status, 401)
  })

  test('that cannot work are refused in words, and nothing is altered (G7)', async () => {
    const { workspace, endpoint } = await gateway.makeWorkspace({
      name: 'kept',
      source: { document: documentOf(api.url) },
      auth: callers.auth,
      access: { publicTools: ['greeting'] },
    })
    const manage = adminOf(gateway.url, gateway.adminKey)
    const cases = [
      {
        access: { rules: [{ effect: 'deny', when: 'caller.nam == "x"' }] },
        says: /access\.rules\.0\.when: No such key/,
      },
      { access: { rules: [{ effect: 'deny', when: 'args.x.matches("a")' }] }, says: /no function matches/ },
      { access: { rules: [{ effect: 'maybe', when: 'true' }] }, says: /access\.rules\.0\.effect/ },
      { access: { publicTool: ['greeting'] }, says: /publicTool/ },
      { auth: { authType: 'none' }, access: { adminTools: ['pay'] }, says: /authType none nobody has scopes/ },
    ]
    for (const { says, ...change } of cases) {
      const answer = await manage('PATCH', `/api/workspaces/${workspace.id}`, change)
      assert.ok(answer.status === 422 || answer.status === 400, answer.text)
      assert.match(textAt(answer.body, 'detail'), says)
    }
    assert.equal((await ask(endpoint, 'tools/list', { era: '2025-11-25' })).status, 200)
  })

  test('leave in the record which rule denied, and no claim', async () => {
    await using place = await openApi({ rules: [{ effect: 'deny', when: 'caller.claims.team > 5' }] })
    const token = await place.token({ scope: 'mcp', team: 'CANARY' })
    const answer = await called(place, '2025-11-25', 'greeting', { token })
    assert.equal(answer.status, 403)
    const logs = await adminOf(gateway.url, gateway.adminKey)('GET', '/api/logs?outcome=denied&tool=greeting&limit=1')
    const line = at(logs.body, 'lines', 0)
    assert.equal(at(line, 'code'), 'forbidden', logs.text)
    assert.match(textAt(line, 'detail'), /rule 1 failed: no_such_overload/)
    assert.ok(!logs.text.includes('CANARY'))
  })
})

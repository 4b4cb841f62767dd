import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { openEvents } from '../../src/testing/event-client.ts'
import { type NamedToolsServer, startNamedToolsServer } from '../../src/testing/named-tools-server.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { startProtected, type TestProtected } from '../../src/testing/start-protected.ts'
import { at, callApi, post, type Seen } from './support/client.ts'

/** Everything that hides a tool, each from this caller or from everybody. */
const HIDING = [
  { name: 'a tool that needs a scope', hidden: 'secretTool', access: { toolScopes: { secretTool: ['secret'] } } },
  { name: 'a tool for administrators', hidden: 'secretTool', access: { adminTools: ['secretTool'] } },
  {
    name: 'a tool that a rule denies',
    hidden: 'secretTool',
    access: { rules: [{ effect: 'deny', tools: ['secret*'], when: 'true' }] },
  },
  {
    name: 'a tool that no rule allows',
    hidden: 'secretTool',
    access: { rules: [{ effect: 'allow', tools: ['secretTool'], when: '"ops" in caller.scopes' }] },
  },
  {
    name: 'a tool that was public until it was denied',
    hidden: 'secretTool',
    access: { publicTools: ['openTool', 'secretTool'], denyPublicTools: ['secretTool'] },
    anonymous: true,
  },
] as const

/** Other ways to write the name, for a server that is lenient about names. */
const SPELLINGS = [
  'secretTool',
  'SECRETTOOL',
  'secrettool',
  ' secretTool',
  'secretTool ',
  '\tsecretTool\n',
  'ｓｅｃｒｅｔＴｏｏｌ',
]
/** As which some servers read the body, if it says so. */
const UTF_7: Readonly<Record<string, string>> = { 'content-type': 'application/json; charset=utf-7' }
const ALIASES = ['', '/', '/mcp', '/sse', '/message', '/messages', '/mcp/message']
const callers = testCallers()
let api: RecordingApi
let server: NamedToolsServer
let gateway: TestGateway

before(async () => {
  api = await startRecordingApi()
  server = await startNamedToolsServer(['openTool', 'secretTool', 'secretTool'])
  gateway = await startGateway()
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

function workspaceSettings(access: object, tools: unknown = 'all'): object {
  const document = JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    servers: [{ url: api.url }],
    paths: {
      '/open': { get: { operationId: 'openTool' } },
      '/secret': { get: { operationId: 'secretTool' } },
      // A second one of the same name gets another name, and no way to the first.
      '/secret/again': { get: { operationId: 'second' } },
    },
  })
  return { name: 'things', source: { document }, auth: callers.auth, tools, access }
}

function call(name: unknown): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }
}

/** Every way to ask for a run of the tool of this name that we know of, in both eras. */
function waysToCall(
  name: string,
): readonly { readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }[] {
  const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const envelope = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {}, _meta } }
  const open = JSON.stringify(call('openTool'))
  const hidden = JSON.stringify(name)
  return [
    { body: call(name) },
    { body: [call(name)] },
    { body: { jsonrpc: '2.0', method: 'tools/call', params: { name, arguments: {} } } },
    { body: { ...call(name), method: 'Tools/Call' } },
    { body: { ...call(name), method: ' tools/call' } },
    { body: { jsonrpc: '2.0', method: 'TOOLS/CALL', params: { name } } },
    { body: { ...call(name), params: { name, arguments: {}, task: { ttl: 1000 } } } },
    { body: call([name]) },
    { body: call({ name }) },
    { body: open.replace('"name":"openTool"', `"name":"openTool","name":${hidden}`) },
    { body: open.replace('"name":"openTool"', `"name":${hidden},"name":"openTool"`) },
    { body: open.replace('"name":"openTool"', `"name":"openTool","Name":${hidden}`) },
    { body: open.replace('"name":"openTool"', `"name":"openTool","n\\u0061me":${hidden}`) },
    { body: open.replace('"params":', `"params":{"name":${hidden}},"params":`) },
    { body: envelope, headers: { ...modern, 'mcp-name': name.trim() } },
    { body: envelope, headers: { ...modern, 'mcp-name': 'openTool' } },
    {
      body: { ...envelope, params: { ...envelope.params, name: 'openTool' } },
      headers: { ...modern, 'mcp-name': name },
    },
    { body: { ...envelope, id: undefined }, headers: modern },
    {
      body: open.replace(
        '"arguments"',
        `"x":"+ACI-,+ACI-name+ACI-:${hidden.replaceAll('"', '+ACI-')},+ACI-y+ACI-:+ACI-","arguments"`,
      ),
      headers: UTF_7,
    },
  ].map(({ body, headers = {} }: { body: unknown; headers?: Record<string, string> }) => {
    // A header takes no other letters.
    return { body, headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[ -~]*$/.test(value))) }
  })
}

async function attack(endpoint: string, token: string | undefined, ran: () => number): Promise<void> {
  for (const name of SPELLINGS) {
    for (const { body, headers } of waysToCall(name)) {
      const answer = await post(endpoint, body, { ...(token === undefined ? {} : { token }), headers })
      assert.equal(ran(), 0, `${JSON.stringify(body)}: ${answer.status} ${answer.text}`)
    }
  }
}

function namesIn(answer: Seen): readonly unknown[] {
  const tools = at(at(answer.json, 'result'), 'tools')
  return Array.isArray(tools) ? tools.map((tool: unknown) => at(tool, 'name')) : []
}

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

suite('T20: what is not listed cannot be called', () => {
  for (const { name, hidden, access, ...who } of HIDING) {
    const isAnonymous = 'anonymous' in who

    test(`${name}, of an API, at every address, in every way`, async () => {
      const { endpoint, workspace } = await gateway.makeWorkspace(workspaceSettings(access))
      const token = isAnonymous ? undefined : await callers.token({ scope: 'mcp' })
      const runs = () => api.seen.filter(({ target }) => target === '/secret').length
      const before = runs()
      for (const alias of ALIASES) {
        const listed = await post(endpoint + alias, LIST, token === undefined ? {} : { token })
        assert.ok(namesIn(listed).includes('openTool'), listed.text)
        assert.ok(!listed.text.includes(hidden), listed.text)
        await attack(endpoint + alias, token, () => runs() - before)
      }
      await gateway.running.gateway.manager.delete(workspace.id)
    })

    test(`${name}, of a server that is passed through, however lenient that is`, async () => {
      await using protecting = await startProtected(server.url, { access })
      const token = isAnonymous ? undefined : await protecting.callers.token({ scope: 'mcp' })
      const runs = () => server.ran.filter((ran) => ran.normalize('NFKC').trim().toLowerCase() === 'secrettool').length
      const before = runs()
      const listed = await post(protecting.endpoint, LIST, token === undefined ? {} : { token })
      assert.deepEqual(namesIn(listed), ['openTool'], listed.text)
      await attack(protecting.endpoint, token, () => runs() - before)
    })
  }

  test('a tool that is not offered, of a server that is passed through', async () => {
    await using protecting = await startProtected(server.url, { rules: { tools: ['openTool'] } })
    const token = await protecting.callers.token()
    const runs = () => server.ran.filter((ran) => ran !== 'openTool').length
    const before = runs()
    assert.deepEqual(namesIn(await post(protecting.endpoint, LIST, { token })), ['openTool'])
    await attack(protecting.endpoint, token, () => runs() - before)
  })

  test('a tool that is off, and looks like one that never was', async () => {
    const { endpoint, workspace } = await gateway.makeWorkspace(workspaceSettings({}, ['openTool']))
    const token = await callers.token()
    const runs = () => api.seen.filter(({ target }) => target.startsWith('/secret')).length
    const before = runs()
    await attack(endpoint, token, () => runs() - before)
    const off = await post(endpoint, call('secretTool'), { token })
    const never = await post(endpoint, call('neverWas00'), { token })
    assert.equal(off.text.replace('secretTool', ''), never.text.replace('neverWas00', ''))
    assert.equal(off.status, never.status)
    await gateway.running.gateway.manager.delete(workspace.id)
  })

  test('a tool that was switched off or closed a moment ago', async () => {
    const { endpoint, workspace } = await gateway.makeWorkspace(workspaceSettings({}))
    const token = await callers.token()
    const path = `/api/workspaces/${workspace.id}`
    assert.equal((await post(endpoint, call('secretTool'), { token })).status, 200)
    await callApi(gateway, 'PATCH', path, { access: { adminTools: ['secretTool'] } })
    assert.equal((await post(endpoint, call('secretTool'), { token })).status, 403)
    await callApi(gateway, 'PATCH', path, { access: { adminTools: [] }, tools: ['openTool'] })
    assert.match((await post(endpoint, call('secretTool'), { token })).text, /Unknown tool/)
    await gateway.running.gateway.manager.delete(workspace.id)
  })

  test('over the 2024 transport, whose answers come on a stream', async () => {
    const { endpoint, workspace } = await gateway.makeWorkspace(workspaceSettings({ adminTools: ['secretTool'] }))
    const token = await callers.token()
    const before = api.seen.length
    await using stream = await openEvents(`${endpoint}/sse`, { headers: { authorization: `Bearer ${token}` } })
    const path = String((await stream.next())?.data)
    const messages = new URL(path, endpoint).href
    const answer = await post(messages, call('secretTool'), { token })
    assert.equal(answer.status, 403)
    assert.equal((await post(messages, LIST, { token })).status, 202)
    const listed = JSON.stringify(await stream.nextJson())
    assert.match(listed, /openTool/)
    assert.doesNotMatch(listed, /secretTool/)
    assert.equal(api.seen.length, before)
    await gateway.running.gateway.manager.delete(workspace.id)
  })

  test('one caller’s list is never another’s', async () => {
    const { endpoint, workspace } = await gateway.makeWorkspace(
      workspaceSettings({ publicTools: ['openTool'], toolScopes: { secretTool: ['a'], second: ['b'] } }),
    )
    const tokens = { none: undefined, a: await callers.token({ scope: 'a' }), b: await callers.token({ scope: 'b' }) }
    const sees = { none: ['openTool'], a: ['openTool', 'secretTool'], b: ['openTool', 'second'] }
    for (const who of ['a', 'none', 'b', 'a', 'b', 'none'] as const) {
      const token = tokens[who]
      assert.deepEqual(namesIn(await post(endpoint, LIST, token === undefined ? {} : { token })), sees[who])
    }
    await gateway.running.gateway.manager.delete(workspace.id)
  })

  test('a stranger cannot tell a hidden tool from one that never was', async () => {
    await using protecting: TestProtected = await startProtected(server.url, {
      rules: { tools: ['openTool', 'listed'] },
      access: { publicTools: ['openTool'] },
    })
    const answers = await Promise.all(
      ['secretTool', 'listed', 'neverWas'].map((name) => post(protecting.endpoint, call(name))),
    )
    for (const answer of answers) {
      assert.equal(answer.status, 401)
      assert.equal(answer.text, answers[0]?.text)
    }
  })
})

import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, suite, test } from 'node:test'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { type RecordedRequest, type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { callApi, callTool } from './support/client.ts'

const VARIABLE = 'GATEHOUSE_ATTACK_T23'
const CANARY = 'canary-from-the-environment'

/** What looks like a variable of the environment. */
const HOME = `\${HOME}`

/** What some system somewhere expands: shells, Spring, Go, Jinja, Handlebars, ERB, JavaScript, our own config file. */
const EXPRESSIONS = [
  `\${${VARIABLE}}`,
  `$${VARIABLE}`,
  `\${env:${VARIABLE}}`,
  `\${env.${VARIABLE}}`,
  `$(printenv ${VARIABLE})`,
  `\`printenv ${VARIABLE}\``,
  `%${VARIABLE}%`,
  `#{ENV['${VARIABLE}']}`,
  `<%= ENV['${VARIABLE}'] %>`,
  `\${process.env.${VARIABLE}}`,
  `\${{ env.${VARIABLE} }}`,
  `{% raw %}${VARIABLE}{% endraw %}`,
  `{${VARIABLE}}`,
  `@${VARIABLE}`,
  '@/etc/hostname',
  '~/.ssh/id_rsa',
  'file:///etc/hostname',
]

let gateway: TestGateway
let upstream: RecordingApi
let callers: TestCallers
let token = ''

before(async () => {
  process.env[VARIABLE] = CANARY
  upstream = await startRecordingApi(({ target }) =>
    target === '/login'
      ? { status: 200, body: { token: `{{password}}${HOME}`, expiresIn: 900 } }
      : { status: 200, body: { ok: true } },
  )
  // The operator's own environment has it too: only the operator's own file may name it.
  gateway = await startGateway({ env: { [VARIABLE]: CANARY } })
  callers = testCallers()
  token = await callers.token()
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
  delete process.env[VARIABLE]
})

function documentOf(text = ''): string {
  const parameters = ['path', 'query', 'header', 'cookie'].map((place) => {
    return { name: `in-${place}`, in: place, required: place === 'path', schema: { type: 'string' }, description: text }
  })
  const content = { 'application/json': { schema: { type: 'object', properties: { field: {} } } } }
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: `Things ${text}`, version: '1' },
    servers: [{ url: upstream.url }],
    paths: {
      '/things/{in-path}': { get: { operationId: 'get', summary: text, parameters } },
      '/json': { post: { operationId: 'postJson', requestBody: { required: true, content } } },
    },
  })
}

/** Makes a workspace as a tenant does: over the management API. */
async function makeWorkspace(settings: Readonly<Record<string, unknown>>): Promise<string> {
  const base = { name: 'things', source: { document: documentOf() }, auth: callers.auth, tools: 'all' }
  const made = await callApi(gateway, 'POST', '/api/workspaces', { ...base, ...settings })
  assert.equal(made.status, 201, made.text)
  assertNoCanary(made.text)
  return String(JSON.parse(made.text).url)
}

function assertNoCanary(text: string): void {
  assert.ok(!text.includes(CANARY), 'the environment was read')
  assert.ok(!text.includes(hostname()) || hostname().length < 4, 'a file was read')
}

async function callSeen(endpoint: string, tool: string, args: Readonly<Record<string, unknown>>) {
  const before = upstream.seen.length
  const called = await callTool(endpoint, token, tool, args)
  const seen = upstream.seen.slice(before)
  for (const request of seen) assertNoCanary(JSON.stringify(request))
  assertNoCanary(called.text)
  return { called, seen, call: seen.at(-1) }
}

function valuesIn(call: RecordedRequest | undefined) {
  const { pathname, searchParams } = new URL(call?.target ?? '', upstream.url)
  return {
    path: decodeURIComponent(pathname.slice('/things/'.length)),
    query: searchParams.get('in-query'),
    header: call?.headers['in-header'],
    cookie: decodeURIComponent(String(call?.headers['cookie']).slice('in-cookie='.length)),
  }
}

suite('T23: nothing that a tenant or a caller writes is expanded', () => {
  test('not in the arguments of a tool, in any place', async () => {
    const endpoint = await makeWorkspace({ params: { name: 'a param', [VARIABLE]: 'another' } })
    for (const text of [...EXPRESSIONS, '{{name}}', `{{${VARIABLE}}}`, '{{ name }}', '{{{name}}}']) {
      const args = { 'in-path': text, 'in-query': text, 'in-header': text, 'in-cookie': text }
      const { called, call } = await callSeen(endpoint, 'get', args)
      assert.equal(called.isError, false, called.result)
      assert.deepEqual(valuesIn(call), { path: text, query: text, header: text, cookie: text })
      const nested = { field: { deep: [text, { [text]: text }] } }
      const posted = await callSeen(endpoint, 'postJson', nested)
      assert.deepEqual(JSON.parse(posted.call?.body ?? ''), nested)
    }
  })

  test('not an object that the config file would read from the environment or from a file', async () => {
    const endpoint = await makeWorkspace({})
    for (const reference of [{ $env: VARIABLE }, { $file: '/etc/hostname' }, { $ref: 'file:///etc/hostname' }]) {
      const { call } = await callSeen(endpoint, 'postJson', { field: reference })
      assert.deepEqual(JSON.parse(call?.body ?? ''), { field: reference })
    }
  })

  test('not in params: a value is put in once and never read again', async () => {
    const texts = [...EXPRESSIONS.filter((text) => /^[\x20-\x7e]+$/.test(text)), '{{other}}', '{{value}}']
    for (const text of texts) {
      const endpoint = await makeWorkspace({
        upstream: { headers: { 'X-Custom': 'a {{value}} b' }, auth: { type: 'bearer', token: '{{value}}' } },
        params: { value: text, other: 'not this' },
      })
      const { call } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
      assert.equal(call?.headers['x-custom'], `a ${text} b`)
      assert.equal(call?.headers['authorization'], `Bearer ${text}`)
    }
  })

  test('not in the settings of a workspace: text that is no {{name}} goes as it is', async () => {
    for (const text of EXPRESSIONS.filter((one) => !one.includes('{{'))) {
      const endpoint = await makeWorkspace({
        upstream: { headers: { 'X-Custom': text }, auth: { type: 'apiKey', header: 'X-Key', value: text } },
      })
      const { call } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
      assert.equal(call?.headers['x-custom'], text)
      assert.equal(call?.headers['x-key'], text)
    }
  })

  test('not in a login’s body and headers, however deep, and not in keys', async () => {
    for (const text of EXPRESSIONS.filter((one) => !one.includes('{{'))) {
      const body = {
        user: '{{username}}',
        [text]: text,
        deep: [{ $env: VARIABLE }, { $file: '/etc/hostname' }, [text]],
      }
      const endpoint = await makeWorkspace({
        upstream: { auth: { type: 'bearer', login: { body, headers: { 'X-Custom': text } } } },
        params: { login_url: `${upstream.url}/login`, username: text, password: '{{username}}' },
      })
      const { seen } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
      const [login, call] = seen
      assert.deepEqual(JSON.parse(login?.body ?? ''), { ...body, user: text })
      assert.equal(login?.headers['x-custom'], text)
      assert.equal(call?.headers['authorization'], `Bearer {{password}}${HOME}`, 'what the login answers is a text too')
    }
  })

  test('not in the addresses of an API or a login', async () => {
    const paths = [`/\${${VARIABLE}}`, `/$${VARIABLE}`, `/%${VARIABLE}%`, '/{{name}}', '/{name}']
    for (const path of paths) {
      const params = { login_url: `${upstream.url}/login${path}`, username: 'u', password: 'p', name: 'a-param' }
      const endpoint = await makeWorkspace({ upstream: { auth: { type: 'bearer' } }, params })
      const { seen } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
      for (const { target } of seen) assert.ok(!target.includes('a-param'), target)
    }
  })

  test('not a name that no param has: the call does not go out', async () => {
    for (const name of [VARIABLE, 'HOME', 'PATH', 'constructor', '__proto__', 'toString', 'env.HOME', ' ']) {
      const endpoint = await makeWorkspace({ upstream: { headers: { 'X-Custom': `{{${name}}}` } } })
      const { called, seen } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
      assert.equal(called.isError, true, name)
      assert.match(called.result, /^The custom param .*is not set\. Set it in the workspace\.$/)
      assert.equal(seen.length, 0)
    }
  })

  test('not in an API description: its texts are shown as they stand', async () => {
    const endpoint = await makeWorkspace({ source: { document: documentOf(EXPRESSIONS.join(' ')) } })
    const { called } = await callSeen(endpoint, 'unknown', {})
    assert.equal(called.isError, true)
    const list = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    const text = await list.text()
    assert.ok(text.includes(`\${${VARIABLE}}`))
    assertNoCanary(text)
  })

  test('not in a setting that must be a text: the references of the config file are refused over /api', async () => {
    const reference = { $env: VARIABLE }
    const refused = [
      { name: reference },
      { name: 'x', params: { password: reference } },
      { name: 'x', auth: { authType: 'jwt', jwt: { secret: reference } } },
      { name: 'x', auth: reference },
      { name: 'x', upstream: { auth: { type: 'bearer', token: reference } } },
      { name: 'x', upstream: { headers: { 'X-Custom': reference } } },
      { name: 'x', upstream: reference },
      { name: 'x', source: { document: { $file: '/etc/hostname' } } },
      { name: 'x', source: { $file: '/etc/hostname' } },
      { name: 'x', source: '/etc/hostname' },
    ]
    for (const body of refused) {
      const answer = await callApi(gateway, 'POST', '/api/workspaces', body)
      assert.equal(answer.status, 400, answer.text)
      assertNoCanary(answer.text)
    }
  })

  test('not over /api: addresses of files and the like are no sources', async () => {
    for (const url of ['file:///etc/hostname', `\${${VARIABLE}}`, 'data:application/json,{}', 'jar:file:///x!/y']) {
      const answer = await callApi(gateway, 'POST', '/api/workspaces', { name: 'x', source: { url } })
      assert.equal(answer.status, 400, answer.text)
      assertNoCanary(answer.text)
    }
  })

  test('only {{name}} of a param, in the places that are documented', async () => {
    const endpoint = await makeWorkspace({
      upstream: {
        headers: { 'X-Custom': '{{ first }}-{{second}}-{{first}}' },
        auth: { type: 'basic', username: '{{first}}', password: '{{second}}' },
      },
      params: { first: '1', second: '2' },
    })
    const { call } = await callSeen(endpoint, 'get', { 'in-path': 'a' })
    assert.equal(call?.headers['x-custom'], '1-2-1')
    assert.equal(call?.headers['authorization'], `Basic ${Buffer.from('1:2').toString('base64')}`)
  })
})

suite('T23: what the operator writes is expanded only where it says so', () => {
  test('{ $env: NAME } is filled in by the config file, and a name in braces behind a dollar is a text there too', async () => {
    const secret = 'a secret that the environment holds for the operator'
    const workspaces = [
      {
        name: 'kept',
        auth: { authType: 'jwt', jwt: { secret: { $env: 'OPERATOR_SECRET' }, audience: HOME } },
      },
    ]
    await using own = await startGateway({ config: { workspaces }, env: { OPERATOR_SECRET: secret } })
    const [kept] = own.running.gateway.manager.list()
    assert.deepEqual(kept?.inbound?.jwt[0]?.secret, secret)
    assert.deepEqual(kept?.inbound?.jwt[0]?.audience, HOME)
  })
})

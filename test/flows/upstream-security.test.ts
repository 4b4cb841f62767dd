import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { type RecordedRequest, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const KEY = { type: 'apiKey', in: 'header', name: 'api_key' }
const BEARER = { type: 'http', scheme: 'bearer' }

/** One GET a path; its name is the tool's, its value what its operation says. */
function pathsOf(operations: Readonly<Record<string, object>>) {
  return Object.fromEntries(
    Object.entries(operations).map(([name, operation]) => [
      `/${name}`,
      { get: { operationId: name, ...operation, responses: {} } },
    ]),
  )
}

/** The same API in every version: `schemes` in the words of 3.x. */
const versions = [{ openapi: '3.0.3' }, { openapi: '3.1.0' }, { openapi: '3.2.0' }, { swagger: '2.0' }] as const

function documentOf(
  origin: string,
  operations: Readonly<Record<string, object>>,
  schemes: Readonly<Record<string, object>>,
  { version = versions[1], security }: { version?: (typeof versions)[number]; security?: unknown } = {},
): string {
  const about = { info: { title: 'API', version: '1' }, paths: pathsOf(operations) }
  const top = security === undefined ? {} : { security }
  const { host } = new URL(origin)
  const words =
    'swagger' in version
      ? { host, schemes: ['http'], securityDefinitions: schemes }
      : { servers: [{ url: origin }], components: { securitySchemes: schemes } }
  return JSON.stringify({ ...version, ...about, ...top, ...words })
}

/** Calls every operation once and gives what reached the API, or the tool error. */
async function callAll(
  settings: { upstream?: unknown; params?: unknown },
  operations: Readonly<Record<string, object>>,
  schemes: Readonly<Record<string, object>>,
  more: Parameters<typeof documentOf>[3] & { args?: Readonly<Record<string, unknown>> } = {},
) {
  await using api = await startRecordingApi()
  await using gateway = await startGateway()
  const source = { document: documentOf(api.url, operations, schemes, more) }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, ...settings })
  const client = mcpClient(endpoint)
  const results: Record<string, { sent: string[] | undefined; result: string }> = {}
  for (const name of Object.keys(operations)) {
    const before = api.seen.length
    const { result } = await client.call(name, { ...more.args })
    const [seen] = api.seen.slice(before)
    results[name] = { sent: seen && credentialsIn(seen), result }
  }
  return { results, connections: api.connections(), log: gateway.log.join('') }
}

/** What a request had of credentials, in words. */
function credentialsIn({ target, headers }: RecordedRequest): string[] {
  const query = target.includes('?') ? [target.slice(target.indexOf('?'))] : []
  const names = ['authorization', 'api_key', 'x-api-key', 'cookie']
  return [...query, ...names.flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${headers[name]}`]))]
}

suite('each operation is called with the credential that it wants', () => {
  for (const version of versions) {
    const key = { ...KEY, in: 'query' }
    const token = 'swagger' in version ? { type: 'oauth2', flow: 'implicit', scopes: {} } : BEARER
    const basic = 'swagger' in version ? { type: 'basic' } : { type: 'http', scheme: 'basic' }

    test(`in ${JSON.stringify(version)} (D21)`, async () => {
      const operations = {
        inherits: {},
        keyed: { security: [{ key: [] }] },
        both: { security: [{ key: [], token: [] }] },
        either: { security: [{ basic: [] }, { key: [] }] },
        open: { security: [] },
        optional: { security: [{}, { token: [] }] },
        withBasic: { security: [{ basic: [] }] },
      }
      const upstream = {
        auth: { type: 'bearer', token: 'tok-{{part}}' },
        security: { key: { type: 'apiKey', value: 'k&{{part}}' } },
      }
      const schemes = { key, token, basic }
      const settings = { upstream, params: { part: '1' } }
      const { results } = await callAll(settings, operations, schemes, { version, security: [{ token: [] }] })
      const sent = Object.fromEntries(Object.entries(results).map(([name, one]) => [name, one.sent]))
      assert.deepEqual(sent, {
        inherits: ['authorization: Bearer tok-1'],
        keyed: ['?api_key=k%261'],
        both: ['?api_key=k%261', 'authorization: Bearer tok-1'],
        either: ['?api_key=k%261'],
        open: [],
        optional: ['authorization: Bearer tok-1'],
        withBasic: undefined,
      })
      assert.match(results['withBasic']?.result ?? '', /"basic" \(HTTP basic\).*Set upstream\.security\.basic/)
    })
  }

  test('a key in a cookie stands beside the cookies of arguments (D21)', async () => {
    const parameters = [
      { name: 'theme', in: 'cookie', schema: { type: 'string' } },
      { name: 'sid', in: 'cookie', schema: { type: 'string' } },
    ]
    const upstream = { auth: { type: 'apiKey', cookie: 'sid', value: 'abc' } }
    const schemes = { session: { type: 'apiKey', in: 'cookie', name: 'sid' } }
    const operations = { keyed: { parameters, security: [{ session: [] }] }, silent: { parameters } }
    const keyed = await callAll({ upstream }, operations, schemes, { args: { theme: 'dark' } })
    assert.deepEqual(keyed.results['keyed']?.sent, ['cookie: theme=dark; sid=abc'])
    const silent = await callAll({ upstream }, { silent: operations.silent }, schemes, { args: { sid: 'mine' } })
    assert.deepEqual(silent.results['silent']?.sent, ['cookie: sid=abc'], 'the argument does not win (D17)')
  })
})

suite('a call whose requirement nothing meets', () => {
  test('is refused before the dial, and says which scheme and which setting (D21)', async () => {
    const operations = {
      keyed: { security: [{ key: [] }] },
      tls: { security: [{ tls: [] }] },
      lost: { security: [{ x: [] }] },
    }
    const schemes = { key: KEY, tls: { type: 'mutualTLS' } }
    const upstream = { auth: { type: 'bearer', token: 'canary-token' } }
    const { results, connections, log } = await callAll({ upstream }, operations, schemes)
    assert.equal(connections, 0)
    const message =
      /^The API description says that this operation needs the security scheme "key" \(a key in the header api_key\), and no credential that is set meets it\. Set upstream\.security\.key of the workspace \(type apiKey\), or an upstream\.auth that fits\.$/
    assert.match(results['keyed']?.result ?? '', message)
    assert.match(results['tls']?.result ?? '', /a TLS client certificate, which Gatehouse cannot present/)
    assert.match(results['lost']?.result ?? '', /"x" \(is not declared in the document\)/)
    assert.match(log, /Workspace shop: the tool keyed cannot be called\./)
    assert.doesNotMatch(JSON.stringify(results) + log, /canary/)
  })

  test('is a record with its code, and a warning where tools are shown and imported (D21)', async () => {
    await using api = await startRecordingApi()
    await using gateway = await startGateway()
    const admin = adminClient(gateway)
    const operations = { keyed: { security: [{ key: [] }] }, open: { security: [] } }
    const document = documentOf(api.url, operations, { key: KEY })
    const upstream = { security: { typo: { type: 'bearer', token: 'canary' } } }
    const made = await admin.send('POST', '/api/workspaces', { name: 'Shop', source: { document }, upstream })
    assert.equal(made.status, 201, made.text)
    const { url } = z.object({ url: z.string() }).parse(JSON.parse(made.text))
    await mcpClient(url).call('keyed')
    const [line] = await admin.logs('kind=request&tool=keyed')
    assert.deepEqual([line?.['outcome'], line?.['code']], ['tool_error', 'credential_missing'])
    const shown = z
      .object({ tools: z.array(z.object({ name: z.string(), warning: z.string().optional() })) })
      .parse(JSON.parse((await admin.send('GET', '/api/workspaces/shop/tools')).text))
    assert.deepEqual(
      shown.tools.map(({ name, warning }) => [name, warning?.includes('upstream.security.key')]),
      [
        ['keyed', true],
        ['open', undefined],
      ],
    )
    const imported = await admin.send('POST', '/api/workspaces/shop/import', { document })
    assert.match(imported.text, /"warnings":\["the tool keyed cannot be called\..*no operation.*scheme typo/)
    assert.doesNotMatch(made.text + imported.text + gateway.log.join(''), /canary/)
  })
})

suite('a tool argument', () => {
  const free = { name: 'more', in: 'query', schema: { type: 'object', additionalProperties: { type: 'string' } } }
  const parameters = [{ name: 'api_key', in: 'query', schema: { type: 'string' } }, free]
  const schemes = { key: { ...KEY, in: 'query' } }
  const upstream = { security: { key: { type: 'apiKey', value: 'ours' } } }

  test('never names the key of a requirement: there is no such argument (D17, D21)', async () => {
    const operations = { keyed: { parameters, security: [{ key: [] }] } }
    const { results, connections } = await callAll({ upstream }, operations, schemes, { args: { api_key: 'mine' } })
    assert.match(results['keyed']?.result ?? '', /"api_key" is not an argument of this tool/)
    assert.equal(connections, 0)
  })

  test('never reaches the API beside the key, not by the members of an object (D17, D21)', async () => {
    const operations = { keyed: { parameters, security: [{ key: [] }] } }
    const args = { more: { api_key: 'mine', 'api_key[]': 'mine', API_KEY: 'mine', other: '1' } }
    const { results } = await callAll({ upstream }, operations, schemes, { args })
    assert.deepEqual(results['keyed']?.sent, ['?other=1&api_key=ours'])
  })

  test('never brings the key that the workspace does not have (D17, D21)', async () => {
    const operations = { keyed: { parameters, security: [{ key: [] }] } }
    const args = { more: { api_key: 'mine' } }
    const { connections } = await callAll({}, operations, schemes, { args })
    assert.equal(connections, 0)
  })
})

suite('a login', () => {
  test('is for the operations that want it, and is renewed beside other credentials (D8, D21)', async () => {
    let logins = 0
    await using api = await startRecordingApi(({ target, headers }) => {
      if (target === '/login') {
        logins += 1
        return { status: 200, body: { accessToken: `fresh-${logins}`, expiresIn: 900 } }
      }
      const isGood = headers['authorization'] === 'Bearer fresh-2'
      return { status: target.startsWith('/both') && !isGood ? 401 : 200, body: { ok: true } }
    })
    await using gateway = await startGateway()
    const operations = { open: { security: [] }, both: { security: [{ token: [], key: [] }] } }
    const document = documentOf(api.url, operations, { token: BEARER, key: { ...KEY, in: 'query' } })
    const { endpoint } = await gateway.makeWorkspace({
      name: 'Shop',
      source: { document },
      upstream: { auth: { type: 'bearer' }, security: { key: { type: 'apiKey', value: 'k' } } },
      params: { login_url: `${api.url}/login`, username: 'u', password: 'p' },
    })
    const client = mcpClient(endpoint)
    assert.equal((await client.call('open')).isError, false)
    assert.equal(logins, 0)
    assert.equal((await client.call('both')).isError, false)
    const calls = api.seen.filter(({ target }) => target !== '/login').map(credentialsIn)
    assert.deepEqual(calls, [
      [],
      ['?api_key=k', 'authorization: Bearer fresh-1'],
      ['?api_key=k', 'authorization: Bearer fresh-2'],
    ])
  })
})

suite('the credentials of schemes', () => {
  const canary = {
    query: 'canary-query-1 +/"',
    cookie: 'canary-cookie-2',
    bearer: 'canary-bearer-3',
    basic: 'canary-basic-4',
  }
  const security = {
    inQuery: { type: 'apiKey', value: canary.query },
    inCookie: { type: 'apiKey', value: canary.cookie },
    token: { type: 'bearer', token: canary.bearer },
    basic: { type: 'basic', username: 'u', password: canary.basic },
  }
  const schemes = {
    inQuery: { ...KEY, in: 'query' },
    inCookie: { ...KEY, in: 'cookie' },
    token: BEARER,
    basic: { type: 'http', scheme: 'basic' },
  }
  const all = { security: [{ inQuery: [], inCookie: [], token: [] }] }
  const operations = { good: all, bad: all, gone: all, basic: { security: [{ basic: [] }] } }

  test('reach the API and nobody else: no client, no record, no log, no answer of /api, no file (D2, D10, D21)', async () => {
    await using api = await startRecordingApi(({ target, headers }) => {
      const decoded = decodeURIComponent(target)
      const [, basic = ''] = String(headers['authorization']).split(' ')
      const body = { target, decoded, headers, basic: Buffer.from(basic, 'base64').toString('utf8') }
      if (target.startsWith('/gone')) return { status: 302, headers: { location: `http://a.example${target}` }, body }
      return { status: target.startsWith('/bad') ? 500 : 200, body }
    })
    await using gateway = await startGateway({ config: { logLevel: 'debug' } })
    const admin = adminClient(gateway)
    const source = { document: documentOf(api.url, operations, schemes) }
    const made = await admin.send('POST', '/api/workspaces', { name: 'Shop', source, upstream: { security } })
    assert.equal(made.status, 201, made.text)
    const { url } = z.object({ url: z.string() }).parse(JSON.parse(made.text))
    const client = mcpClient(url)
    const results = []
    for (const name of Object.keys(operations)) results.push((await client.call(name)).result)
    assert.equal(api.seen.length, 4)
    assert.match(JSON.stringify(api.seen), /canary-query-1%20.*canary-cookie-2/)
    assert.ok(results.some((result) => result.includes('[redacted]')))
    const shown = await admin.send('GET', '/api/workspaces/shop')
    assert.match(shown.text, /"inQuery":\{"type":"apiKey","value":\{"saved":true\}\}/)
    assert.match(shown.text, /"basic":\{"type":"basic","username":\{"saved":true\},"password":\{"saved":true\}\}/)
    const logs = await admin.send('GET', '/api/logs?limit=1000')
    const everything = [...results, made.text, shown.text, logs.text, ...gateway.log].join('\n')
    assert.doesNotMatch(everything, /canary/)
    for (const file of await readdir(gateway.config.dataDir)) {
      const bytes = await readFile(join(gateway.config.dataDir, file), 'latin1')
      assert.ok(!bytes.includes('canary-'), file)
    }
  })

  test('are changed one by one: null removes one, what is not mentioned stays (D21)', async () => {
    await using api = await startRecordingApi()
    await using gateway = await startGateway()
    const admin = adminClient(gateway)
    const source = { document: documentOf(api.url, operations, schemes) }
    await admin.send('POST', '/api/workspaces', { name: 'Shop', source, upstream: { security } })
    const change = { basic: null, token: { type: 'bearer', token: 'new' } }
    const changed = await admin.send('PATCH', '/api/workspaces/shop', { upstream: { security: change } })
    assert.equal(changed.status, 200, changed.text)
    await admin.send('PATCH', '/api/workspaces/shop', { upstream: { timeoutMs: 5000 } })
    await gateway.restart()
    const { slug, id } = gateway.running.gateway.manager.get('shop')
    const client = mcpClient(`${gateway.url}/${slug}-${id}`)
    assert.equal((await client.call('good')).isError, false)
    assert.equal((await client.call('basic')).isError, true)
    assert.deepEqual(api.seen.map(credentialsIn), [
      ['?api_key=canary-query-1%20%2B%2F%22', 'authorization: Bearer new', 'cookie: api_key=canary-cookie-2'],
    ])
  })

  const hostile = [
    { name: 'a line break in a header', credential: { inHeader: { type: 'apiKey', value: 'a\r\nX-Evil: 1' } } },
    { name: 'a semicolon in a cookie', credential: { inCookie: { type: 'apiKey', value: 'a; admin=1' } } },
  ]
  for (const { name, credential } of hostile) {
    test(`are refused before the dial with ${name} (T22, D21)`, async () => {
      const [scheme = ''] = Object.keys(credential)
      const wanted = { keyed: { security: [{ [scheme]: [] }] } }
      const { results, connections } = await callAll({ upstream: { security: credential } }, wanted, {
        inHeader: KEY,
        inCookie: { ...KEY, in: 'cookie' },
      })
      assert.match(results['keyed']?.result ?? '', /has characters that/)
      assert.equal(connections, 0)
    })
  }
})

suite('a document that says nothing of security', () => {
  test('gets the workspace’s credential with every call (D1)', async () => {
    const upstream = { auth: { type: 'apiKey', query: 'k', value: 'a b' } }
    const { results } = await callAll({ upstream }, { silent: {}, open: { security: [] } }, {})
    assert.deepEqual([results['silent']?.sent, results['open']?.sent], [['?k=a%20b'], ['?k=a%20b']])
  })
})

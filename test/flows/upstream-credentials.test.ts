import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

suite('the test API lets a call in', () => {
  const cases = [
    { mode: 'none', name: 'without a credential', auth: { type: 'none' }, caller: 'anonymous' },
    {
      mode: 'bearer',
      name: 'with a static bearer token',
      auth: { type: 'bearer', token: 'sample-token-not-a-secret' },
      caller: 'bearer-token',
    },
    {
      mode: 'bearer',
      name: 'with a bearer token from a param',
      auth: { type: 'bearer', token: 'sample-{{rest}}' },
      caller: 'bearer-token',
    },
    {
      mode: 'apikey',
      name: 'with an API key in the default header X-Api-Key',
      auth: { type: 'apiKey', value: 'sample-key-not-a-secret' },
      caller: 'api-key',
    },
    {
      mode: 'apikey',
      name: 'with an API key in a named header',
      auth: { type: 'apiKey', header: 'x-api-KEY', value: 'sample-key-not-a-secret' },
      caller: 'api-key',
    },
  ] as const
  for (const { mode, name, auth, caller } of cases) {
    test(`${name} (D1)`, async () => {
      await using api = await startTestApi({ mode })
      await using gateway = await startGateway()
      const source = { url: `${api.origin}/openapi.json` }
      const params = { rest: 'token-not-a-secret' }
      const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, upstream: { auth }, params })
      const { isError, result } = await mcpClient(endpoint).call('getStats')
      assert.equal(isError, false, result)
      assert.match(result, new RegExp(`"requestedBy":"${caller}"`))
    })
  }

  for (const auth of [{ type: 'none' }, { type: 'basic', username: 'admin', password: 'password' }] as const) {
    test(`but not in mode apikey with ${auth.type}: it is not even called (D1, D21)`, async () => {
      await using api = await startTestApi({ mode: 'apikey' })
      await using gateway = await startGateway()
      const source = { url: `${api.origin}/openapi.json` }
      const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, upstream: { auth } })
      const { isError, result } = await mcpClient(endpoint).call('getStats')
      assert.equal(isError, true)
      assert.match(result, /"apikey" \(a key in the header X-Api-Key\), and no credential that is set meets it/)
      assert.equal(api.counts.calls, 0)
    })

    test(`but not in mode apikey with ${auth.type} and the word that it needs no key: its 401 is a tool error (D1)`, async () => {
      await using api = await startTestApi({ mode: 'apikey' })
      await using gateway = await startGateway()
      const source = { url: `${api.origin}/openapi.json` }
      const upstream = { auth, security: { apikey: { type: 'none' } } }
      const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source, upstream })
      const { isError, result } = await mcpClient(endpoint).call('getStats')
      assert.equal(isError, true)
      assert.match(result, /^GET \/api\/stats answered 401 Unauthorized: .*MISSING_API_KEY/)
    })
  }
})

suite('an upstream sees', () => {
  test('user and password as Basic, in UTF-8 (D1)', async () => {
    const { seen, isError } = await callOnce({ auth: { type: 'basic', username: '{{user}}', password: 'pä55:word' } })
    assert.equal(isError, false)
    const [scheme, encoded = ''] = String(seen?.headers['authorization']).split(' ')
    assert.equal(scheme, 'Basic')
    assert.equal(Buffer.from(encoded, 'base64').toString('utf8'), 'ada:pä55:word')
  })

  test('headers of the workspace’s own, filled from params (D1, D3)', async () => {
    const headers = { 'X-Tenant': '{{user}}-7', 'X-Fixed': 'as it is' }
    const { seen } = await callOnce({ auth: { type: 'none' }, headers })
    assert.equal(seen?.headers['x-tenant'], 'ada-7')
    assert.equal(seen?.headers['x-fixed'], 'as it is')
    assert.equal(seen?.headers['authorization'], undefined)
  })

  test('never the caller’s own token (D1)', async () => {
    const more = { authorization: 'Bearer callers-own-token', cookie: 'sid=callers-own-cookie' }
    const { seen } = await callOnce({ auth: { type: 'none' } }, {}, more)
    assert.ok(!JSON.stringify(seen).includes('callers-own'))
  })

  for (const auth of [
    { type: 'bearer', token: '' },
    { type: 'apiKey', value: '' },
    { type: 'bearer', token: '{{nobody_set_this}}' },
  ]) {
    test(`nothing at all when its credential is not set: ${JSON.stringify(auth)} (D1)`, async () => {
      const { seen, isError } = await callOnce({ auth })
      assert.equal(isError, true)
      assert.equal(seen, undefined)
    })
  }
})

suite('an injected header', () => {
  const cases = [
    { name: 'of the workspace', upstream: { headers: { 'X-Tenant': 'injected' } }, header: 'x-tenant' },
    { name: 'in another case', upstream: { headers: { 'x-TENANT': 'injected' } }, header: 'x-tenant' },
    { name: 'with the API key', upstream: { auth: { type: 'apiKey', value: 'injected' } }, header: 'x-api-key' },
  ]
  for (const { name, upstream, header } of cases) {
    test(`${name} beats a tool argument of the same name, and is sent once (D17)`, async () => {
      const args = { 'X-Tenant': 'from-the-caller', 'X-Api-Key': 'from-the-caller', 'X-Free': 'from-the-caller' }
      const { seen, isError } = await callOnce(upstream, args)
      assert.equal(isError, false)
      assert.equal(seen?.headers[header], 'injected')
      const names = (seen?.rawHeaders ?? []).filter((_, index) => index % 2 === 0).map((one) => one.toLowerCase())
      assert.equal(names.filter((one) => one === header).length, 1)
      assert.equal(seen?.headers['x-free'], 'from-the-caller', 'other headers are the caller’s to set')
    })
  }

  test('Authorization is never an argument (D17)', async () => {
    const { seen, isError, result } = await callOnce(
      { auth: { type: 'bearer', token: 'injected' } },
      { Authorization: 'Bearer from-the-caller' },
    )
    assert.equal(isError, true)
    assert.match(result, /"Authorization" is not an argument of this tool/)
    assert.equal(seen, undefined)
  })
})

suite('the base URL of a workspace', () => {
  test('is called instead of the document’s server, path and all (D16)', async () => {
    await using named = await startRecordingApi()
    await using other = await startRecordingApi()
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace({
      name: 'Moved',
      source: { document: documentFor(`${named.url}/v1`) },
      upstream: { baseUrl: `${other.url}/staging/v2/`, auth: { type: 'bearer', token: 'not-for-the-other' } },
    })
    assert.equal((await mcpClient(endpoint).call('getThing')).isError, false)
    assert.deepEqual(
      other.seen.map(({ target }) => target),
      ['/staging/v2/thing'],
    )
    assert.equal(named.connections(), 0)
  })

  test('is needed when an uploaded document names no server: the error says so (D16)', async () => {
    await using api = await startRecordingApi()
    await using gateway = await startGateway()
    const source = { document: documentFor(undefined) }
    const lost = await gateway.makeWorkspace({ name: 'Lost', source })
    const { isError, result } = await mcpClient(lost.endpoint).call('getThing')
    assert.equal(isError, true)
    assert.match(result, /names no server: set the base URL of the workspace/)
    const found = await gateway.makeWorkspace({ name: 'Found', source, upstream: { baseUrl: api.url } })
    assert.equal((await mcpClient(found.endpoint).call('getThing')).isError, false)
  })
})

/** One call of `getThing` with these upstream settings, and what the API saw of it. */
async function callOnce(
  upstream: Readonly<Record<string, unknown>>,
  args: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, string>> = {},
) {
  await using api = await startRecordingApi()
  await using gateway = await startGateway()
  const source = { document: documentFor(api.url) }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Recorded', source, upstream, params: { user: 'ada' } })
  const called = await mcpClient(endpoint).call('getThing', args, more)
  return { ...called, seen: api.seen[0] }
}

function documentFor(server: string | undefined): string {
  const header = (name: string) => ({ name, in: 'header', schema: { type: 'string' } })
  const parameters = ['X-Tenant', 'X-Api-Key', 'X-Free', 'Authorization'].map(header)
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Recorded', version: '1' },
    ...(server === undefined ? {} : { servers: [{ url: server }] }),
    paths: { '/thing': { get: { operationId: 'getThing', parameters, responses: {} } } },
  })
}

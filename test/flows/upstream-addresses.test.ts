import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const CANARY = 'canary-Pa55word-9c1e'
const METADATA = [
  'http://169.254.169.254/latest',
  'http://[::ffff:169.254.169.254]/latest',
  'http://2852039166/latest',
  'http://metadata.google.internal/latest',
  'http://100.100.100.200/latest',
] as const

suite('a login that redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`with ${status} is refused: its target never sees the password (D19)`, async () => {
      await using target = await startRecordingApi(() => ({ status: 200, body: { accessToken: 'stolen' } }))
      await using api = await startRecordingApi(() => ({ status, headers: { location: `${target.url}/login` } }))
      await using gateway = await startGateway()
      const { endpoint } = await gateway.makeWorkspace(oneTool(api.url, `${api.url}/login`))
      const { isError, result } = await mcpClient(endpoint).call('getThing')
      assert.equal(isError, true)
      assert.match(result, new RegExp(`^The login to the API failed\\. The login URL answered ${status} `))
      assert.match(result, /Credentials are not sent on to another address: set login_url to the final one\.$/)
      assert.equal(target.connections(), 0)
      assert.deepEqual(
        api.seen.map((request) => request.target),
        ['/login'],
        'no call went out without its credential',
      )
    })
  }
})

test('a call that redirects is a tool error: its target never sees the credential (D19)', async () => {
  await using target = await startRecordingApi()
  await using api = await startFaultyApi({ redirectTo: target.url })
  await using gateway = await startGateway()
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Faulty',
    source: { url: `${api.origin}/openapi.json` },
    upstream: { auth: { type: 'bearer', token: CANARY } },
  })
  const { isError, result } = await mcpClient(endpoint).call('getRedirect')
  assert.equal(isError, true)
  assert.match(result, /answered 302 Found: redirects are not followed/)
  assert.equal(target.connections(), 0)
})

suite('a spec URL', () => {
  test('that redirects is followed, without credentials (D19)', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const document = await (await fetch(`${api.origin}/openapi.json`)).text()
    const type = 'application/json'
    await using last = await startRecordingApi(() => ({ status: 200, text: { content: document, type } }))
    const headers = { location: `${last.url}/openapi.json`, 'set-cookie': 'sid=taken' }
    await using first = await startRecordingApi(() => ({ status: 302, headers }))
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace({
      name: 'Moved',
      source: { url: `${first.url}/spec?key=for-the-first-only` },
      upstream: { auth: { type: 'bearer', token: CANARY }, headers: { 'X-Tenant': CANARY } },
      params: { password: CANARY },
    })
    assert.equal((await mcpClient(endpoint).list()).length, 3)
    assert.deepEqual(
      [...first.seen, ...last.seen].map(({ target }) => target),
      ['/spec?key=for-the-first-only', '/openapi.json'],
    )
    for (const { headers: sent } of [...first.seen, ...last.seen]) {
      assert.deepEqual(Object.keys(sent).sort(), ['accept', 'connection', 'host', 'user-agent'])
    }
  })

  for (const url of METADATA) {
    test(`at ${url} is refused (D19)`, async () => {
      await using gateway = await startGateway()
      const { status, text } = await adminClient(gateway).send('POST', '/api/workspaces', {
        name: 'W',
        source: { url },
      })
      assert.ok(status >= 400, text)
      assert.match(text, /may not be called: cloud metadata addresses are never called/)
    })
  }

  test('that redirects to a metadata address is refused (D19)', async () => {
    const [location] = METADATA
    await using first = await startRecordingApi(() => ({ status: 302, headers: { location } }))
    await using gateway = await startGateway()
    const body = { name: 'W', source: { url: `${first.url}/spec` } }
    const { status, text } = await adminClient(gateway).send('POST', '/api/workspaces', body)
    assert.ok(status >= 400, text)
    assert.match(text, /cloud metadata addresses are never called/)
    assert.equal(first.seen.length, 1)
  })
})

suite('a metadata address', () => {
  for (const url of METADATA) {
    test(`as login URL is refused, in the tool error: ${url} (D19)`, async () => {
      await using api = await startRecordingApi()
      await using gateway = await startGateway()
      const { endpoint } = await gateway.makeWorkspace(oneTool(api.url, url))
      const { isError, text, result } = await mcpClient(endpoint).call('getThing')
      assert.equal(isError, true)
      assert.match(result, /The login URL may not be called: cloud metadata addresses are never called/)
      assert.ok(!text.includes(CANARY))
      assert.equal(api.seen.length, 0)
    })

    test(`as base URL is refused, in the tool error: ${url} (D19)`, async () => {
      await using api = await startRecordingApi()
      await using gateway = await startGateway()
      const upstream = { baseUrl: url, auth: { type: 'bearer', token: CANARY } }
      const { endpoint } = await gateway.makeWorkspace({ ...oneTool(api.url, ''), upstream })
      const { isError, result } = await mcpClient(endpoint).call('getThing')
      assert.equal(isError, true)
      assert.match(result, /^The API may not be called: cloud metadata addresses are never called/)
    })
  }

  for (const url of METADATA.map((one) => one.replace('http:', 'https:'))) {
    test(`as key set lets nobody in: ${url} (D19)`, async () => {
      await using api = await startRecordingApi()
      await using gateway = await startGateway()
      const auth = { authType: 'jwt', jwt: { jwksUrl: url, issuer: 'https://idp.example', audience: 'gatehouse' } }
      const { endpoint } = await gateway.makeWorkspace({ ...oneTool(api.url, ''), auth })
      const token = await testCallers().token({ iss: 'https://idp.example', aud: 'gatehouse' })
      const { status } = await mcpClient(endpoint, { authorization: `Bearer ${token}` }).send('tools/list')
      assert.ok(status === 401 || status === 503, `${status}`)
      assert.match(gateway.log.join(''), /could not be fetched: .*cloud metadata addresses are never called/)
    })
  }
})

test('a key set URL that redirects is not followed, so nobody comes in (D19)', async () => {
  await using target = await startRecordingApi(() => ({ status: 200, body: { keys: [] } }))
  await using provider = await startRecordingApi(() => ({ status: 302, headers: { location: `${target.url}/jwks` } }))
  await using gateway = await startGateway()
  const jwt = { jwksUrl: `${provider.url}/jwks`, issuer: 'https://idp.example', audience: 'gatehouse' }
  const auth = { authType: 'jwt', jwt }
  const { endpoint } = await gateway.makeWorkspace({ ...oneTool(provider.url, ''), auth })
  const token = await testCallers().token({ iss: 'https://idp.example', aud: 'gatehouse' })
  const { status } = await mcpClient(endpoint, { authorization: `Bearer ${token}` }).send('tools/list')
  assert.ok(status === 401 || status === 503, `${status}`)
  assert.deepEqual(
    [...new Set(provider.seen.map((request) => request.target))],
    ['/jwks'],
    'the key set was asked for, and nothing else',
  )
  assert.equal(target.connections(), 0)
})

function oneTool(origin: string, loginUrl: string) {
  const document = {
    openapi: '3.1.0',
    info: { title: 'One tool', version: '1' },
    servers: [{ url: origin }],
    paths: { '/thing': { get: { operationId: 'getThing', responses: {} } } },
  }
  return {
    name: 'One tool',
    source: { document: JSON.stringify(document) },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: loginUrl, username: 'ada', password: CANARY },
  }
}

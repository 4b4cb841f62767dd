import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { at, callApi, callTool, post, TOOLS_LIST } from './support/client.ts'
import { forge, signWith } from './support/jws.ts'

const EXPIRED = 'JWT token has expired'
const START = Date.UTC(2026, 10, 20)

/** A clock that a test turns by hand. */
function handTurned(): { readonly now: () => number; advance(milliseconds: number): void } {
  let time = START
  return {
    now: () => time,
    advance(milliseconds) {
      time += milliseconds
    },
  }
}

async function makeWorkspace(gateway: TestGateway, callers: TestCallers): Promise<{ id: string; endpoint: string }> {
  const made = await gateway.makeWorkspace({ name: 'cached', auth: callers.auth })
  return { id: made.workspace.id, endpoint: made.endpoint }
}

/** Lets the token in twice: a result is kept from the second time on. */
async function remember(endpoint: string, token: string): Promise<void> {
  for (let time = 0; time < 2; time += 1) assert.equal(await statusOf(endpoint, token), 200)
}

async function statusOf(endpoint: string, token: string): Promise<number> {
  return (await post(endpoint, TOOLS_LIST, { token })).status
}

suite('T31: a remembered result never outlives what it stands on', () => {
  test('a cached token is refused from the second of its exp on, however long results may be kept', async () => {
    const clock = handTurned()
    const callers = testCallers({ cacheTtlMs: 3_600_000 }, clock.now)
    await using gateway = await startGateway({ now: clock.now })
    const { endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token({ exp: START / 1000 + 10 })
    await remember(endpoint, token)
    clock.advance(9_999)
    assert.equal(await statusOf(endpoint, token), 200, 'a millisecond before exp it is good')
    clock.advance(1)
    const answer = await post(endpoint, TOOLS_LIST, { token })
    assert.equal(answer.status, 401)
    assert.equal(at(answer.json, 'error_description'), EXPIRED)
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  })

  test('a call by a token that has just expired does not reach the API', async () => {
    const clock = handTurned()
    const callers = testCallers({ cacheTtlMs: 3_600_000 }, clock.now)
    await using upstream = await startRecordingApi()
    await using gateway = await startGateway({ now: clock.now })
    const document = JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'Things', version: '1' },
      servers: [{ url: upstream.url }],
      paths: { '/things': { get: { operationId: 'listThings' } } },
    })
    const { endpoint } = await gateway.makeWorkspace({ name: 'x', source: { document }, auth: callers.auth })
    const token = await callers.token({ exp: START / 1000 + 60 })
    await remember(endpoint, token)
    assert.equal((await callTool(endpoint, token, 'listThings')).isError, false)
    clock.advance(60_000)
    assert.equal((await callTool(endpoint, token, 'listThings')).status, 401)
    assert.equal(upstream.seen.length, 1)
  })

  test('leeway for exp is leeway of the check, not of the cache: past it nothing is let in', async () => {
    const clock = handTurned()
    const callers = testCallers({ cacheTtlMs: 3_600_000, clockToleranceSeconds: 30 }, clock.now)
    await using gateway = await startGateway({ now: clock.now })
    const { endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token({ exp: START / 1000 + 10 })
    await remember(endpoint, token)
    clock.advance(39_999)
    assert.equal(await statusOf(endpoint, token), 200)
    clock.advance(1)
    assert.equal(await statusOf(endpoint, token), 401)
  })

  const changes: readonly { readonly name: string; readonly auth: (callers: TestCallers) => unknown }[] = [
    { name: 'another secret', auth: () => testCallers().auth },
    { name: 'another audience', auth: (callers) => changed(callers, { audience: 'somebody-else' }) },
    { name: 'another issuer', auth: (callers) => changed(callers, { issuer: 'https://another.example' }) },
    { name: 'another algorithm', auth: (callers) => changed(callers, { algorithms: ['HS512'] }) },
  ]
  for (const { name, auth } of changes) {
    test(`a cached token is refused by the first request after ${name} was set`, async () => {
      const callers = testCallers({ cacheTtlMs: 3_600_000 })
      await using gateway = await startGateway()
      const { id, endpoint } = await makeWorkspace(gateway, callers)
      const token = await callers.token()
      await remember(endpoint, token)
      const answer = await callApi(gateway, 'PATCH', `/api/workspaces/${id}`, { auth: auth(callers) })
      assert.equal(answer.status, 200, answer.text)
      assert.equal(await statusOf(endpoint, token), 401)
      const back = await callApi(gateway, 'PATCH', `/api/workspaces/${id}`, { auth: callers.auth })
      assert.equal(back.status, 200)
      assert.equal(await statusOf(endpoint, token), 200, 'the old settings are good again')
    })
  }

  test('a cached token lacks a scope from the first request after that scope was asked for', async () => {
    const callers = testCallers({ cacheTtlMs: 3_600_000 })
    await using gateway = await startGateway()
    const { id, endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token({ scope: 'read' })
    await remember(endpoint, token)
    await callApi(gateway, 'PATCH', `/api/workspaces/${id}`, { auth: changed(callers, { requiredScopes: ['write'] }) })
    const answer = await post(endpoint, TOOLS_LIST, { token })
    assert.equal(answer.status, 403)
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="insufficient_scope".*scope="write"/)
  })

  test('a cached token is refused once its key has left the key set and results may no longer be kept', async () => {
    const clock = handTurned()
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const successor = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    let keys = [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'first' }]
    await using keySet = await startRecordingApi(() => ({ status: 200, body: { keys } }))
    await using gateway = await startGateway({ now: clock.now })
    const jwt = { jwksUrl: `${keySet.url}/jwks`, issuer: 'https://issuer.example', audience: 'gatehouse-test' }
    const { endpoint } = await gateway.makeWorkspace({ name: 'keys', auth: { authType: 'jwt', jwt } })
    const seconds = START / 1000
    const claims = { iss: jwt.issuer, aud: jwt.audience, sub: 'x', iat: seconds, exp: seconds + 86_400 }
    const token = forge({ alg: 'ES256', kid: 'first' }, claims, signWith(pair.privateKey))
    await remember(endpoint, token)
    keys = [{ ...successor.publicKey.export({ format: 'jwk' }), kid: 'second' }]
    // An hour later the set is fetched before anybody is let in by the old one.
    clock.advance(3_600_000)
    assert.equal(await statusOf(endpoint, token), 401)
  })

  test('a remembered result is of the whole token: the same signature under other claims is refused', async () => {
    const callers = testCallers({ cacheTtlMs: 3_600_000 })
    await using gateway = await startGateway()
    const { endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token()
    await remember(endpoint, token)
    const [header, payload = '', signature] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const other = Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url')
    const answer = await post(endpoint, TOOLS_LIST, { token: `${header}.${other}.${signature}` })
    assert.equal(answer.status, 401)
    assert.equal(at(answer.json, 'error_description'), 'JWT verification failed: invalid signature')
  })

  test('a workspace that was deleted lets no cached token in', async () => {
    const callers = testCallers()
    await using gateway = await startGateway()
    const { id, endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token()
    await remember(endpoint, token)
    assert.equal((await callApi(gateway, 'DELETE', `/api/workspaces/${id}`)).status, 204)
    assert.equal(await statusOf(endpoint, token), 404)
  })

  test('a restart remembers nobody', async () => {
    const clock = handTurned()
    const callers = testCallers({ cacheTtlMs: 3_600_000 }, clock.now)
    await using gateway = await startGateway({ now: clock.now })
    const { endpoint } = await makeWorkspace(gateway, callers)
    const token = await callers.token({ exp: START / 1000 + 10 })
    await remember(endpoint, token)
    await gateway.restart()
    assert.equal(await statusOf(endpoint, token), 200)
    clock.advance(10_000)
    assert.equal(await statusOf(endpoint, token), 401)
  })
})

function changed(callers: TestCallers, settings: Readonly<Record<string, unknown>>): unknown {
  return { authType: 'jwt', jwt: [{ ...callers.auth.jwt[0], cacheTtlMs: 3_600_000, ...settings }] }
}

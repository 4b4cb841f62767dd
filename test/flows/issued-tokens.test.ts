import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { z } from 'zod'
import { testCallers } from '../../src/testing/callers.ts'
import { at, callTool, rpc, send, textAt } from './http.ts'
import { decoded, handTurned, startIssuing, statusOf, statusWith } from './issuing.ts'

const HOUR = 3_600_000
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) })

suite('a token that the gateway issues', () => {
  test('is ES256 under a key made at the first one, with all its claims, and everybody can verify it (B1, B2, B9)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const jwks = `${house.gateway.url}/.well-known/jwks.json`
    assert.deepEqual((await send('GET', jwks)).body, { keys: [] })
    const made = await house.issue('tokens', {
      description: 'Production API Access',
      expires: '1h',
      scopes: ['mcp'],
      subject: 'ada',
    })
    const { header, claims } = decoded(made.value)
    const seconds = clock.now() / 1000
    const aud = textAt(claims, 'aud')
    assert.match(aud.slice(house.gateway.url.length), /^\/accounts\/[0-9a-f]{16}$/)
    assert.deepEqual(claims, {
      iss: house.gateway.url,
      sub: 'ada',
      aud,
      iat: seconds,
      exp: seconds + 3600,
      jti: made.id,
      scope: 'mcp',
    })
    const published = await send('GET', jwks)
    assert.deepEqual(header, { alg: 'ES256', typ: 'at+jwt', kid: textAt(published.body, 'keys', 0, 'kid') })
    assert.equal(published.headers.get('cache-control'), 'public, max-age=300')
    const keys = createLocalJWKSet(keySet.parse(published.body))
    const checks = { issuer: house.gateway.url, audience: aud, currentDate: new Date(clock.now()) }
    assert.equal((await jwtVerify(made.value, keys, checks)).payload.sub, 'ada')
    assert.equal(at(made, 'expiresAt'), new Date(clock.now() + HOUR).toISOString())
    // The description is for people, and stays here.
    assert.ok(!Buffer.from(made.value.split('.')[1] ?? '', 'base64url').includes('Production'))
  })

  test('turns the check on for the workspace that it is associated with (B3)', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    assert.equal((await rpc(url, 'tools/list')).status, 200)
    const { id, value } = await house.issue('tokens', { description: 'x' })
    assert.equal((await rpc(url, 'tools/list')).status, 200)
    await house.issued('POST', `/api/tokens/${id}/workspaces`, { workspace: 'shop' })
    const refused = await rpc(url, 'tools/list')
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer resource_metadata=/)
    assert.equal(await statusOf(url, value), 200)
    assert.equal((await callTool(url, 'getStats', { token: value })).isError, false)
    assert.equal(await statusWith(url, { 'agent-session': value }), 200)
  })

  test('leaves the check on when it was the last one, also after a restart, until none is written (B3)', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    const { id, value } = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    assert.equal(await statusOf(url, value), 200)
    const left = await house.issued('DELETE', `/api/tokens/${id}/workspaces/shop`)
    assert.deepEqual(left.workspaces, [])
    assert.equal(left.usage, null)
    for (let start = 0; start < 2; start += 1) {
      assert.equal(await statusOf(url, value), 401)
      assert.equal((await rpc(url, 'tools/list')).status, 401)
      await house.gateway.restart()
    }
    await house.admin('PATCH', '/api/workspaces/shop', { auth: { authType: 'none' } })
    assert.equal((await rpc(url, 'tools/list')).status, 200)
  })

  test('opens a workspace beside its own verifiers, which stay (B3)', async () => {
    await using house = await startIssuing()
    const callers = testCallers()
    const { url } = await house.make('Shop', { auth: callers.auth })
    const { value } = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    assert.equal(await statusOf(url, value), 200)
    assert.equal(await statusOf(url, await callers.token()), 200)
    // A token of the workspace's issuer that says it is ours is judged as ours.
    assert.equal(await statusOf(url, await callers.token({ iss: house.gateway.url })), 401)
  })

  test('has no fewer scopes than every verifier of the workspace asks for', async () => {
    await using house = await startIssuing()
    const callers = testCallers({ requiredScopes: ['mcp:call'] })
    const { url } = await house.make('Shop', { auth: callers.auth })
    const poor = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    const rich = await house.issue('tokens', { description: 'x', workspaces: ['shop'], scopes: ['mcp:call'] })
    assert.deepEqual([await statusOf(url, poor.value), await statusOf(url, rich.value)], [403, 200])
  })

  test('is refused on a workspace that it does not open, before and after it was used (B4)', async () => {
    await using house = await startIssuing()
    const [a, b] = [await house.make('A'), await house.make('B')]
    const ofA = await house.issue('tokens', { description: 'a', workspaces: ['a'] })
    await house.issue('tokens', { description: 'b', workspaces: ['b'] })
    for (let round = 0; round < 3; round += 1) {
      const refused = await rpc(b.url, 'tools/list', { token: ofA.value })
      assert.equal(refused.status, 401)
      assert.equal(
        at(refused.body, 'error_description'),
        'JWT verification failed: the audience (aud) is not this server',
      )
      assert.equal(await statusOf(a.url, ofA.value), 200)
    }
  })

  test('is listed and shown with all that people want to know, and never again with its value (B5, B7)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url, id: workspaceId } = await house.make('Shop')
    await house.make('Other')
    const made = await house.issue('tokens', { description: 'first', expires: '1h', workspaces: ['shop'] })
    clock.advance(1000)
    const endless = await house.issue('tokens', { description: 'second', expires: 'never', workspaces: [] })
    const listed = await house.admin('GET', '/api/tokens')
    assert.ok(!listed.text.includes(made.value.slice(20)))
    assert.deepEqual([at(listed.body, 0, 'id'), at(listed.body, 1, 'id')], [endless.id, made.id])
    const { value, ...view } = made
    assert.equal(view.preview, `${value.slice(0, 10)}…${value.slice(-4)}`)
    assert.deepEqual(at(listed.body, 1), view)
    assert.deepEqual((await house.admin('GET', `/api/tokens/${made.id}`)).body, view)
    assert.deepEqual(view.workspaces, [{ id: workspaceId, slug: 'shop', url, isDefault: false }])
    assert.deepEqual([view.status, view.reason, view.lastUsedAt], ['Active', null, null])
    assert.equal(at(listed.body, 0, 'expiresAt'), null)
    assert.ok(view.usage?.curl.startsWith(`curl -X POST ${url} `))
    assert.deepEqual(at(view.usage?.client, 'mcpServers', 'shop', 'url'), url)
    assert.equal(at((await house.admin('GET', '/api/tokens?workspace=shop')).body, 1), undefined)
    clock.advance(HOUR)
    const ended = await house.issued('GET', `/api/tokens/${made.id}`)
    assert.deepEqual([ended.status, ended.reason], ['Inactive', 'expired'])
    const refused = await rpc(url, 'tools/list', { token: value })
    assert.equal(at(refused.body, 'error_description'), 'JWT token has expired')
  })

  test('shows when it was last used, also after a restart (B6)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url } = await house.make('Shop')
    const { id, value } = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    const lastUsed = async () => (await house.issued('GET', `/api/tokens/${id}`)).lastUsedAt
    assert.equal(await lastUsed(), null)
    for (let use = 0; use < 2; use += 1) {
      clock.advance(5000)
      await statusOf(url, value)
      assert.equal(await lastUsed(), new Date(clock.now()).toISOString())
    }
    clock.advance(5000)
    await statusOf(url, value)
    await house.gateway.restart()
    assert.equal(await lastUsed(), new Date(clock.now()).toISOString())
  })

  test('is revoked for the very next call, also where it was remembered, and after a restart (B8)', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    const { id, value } = await house.issue('tokens', { description: 'x', expires: 'never', workspaces: ['shop'] })
    for (let use = 0; use < 3; use += 1) assert.equal(await statusOf(url, value), 200)
    const revoked = await house.issued('POST', `/api/tokens/${id}/revoke`)
    assert.deepEqual([revoked.status, revoked.reason], ['Inactive', 'revoked'])
    const refused = await rpc(url, 'tools/list', { token: value })
    assert.equal(refused.status, 401)
    assert.equal(at(refused.body, 'error_description'), 'JWT verification failed: the token has been revoked')
    await house.issued('POST', `/api/tokens/${id}/revoke`)
    // No association brings it back.
    await house.issued('POST', `/api/tokens/${id}/workspaces`, { workspace: 'shop' })
    assert.equal(await statusOf(url, value), 401)
    await house.gateway.restart()
    assert.equal(await statusOf(url, value), 401)
    assert.deepEqual((await house.issued('GET', `/api/tokens/${id}`)).reason, 'revoked')
  })

  test('stays good over a restart, with what it opens', async () => {
    await using house = await startIssuing()
    const [shop, other] = [await house.make('Shop'), await house.make('Other')]
    const { value } = await house.issue('tokens', { description: 'x', expires: 'never', workspaces: ['shop'] })
    await house.issue('tokens', { description: 'y', workspaces: ['other'] })
    await house.gateway.restart()
    assert.deepEqual([await statusOf(shop.url, value), await statusOf(other.url, value)], [200, 401])
  })

  test('cannot be had for a workspace that is not there, or kept open by the config file', async () => {
    await using house = await startIssuing({ config: { workspaces: [{ name: 'Kept' }] } })
    const unknown = await house.admin('POST', '/api/tokens', { description: 'x', workspaces: ['nowhere'] })
    assert.equal(unknown.status, 404)
    const kept = await house.admin('POST', '/api/tokens', { description: 'x', workspaces: ['kept'] })
    assert.equal(kept.status, 409)
    assert.match(textAt(kept.body, 'detail'), /kept by the config file: set its auth there/)
    assert.deepEqual((await house.admin('GET', '/api/tokens')).body, [])
    for (const body of [
      {},
      { description: 'x', expires: '1y' },
      { description: 'x', expires: '9999d' },
      { description: 'x', scopes: ['a b'] },
    ]) {
      assert.equal((await house.admin('POST', '/api/tokens', body)).status, 400, JSON.stringify(body))
    }
    for (const path of ['/api/tokens/x', '/api/tokens/x/revoke', '/api/keys/x/revoke']) {
      assert.equal((await house.admin(path.endsWith('x') ? 'GET' : 'POST', path)).status, 404)
    }
    assert.equal((await send('GET', `${house.gateway.url}/api/tokens`)).status, 401)
  })
})

suite('a session token', () => {
  test('is good for fifteen minutes, for the user that the backend names (B11)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url } = await house.make('Shop')
    const made = await house.issue('sessions', { subject: 'user-17', workspaces: ['shop'], scopes: ['mcp'] })
    assert.equal(at(decoded(made.value).claims, 'sub'), 'user-17')
    assert.equal(made.expiresAt, new Date(clock.now() + 900_000).toISOString())
    assert.equal((await callTool(url, 'getStats', { token: made.value })).isError, false)
    const { body } = await house.admin('GET', '/api/logs?tool=getStats')
    assert.equal(at(body, 'lines', 0, 'subject'), 'user-17')
    clock.advance(899_999)
    assert.equal(await statusOf(url, made.value), 200)
    clock.advance(1)
    assert.equal(await statusOf(url, made.value), 401)
    // The next one sweeps those that have ended.
    await house.issue('sessions', { subject: 'user-18', workspaces: ['shop'] })
    assert.equal((await house.admin('GET', `/api/sessions/${made.id}`)).status, 404)
    for (const body of [
      { subject: 'x' },
      { subject: 'x', workspaces: [] },
      { subject: 'x', workspaces: ['shop'], expires: '2h' },
    ]) {
      assert.equal((await house.admin('POST', '/api/sessions', body)).status, 400)
    }
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { at, callTool, rpc, textAt } from './http.ts'
import { handTurned, startIssuing, statusOf, statusWith } from './issuing.ts'

const SHAPE = /^mcp_sk_[A-Za-z0-9_-]{43}$/

suite('an API key', () => {
  test('opens its workspaces, as a bearer or in X-API-Key, and no other (A29)', async () => {
    await using house = await startIssuing()
    const [shop, other] = [await house.make('Shop'), await house.make('Other')]
    const { value } = await house.issue('keys', { name: 'ci', workspaces: ['shop'] })
    await house.issue('keys', { name: 'other', workspaces: ['other'] })
    assert.match(value, SHAPE)
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await rpc(shop.url, 'tools/list')).status, 401)
      assert.equal(await statusOf(shop.url, value), 200)
      assert.equal(await statusWith(shop.url, { 'x-api-key': value }), 200)
      const refused = await rpc(other.url, 'tools/list', { token: value })
      assert.equal(refused.status, 401)
      assert.equal(at(refused.body, 'error_description'), 'API key is not valid for this server')
      assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
    }
    assert.equal((await callTool(shop.url, 'getStats', { token: value })).isError, false)
  })

  test('is taken in the order Bearer, X-API-Key, agent-session; who names one is held to it (A29)', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    const { value: key } = await house.issue('keys', { name: 'ci', workspaces: ['shop'] })
    const { value: token } = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    const bad = `mcp_sk_${'x'.repeat(43)}`
    const cases: readonly [Readonly<Record<string, string>>, number][] = [
      [{ authorization: `Bearer ${bad}`, 'x-api-key': key }, 401],
      [{ authorization: `Bearer ${token}`, 'x-api-key': bad }, 200],
      [{ authorization: 'Basic eDp5', 'x-api-key': key }, 200],
      [{ authorization: '', 'x-api-key': key }, 200],
      [{ 'x-api-key': bad, 'agent-session': token }, 401],
      [{ 'x-api-key': key, 'agent-session': 'nonsense' }, 200],
      [{ 'x-api-key': '', 'agent-session': token }, 200],
      [{ 'x-api-key': token }, 401],
      [{ 'agent-session': key }, 401],
      [{ 'x-api-key': `${key}, ${key}` }, 401],
      [{ 'x-api-key': `${key} ${key}` }, 401],
    ]
    for (const [headers, status] of cases) assert.equal(await statusWith(url, headers), status, JSON.stringify(headers))
    // Twice in the request, not only joined by us.
    const twice = await fetch(url, {
      method: 'POST',
      headers: [
        ['content-type', 'application/json'],
        ['x-api-key', key],
        ['x-api-key', key],
      ],
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    assert.equal(twice.status, 401)
    await twice.body?.cancel()
  })

  test('is told apart from one that is malformed, unknown, ended or revoked (A29)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url } = await house.make('Shop')
    const ending = await house.issue('keys', { name: 'a', expires: '1h', workspaces: ['shop'] })
    const revoked = await house.issue('keys', { name: 'b', workspaces: ['shop'] })
    assert.deepEqual([await statusOf(url, ending.value), await statusOf(url, revoked.value)], [200, 200])
    await house.issued('POST', `/api/keys/${revoked.id}/revoke`)
    clock.advance(3_600_000)
    const words = async (key: string) => at((await rpc(url, 'tools/list', { token: key })).body, 'error_description')
    assert.equal(await words(ending.value), 'API key has expired')
    assert.equal(await words(revoked.value), 'API key has been revoked')
    assert.equal(await words(`mcp_sk_${'x'.repeat(43)}`), 'Invalid API key')
    for (const malformed of ['mcp_sk_', 'sk_live_1234', `${revoked.value}x`, revoked.value.slice(0, -1)]) {
      assert.equal(await words(malformed), 'Invalid API key format', malformed)
    }
    await house.gateway.restart()
    assert.equal(await words(revoked.value), 'API key has been revoked')
  })

  test('has a name, scopes, a subject, and is shown once; afterwards only its beginning (B10)', async () => {
    await using house = await startIssuing()
    const { auth } = testCallers({ requiredScopes: ['mcp:call'] })
    const { url } = await house.make('Shop', { auth })
    const made = await house.issue('keys', { name: 'ci', scopes: ['mcp:call'], subject: 'robot', workspaces: ['shop'] })
    const poor = await house.issue('keys', { name: 'poor', scopes: ['other'], workspaces: ['shop'] })
    assert.deepEqual([await statusOf(url, made.value), await statusOf(url, poor.value)], [200, 403])
    const shown = await house.admin('GET', `/api/keys/${made.id}`)
    assert.ok(!shown.text.includes(made.value.slice(12)))
    assert.equal(made.preview, `${made.value.slice(0, 12)}…`)
    assert.deepEqual([made['description'], made.subject, made.expiresAt], ['ci', 'robot', null])
    assert.match(textAt(shown.body, 'lastUsedAt'), /^\d{4}-/)
    await callTool(url, 'getStats', { token: made.value })
    const { body } = await house.admin('GET', '/api/logs?tool=getStats')
    assert.deepEqual([at(body, 'lines', 0, 'subject'), at(body, 'lines', 0, 'issuer')], ['robot', house.gateway.url])
    assert.equal((await house.admin('GET', `/api/tokens/${made.id}`)).status, 404)
  })

  test('is the default of a workspace when it was the last one to be made that (B10)', async () => {
    await using house = await startIssuing()
    await house.make('Shop')
    const first = await house.issue('keys', { name: 'a', workspaces: ['shop'], isDefault: true })
    const second = await house.issue('keys', { name: 'b', workspaces: ['shop'] })
    const isDefault = async (id: string) => (await house.issued('GET', `/api/keys/${id}`)).workspaces[0]?.isDefault
    assert.deepEqual([await isDefault(first.id), await isDefault(second.id)], [true, false])
    await house.issued('POST', `/api/keys/${second.id}/workspaces`, { workspace: 'shop', isDefault: true })
    assert.deepEqual([await isDefault(first.id), await isDefault(second.id)], [false, true])
  })
})

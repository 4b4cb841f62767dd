import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { createEgress } from '../egress/create-egress.ts'
import { mergeHeaders } from '../egress/merge-headers.ts'
import { upstreamSettings } from '../workspaces/settings.ts'
import { NO_CREDENTIAL } from './credential.ts'
import { createCredentials } from './credentials.ts'

const ctx = { requestId: 'req-1' }
const world = {
  egress: createEgress(),
  reach: 'operator',
  now: () => 1_700_000_000_000,
  writeRecord: () => {},
  workspace: { id: 'abc', slug: 'shop' },
} as const

const credentialsOf = (settings: unknown, params: Record<string, string> = {}) =>
  createCredentials(upstreamSettings.parse(settings), params, world).of(undefined)

suite('credentials give', () => {
  const params = { key: 'k-1', user: 'ann', pw: 'p:w' }
  const cases: readonly { name: string; settings: unknown; headers: Record<string, string> }[] = [
    { name: 'nothing for none', settings: {}, headers: {} },
    {
      name: 'a static bearer',
      settings: { auth: { type: 'bearer', token: 'abc' } },
      headers: { Authorization: 'Bearer abc' },
    },
    {
      name: 'an API key in X-Api-Key',
      settings: { auth: { type: 'apiKey', value: '{{key}}' } },
      headers: { 'X-Api-Key': 'k-1' },
    },
    {
      name: 'an API key in another header',
      settings: { auth: { type: 'apiKey', header: 'X-Token', value: 'v' } },
      headers: { 'X-Token': 'v' },
    },
    {
      name: 'basic',
      settings: { auth: { type: 'basic', username: '{{user}}', password: '{{pw}}' } },
      headers: { Authorization: `Basic ${Buffer.from('ann:p:w').toString('base64')}` },
    },
    {
      name: 'own headers with params, of which the credential wins',
      settings: {
        auth: { type: 'bearer', token: 'abc' },
        headers: { 'X-Tenant': 't-{{key}}', authorization: 'Basic other' },
      },
      headers: { Authorization: 'Bearer abc', 'X-Tenant': 't-k-1' },
    },
  ]
  for (const { name, settings, headers } of cases) {
    test(name, async () => {
      const credentials = credentialsOf(settings, params)
      const credential = await credentials.get(ctx)
      assert.deepEqual(credential, { ...NO_CREDENTIAL, headers })
      assert.equal(await credentials.renew(ctx, credential), undefined)
    })
  }
})

suite('credentials refuse to call without', () => {
  const cases = [
    {
      name: 'a token or a login_url',
      settings: { auth: { type: 'bearer' } },
      message: /login_url, username and password/,
    },
    {
      name: 'the param of a key',
      settings: { auth: { type: 'apiKey', value: '{{key}}' } },
      message: /param key is not set/,
    },
    { name: 'an API key', settings: { auth: { type: 'apiKey', value: '' } }, message: /No API key/ },
    {
      name: 'username and password',
      settings: { auth: { type: 'basic', username: '', password: '' } },
      message: /No username/,
    },
    { name: 'the param of a header', settings: { headers: { 'X-A': '{{nope}}' } }, message: /param nope/ },
    { name: 'a value for a header', settings: { headers: { 'X-A': '{{empty}}' } }, message: /header X-A is empty/ },
  ]
  for (const { name, settings, message } of cases) {
    test(name, () => {
      const credentials = credentialsOf(settings, { empty: '' })
      assert.throws(() => credentials.get(ctx), { code: 'credential_missing', message })
    })
  }

  test('a username that keeps out of the password', () => {
    const credentials = credentialsOf({ auth: { type: 'basic', username: 'a:b', password: 'c' } })
    assert.throws(() => credentials.get(ctx), { code: 'unsafe_value' })
  })
})

test('a credential replaces what a tool argument put in the same header, whatever its case (D17)', () => {
  const merged = mergeHeaders(
    { authorization: 'mine', AUTHORIZATION: 'mine too', 'x-a': '1' },
    { Authorization: 'ours' },
  )
  assert.deepEqual(merged, { Authorization: 'ours', 'x-a': '1' })
})

test('a bearer from a login is injected, kept and renewed, and no print of the credentials shows a secret', async () => {
  let logins = 0
  const server = http.createServer((_request, response) => {
    logins += 1
    response.end(JSON.stringify({ token: `canary-token-${logins}` }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const login_url = `http://127.0.0.1:${address.port}/canary-login`
  const settings = { auth: { type: 'bearer' }, headers: { 'X-User': '{{username}}' } }
  const credentials = credentialsOf(settings, { login_url, username: 'canary-user', password: 'canary-password' })
  const first = await credentials.get(ctx)
  assert.deepEqual(first.headers, { 'X-User': 'canary-user', Authorization: 'Bearer canary-token-1' })
  assert.equal(credentials.get(ctx), first)
  const renewed = await credentials.renew(ctx, first)
  assert.equal(renewed?.headers['Authorization'], 'Bearer canary-token-2')
  assert.equal(await credentials.renew(ctx, first), renewed)
  assert.equal(logins, 2)
  const printed = inspect(credentials, { depth: 9, showHidden: true }) + JSON.stringify(credentials)
  assert.ok(!printed.includes('canary'), printed)
  server.close()
})

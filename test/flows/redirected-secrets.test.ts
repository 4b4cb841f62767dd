import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { accepted, type Caller, startTeams } from './accounts.ts'
import { at, textAt } from './http.ts'

const HOME = 'https://api.example/v1'
const THIEF = 'https://thief.example'

function described(server: string) {
  const paths = { '/items': { get: { operationId: 'listItems', responses: {} } } }
  return JSON.stringify({ openapi: '3.1.0', info: { title: 'T', version: '1' }, servers: [{ url: server }], paths })
}

const LOGIN = { login_url: 'https://id.example/login', username: 'ada', password: 'secret-of-ada' }

/** A workspace with a secret of every kind, made by an admin. */
const SHOP = {
  name: 'Shop',
  source: { document: described(HOME) },
  params: LOGIN,
  upstream: {
    auth: { type: 'apiKey', value: 'k-of-ada' },
    security: { other: { type: 'bearer', token: 't-of-ada' } },
    headers: { 'X-Shared': 'h-of-ada' },
  },
}

/** All of them anew. */
const ANEW = {
  upstream: {
    auth: { type: 'apiKey', value: 'k-of-dan' },
    security: { other: { type: 'bearer', token: 't-of-dan' } },
    headers: { 'X-Shared': 'h-of-dan' },
  },
  params: { username: 'dan', password: 'secret-of-dan' },
}

async function startShop() {
  const teams = await startTeams()
  const amy = await teams.person('amy', { role: 'admin' })
  const dan = await teams.person('dan', { role: 'developer' })
  await accepted(amy.call('POST', '/api/workspaces', SHOP))
  return { amy, dan, [Symbol.asyncDispose]: () => teams[Symbol.asyncDispose]() }
}

const shown = async (call: Caller) => (await accepted(call('GET', '/api/workspaces/shop'))).body
const patch = (call: Caller, body: unknown) => call('PATCH', '/api/workspaces/shop', body)
const reimport = (call: Caller, server: string) =>
  call('POST', '/api/workspaces/shop/import', { document: described(server) })

suite('a saved secret goes to no new address because somebody who may not read it names one', () => {
  const redirections = {
    'the base URL': (call: Caller) => patch(call, { upstream: { baseUrl: THIEF } }),
    'another port of the same host': (call: Caller) =>
      patch(call, { upstream: { baseUrl: `${HOME.slice(0, -3)}:8443` } }),
    'the address of the login': (call: Caller) => patch(call, { params: { login_url: `${THIEF}/login` } }),
    'the address of the refresh': (call: Caller) => patch(call, { params: { refresh_url: `${THIEF}/refresh` } }),
    'another document': (call: Caller) => reimport(call, THIEF),
    'the base URL, with a part of the secrets anew': (call: Caller) =>
      patch(call, { ...ANEW, params: { username: 'dan' }, upstream: { ...ANEW.upstream, baseUrl: THIEF } }),
  }
  for (const [name, redirect] of Object.entries(redirections)) {
    test(name, async () => {
      await using shop = await startShop()
      const before = await shown(shop.amy.call)
      const refused = await redirect(shop.dan.call)
      assert.equal(refused.status, 403, refused.text)
      assert.match(
        textAt(refused.body, 'detail'),
        /^This would send what is saved here \(.*params\.password.*\) to https:/,
      )
      assert.ok(!refused.text.includes('of-ada'))
      assert.deepEqual(await shown(shop.amy.call), before)
      // Whoever says who gets in, may.
      await accepted(redirect(shop.amy.call))
    })
  }

  test('and each is named that would go', async () => {
    await using shop = await startShop()
    const { body } = await patch(shop.dan.call, { upstream: { baseUrl: THIEF } })
    assert.match(
      textAt(body, 'detail'),
      /\(auth, security\.other, headers\.X-Shared, params\.username, params\.password\) to https:\/\/thief\.example,/,
    )
  })
})

suite('somebody who may change addresses, but not read secrets, still', () => {
  test('changes what goes to the same origin, and everything else', async () => {
    await using shop = await startShop()
    await accepted(patch(shop.dan.call, { upstream: { baseUrl: 'https://api.example/v2', timeoutMs: 5_000 } }))
    await accepted(patch(shop.dan.call, { params: { login_url: 'https://id.example/other' }, tools: 'all' }))
    await accepted(reimport(shop.dan.call, 'https://api.example/v3'))
  })

  test('names another one together with all secrets anew, or without any', async () => {
    await using shop = await startShop()
    await accepted(patch(shop.dan.call, { ...ANEW, upstream: { ...ANEW.upstream, baseUrl: THIEF } }))
    assert.equal(at(at(await shown(shop.dan.call), 'upstream'), 'baseUrl'), THIEF)
    const none = { auth: { type: 'none' }, security: { other: null }, headers: {} }
    const params = { username: null, password: null }
    await accepted(patch(shop.dan.call, { params, upstream: { ...none, baseUrl: 'https://else.example' } }))
    await accepted(patch(shop.dan.call, { upstream: { baseUrl: 'https://third.example' } }))
  })
})

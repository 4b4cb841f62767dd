import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type FaultyApi, startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { callApi, callTool } from '../attacks/support/client.ts'
import { documentWith, openShop, type Shop } from './support/bystander.ts'

const PASSWORD = 'a-password-that-nobody-may-see'

let shop: Shop
let faulty: FaultyApi
let api: TestApi
let time = Date.UTC(2026, 10, 20)

before(async () => {
  shop = await openShop({ now: () => time })
  faulty = await startFaultyApi()
  api = await startTestApi({ mode: 'jwt', now: () => time })
})

after(async () => {
  await shop[Symbol.asyncDispose]()
  await faulty[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

/** A workspace whose API is good and whose login is this one. */
async function withLogin(params: Readonly<Record<string, string>>) {
  const document = documentWith(api.url, { '/api/stats': { get: { operationId: 'getStats' } } })
  const upstream = { auth: { type: 'bearer' } }
  return shop.make({ name: 'login', source: { document }, upstream, params })
}

const user = { username: 'admin', password: PASSWORD }
const failed = 'The login to the API failed.'

suite('a login that fails is told to the model in words, and to nobody else,', () => {
  const cases: readonly { readonly name: string; readonly path: string; readonly says: string }[] = [
    {
      name: 'when it answers with a web page',
      path: '/login/html',
      says: `${failed} The login URL answered with a web page, not with JSON. Check that login_url is the API’s endpoint, not its login page.`,
    },
    {
      name: 'when there is no token in its answer',
      path: '/login/no-token',
      says: `${failed} The login URL answered without a token. Looked for accessToken, access_token, token, jwt; say where it stands with a JSON pointer (auth.login.accessToken).`,
    },
    {
      name: 'when the password is wrong',
      path: '/login/wrong',
      says: `${failed} The login URL answered 401 Unauthorized. Check the params username and password.`,
    },
    {
      name: 'when it repeats the password in its refusal',
      path: '/login/echo',
      says: `${failed} The login URL answered 400 Bad Request. Check username and password, and that the API takes the login body in this form (auth.login).`,
    },
    {
      name: 'when it redirects',
      path: '/login/redirect',
      says: `${failed} The login URL answered 302 Found. Credentials are not sent on to another address: set login_url to the final one.`,
    },
    {
      name: 'when there is nothing at its address',
      path: '/login/gone',
      says: `${failed} The login URL answered 404 Not Found. Check the param login_url.`,
    },
    {
      name: 'when it drops the line',
      path: '/drop',
      says: `${failed} The login URL could not be reached: the connection was dropped.`,
    },
    {
      name: 'when it answers half',
      path: '/half',
      says: `${failed} The login URL could not be reached: the connection was dropped.`,
    },
    {
      name: 'when it answers without end',
      path: '/huge',
      says: `${failed} The login URL answered with more than the limit of 1 MB.`,
    },
    {
      name: 'when it does not work',
      path: '/broken',
      says: `${failed} The login URL answered 500 Internal Server Error. The API’s login does not work at the moment.`,
    },
    {
      name: 'when it wants fewer logins',
      path: '/limited',
      says: `${failed} The login URL answered 429 Too Many Requests. The API wants fewer logins.`,
    },
    {
      name: 'when it answers what only begins as JSON',
      path: '/not-json',
      says: `${failed} The login URL answered with something that is not JSON. Check the param login_url.`,
    },
  ]
  for (const { name, path, says } of cases) {
    test(name, async () => {
      const { endpoint } = await withLogin({ ...user, login_url: faulty.url + path })
      const called = await callTool(endpoint, shop.token, 'getStats')
      assert.equal(called.status, 200)
      assert.equal(called.isError, true)
      assert.equal(called.result, says)
      await shop.assertOthersAreServed()
      const logs = await callApi(shop.gateway, 'GET', '/api/logs?limit=2&kind=login')
      assert.ok(logs.text.includes(JSON.stringify(says)), 'the record says it too')
      assert.ok(!logs.text.includes(PASSWORD))
    })
  }

  test('when nobody listens at its address', async () => {
    const { endpoint } = await withLogin({ ...user, login_url: 'http://127.0.0.1:1/auth/login' })
    const called = await callTool(endpoint, shop.token, 'getStats')
    assert.equal(called.result, `${failed} The login URL could not be reached: the connection was refused.`)
    await shop.assertOthersAreServed()
  })

  test('when its address is none', async () => {
    for (const login_url of ['auth/login', 'ftp://127.0.0.1/', `http://me:${PASSWORD}@127.0.0.1/`]) {
      const { endpoint } = await withLogin({ ...user, login_url })
      const called = await callTool(endpoint, shop.token, 'getStats')
      const problem = 'The param login_url is no http or https URL, or holds a user or a password.'
      assert.equal(called.result, `${failed} ${problem}`)
    }
  })

  test('when its params are not set: each one is named', async () => {
    const { endpoint } = await withLogin({ login_url: `${api.url}/auth/login` })
    const called = await callTool(endpoint, shop.token, 'getStats')
    assert.equal(called.result, 'The custom params username, password are not set. Set them in the workspace.')
  })
})

suite('a wrong password', () => {
  test('is tried once for any number of calls, and again after a minute, then after two', async () => {
    const { endpoint } = await withLogin({ ...user, login_url: `${api.url}/auth/login` })
    const refusedBefore = api.counts.refused
    const tries = () => api.counts.refused - refusedBefore
    const atOnce = await Promise.all(Array.from({ length: 20 }, () => callTool(endpoint, shop.token, 'getStats')))
    for (const called of atOnce) assert.match(called.result, /Check the params username and password\./)
    for (let count = 0; count < 5; count += 1) await callTool(endpoint, shop.token, 'getStats')
    assert.equal(tries(), 1)
    const resting = await callTool(endpoint, shop.token, 'getStats')
    assert.match(resting.result, /Check the params username and password\. Next attempt in 60 s\.$/)
    time += 60_000
    await Promise.all(Array.from({ length: 20 }, () => callTool(endpoint, shop.token, 'getStats')))
    assert.equal(tries(), 2)
    time += 60_000
    await callTool(endpoint, shop.token, 'getStats')
    assert.equal(tries(), 2, 'the second rest is longer')
    time += 60_000
    await callTool(endpoint, shop.token, 'getStats')
    assert.equal(tries(), 3)
    await shop.assertOthersAreServed()
  })

  test('is forgotten at once when it is corrected', async () => {
    const { id, endpoint } = await withLogin({ ...user, login_url: `${api.url}/auth/login` })
    assert.equal((await callTool(endpoint, shop.token, 'getStats')).isError, true)
    const changed = await callApi(shop.gateway, 'PATCH', `/api/workspaces/${id}`, { params: { password: 'password' } })
    assert.equal(changed.status, 200, changed.text)
    const called = await callTool(endpoint, shop.token, 'getStats')
    assert.equal(called.isError, false, called.result)
  })
})

test('a login that is slow holds up those who wait for it, and nobody else', async () => {
  const document = documentWith(faulty.url, { '/empty': { get: { operationId: 'getEmpty' } } })
  const params = { ...user, login_url: `${faulty.url}/login/slow` }
  const { endpoint } = await shop.make({
    name: 'slow',
    source: { document },
    upstream: { auth: { type: 'bearer' } },
    params,
  })
  const waiting = Array.from({ length: 10 }, () => callTool(endpoint, shop.token, 'getEmpty'))
  await faulty.arrival('/login/slow')
  await shop.assertOthersAreServed()
  faulty.releaseSlow()
  for (const called of await Promise.all(waiting)) assert.equal(called.result, '204 No Content')
  assert.equal(faulty.seen.filter(({ path }) => path === '/login/slow').length, 1, 'ten callers waited for one login')
})

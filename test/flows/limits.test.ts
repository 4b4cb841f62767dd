import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

const MINUTE = 60_000

test('limits of callers', async (t) => {
  await t.test('the request past the limit is 429, with Retry-After and the error of JSON-RPC (H1, H2)', async () => {
    await using shop = await startShop({ maxRequests: 5 })
    const ada = await shop.as('ada')
    for (let count = 0; count < 5; count += 1) assert.equal((await ada.send('ping')).status, 200)
    const refused = await ada.send('ping')
    assert.equal(refused.status, 429)
    const seconds = Number(refused.headers.get('retry-after'))
    assert.ok(seconds >= 1 && seconds <= 120)
    const message = `Too many requests. Try again in ${seconds} s.`
    assert.deepEqual(refused.json, {
      ...{ jsonrpc: '2.0', id: 1, error: { code: -32000, message, data: { retryAfter: seconds } } },
    })
    shop.clock.now += seconds * 1000
    assert.equal((await ada.send('ping')).status, 200)
  })

  await t.test('one caller’s limit is not another’s, and issuer and subject make the caller (H1)', async () => {
    await using shop = await startShop({ maxRequests: 1 })
    const ada = await shop.as('ada')
    assert.equal((await ada.send('ping')).status, 200)
    assert.equal((await ada.send('ping')).status, 429)
    assert.equal((await (await shop.as('ada')).send('ping')).status, 429)
    assert.equal((await (await shop.as('eve')).send('ping')).status, 200)
  })

  await t.test('tool calls have a limit of their own, and so has one tool (H1, H4)', async () => {
    await using shop = await startShop({ maxToolCalls: 3, tools: { getStats: 1 } })
    const ada = await shop.as('ada')
    assert.equal((await ada.call('getStats')).status, 200)
    const again = await ada.call('getStats')
    assert.deepEqual([again.status, again.text.includes('Too many calls of this tool')], [429, true])
    assert.equal((await ada.call('listItems')).status, 200)
    assert.match((await ada.call('listItems')).text, /Too many tool calls/)
    assert.equal((await ada.send('tools/list')).status, 200)
    assert.equal(shop.calls(), 2, 'what is refused never reaches the API')
  })

  await t.test('admins and strangers have theirs (H4)', async () => {
    await using shop = await startShop({ maxRequests: 2, admin: { maxRequests: 4 } })
    const admin = await shop.as('root', { scope: 'admin' })
    const person = await shop.as('ada')
    const through = async (client: typeof person) => {
      let count = 0
      while ((await client.send('ping')).status === 200) count += 1
      return count
    }
    assert.deepEqual([await through(admin), await through(person)], [4, 2])
    await using open = await startShop({ maxRequests: 9, anonymous: { maxRequests: 3 } }, { authType: 'none' })
    assert.equal(await through(mcpClient(open.endpoint)), 3)
  })

  await t.test('all callers behind one address have one together', async () => {
    await using shop = await startShop({ maxRequestsPerAddress: 2 })
    assert.equal((await (await shop.as('ada')).send('ping')).status, 200)
    assert.equal((await (await shop.as('eve')).send('ping')).status, 200)
    assert.equal((await (await shop.as('bob')).send('ping')).status, 429)
  })

  await t.test('an IPv6 network is one address: whoever has it has all of it', async () => {
    const behindProxy = { trustProxy: ['loopback'], auth: { authType: 'none' } }
    const from = (endpoint: string, address: string) => mcpClient(endpoint, { 'x-forwarded-for': address }).send('ping')
    await using open = await startShop({ anonymous: { maxRequests: 2 } }, behindProxy.auth, behindProxy)
    await using counted = await startShop({ maxRequestsPerAddress: 2 }, behindProxy.auth, behindProxy)
    for (const { endpoint } of [open, counted]) {
      const hosts = ['2001:db8::1', '2001:db8::2', '2001:db8::3']
      const statuses = await Promise.all(hosts.map(async (host) => (await from(endpoint, host)).status))
      assert.deepEqual(statuses.toSorted(), [200, 200, 429])
      assert.equal((await from(endpoint, '2001:db8:0:1::1')).status, 200)
    }
  })

  await t.test('the gateway’s own count where a workspace says nothing, and enabled: false is none (H3)', async () => {
    await using gateway = await startGateway({
      config: { rateLimiting: { maxRequests: 1 }, auth: { authType: 'none' } },
    })
    const limited = mcpClient((await gateway.makeWorkspace({ name: 'Limited' })).endpoint)
    const free = mcpClient((await gateway.makeWorkspace({ name: 'Free', rateLimiting: { enabled: false } })).endpoint)
    assert.deepEqual([(await limited.send('ping')).status, (await limited.send('ping')).status], [200, 429])
    assert.deepEqual([(await free.send('ping')).status, (await free.send('ping')).status], [200, 200])
  })

  await t.test('a refusal is recorded as a denial, with its caller', async () => {
    await using shop = await startShop({ maxRequests: 1 })
    const ada = await shop.as('ada')
    await ada.send('ping')
    await ada.send('ping')
    const [line] = await adminClient(shop.gateway).logs('outcome=denied')
    assert.deepEqual([line?.['code'], line?.['subject'], line?.['status']], ['rate_limited', 'ada', 429])
  })

  await t.test('a change over the API counts at once, and is shown', async () => {
    await using shop = await startShop(undefined)
    const admin = adminClient(shop.gateway)
    const path = '/api/workspaces/shop'
    const changed = await admin.send('PATCH', path, { rateLimiting: { maxRequests: 1 } })
    assert.match(changed.text, /"rateLimiting":\{"enabled":true,"windowMs":60000,"maxRequests":1,/)
    const ada = await shop.as('ada')
    assert.deepEqual([(await ada.send('ping')).status, (await ada.send('ping')).status], [200, 429])
    assert.equal((await admin.send('PATCH', path, { rateLimiting: { maxRequests: 0 } })).status, 400)
    await admin.send('PATCH', path, { rateLimiting: null })
    assert.equal((await ada.send('ping')).status, 200)
  })
})

test('counts go on when something else of the workspace changes, and begin anew with other limits (H1)', async () => {
  await using shop = await startShop({ maxRequests: 2 })
  const ada = await shop.as('ada')
  const change = (body: unknown) =>
    adminClient(shop.gateway)
      .send('PATCH', '/api/workspaces/shop', body)
      .then(({ status }) => status)
  const ping = async () => (await ada.send('ping')).status
  assert.deepEqual([await ping(), await ping(), await ping()], [200, 200, 429])
  for (const body of [{ name: 'Other' }, { tools: 'reads' }, { rateLimiting: { maxRequests: 2 } }]) {
    assert.equal(await change(body), 200)
    assert.equal(await ping(), 429, JSON.stringify(body))
  }
  assert.equal(await change({ rateLimiting: { maxRequests: 3 } }), 200)
  assert.deepEqual([await ping(), await ping(), await ping(), await ping()], [200, 200, 200, 429])
})

test('refused credentials', async (t) => {
  await t.test(
    'of the management API are 429 after sixty of one address, without anything being configured (H6)',
    async () => {
      await using shop = await startShop(undefined)
      const guesser = adminClient({ url: shop.gateway.url, adminKey: 'a-guess' })
      for (let count = 0; count < 60; count += 1)
        assert.equal((await guesser.send('GET', '/api/workspaces')).status, 401)
      assert.equal((await guesser.send('GET', '/api/workspaces')).status, 429)
      shop.clock.now += 2 * MINUTE
      assert.equal((await adminClient(shop.gateway).send('GET', '/api/workspaces')).status, 200)
    },
  )

  await t.test('are 429 after twenty of one address; a caller who is known comes in all the same (A37)', async () => {
    await using shop = await startShop(undefined, undefined, { failedAuth: {} })
    const ada = await shop.as('ada')
    assert.equal((await ada.send('ping')).status, 200)
    const guesser = mcpClient(shop.endpoint, { authorization: 'Bearer a.b.c' })
    for (let count = 0; count < 20; count += 1) assert.equal((await guesser.send('ping')).status, 401)
    const refused = await guesser.send('ping')
    assert.equal(refused.status, 429)
    assert.ok(Number(refused.headers.get('retry-after')) >= 1)
    assert.equal((await ada.send('ping')).status, 200)
    assert.equal((await (await shop.as('eve')).send('ping')).status, 429, 'nothing new is even looked at')
    shop.clock.now += 2 * MINUTE
    assert.equal((await (await shop.as('eve')).send('ping')).status, 200)
  })

  await t.test('that are merely missing are not counted', async () => {
    await using shop = await startShop(undefined, undefined, { failedAuth: { max: 2 } })
    for (let count = 0; count < 5; count += 1) assert.equal((await mcpClient(shop.endpoint).send('ping')).status, 401)
  })
})

interface Shop extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly endpoint: string
  readonly clock: { now: number }
  as(subject: string, claims?: Readonly<Record<string, unknown>>): Promise<ReturnType<typeof mcpClient>>
  calls(): number
}

async function startShop(
  rateLimiting: unknown,
  auth?: unknown,
  config: Readonly<Record<string, unknown>> = {},
): Promise<Shop> {
  await using parts = new AsyncDisposableStack()
  const clock = { now: Math.ceil(Date.now() / MINUTE) * MINUTE }
  const callers: TestCallers = testCallers({}, () => clock.now)
  const api = parts.use(await startTestApi({ mode: 'none' }))
  const gateway = parts.use(await startGateway({ config, now: () => clock.now }))
  const { endpoint } = await gateway.makeWorkspace({
    ...{ name: 'Shop', auth: auth ?? callers.auth, tools: 'all' },
    source: { url: `${api.origin}/openapi.json` },
    ...(rateLimiting === undefined ? {} : { rateLimiting }),
  })
  const started = parts.move()
  return {
    ...{ gateway, endpoint, clock },
    as: async (sub, claims = {}) =>
      mcpClient(endpoint, { authorization: `Bearer ${await callers.token({ sub, ...claims })}` }),
    calls: () => api.counts.calls,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

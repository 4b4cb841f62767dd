import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { adminClient } from '../../src/testing/clients.ts'
import { type EventClient, openEvents } from '../../src/testing/event-client.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

const LIST = { jsonrpc: '2.0', id: 'a', method: 'tools/list' }
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
} as const
const MODERN = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' } as const
const CHANGED = { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: {} }
const callers = testCallers()

test('a GET stream of the older era', async (t) => {
  await using shop = await startShop()

  await t.test('says when the tools have changed', async () => {
    await using stream = await openEvents(shop.endpoint, { headers: await as('ada') })
    assert.equal(stream.status, 200)
    assert.equal(stream.headers['content-type'], 'text/event-stream')
    await shop.useTools(['listItems'])
    assert.deepEqual(await stream.nextJson(), CHANGED)
    await shop.useTools('all')
    assert.deepEqual(await stream.nextJson(), CHANGED)
  })

  await t.test('says nothing about another workspace', async () => {
    const { endpoint, workspace } = await shop.gateway.makeWorkspace({ name: 'Other', auth: callers.auth })
    await using stream = await openEvents(endpoint, { headers: await as('ada') })
    await shop.useTools(['listUsers'])
    await shop.gateway.running.gateway.manager.delete(workspace.id)
    await shop.useTools('all')
    stream.close()
    assert.equal(await stream.next(), undefined)
  })

  await t.test('needs a credential like every other request (A23)', async () => {
    for (const path of ['', '/mcp', '/sse']) {
      await using stream = await openEvents(shop.endpoint + path)
      assert.equal(stream.status, 401)
      assert.match(String(stream.headers['www-authenticate']), /^Bearer resource_metadata="/)
    }
  })

  await t.test('leaves one record, when it has closed', async () => {
    const headers = await as('recorded')
    const stream = await openEvents(shop.endpoint, { headers })
    assert.deepEqual(shop.records('recorded'), [])
    stream.close()
    await shop.logged('recorded')
    assert.equal(shop.records('recorded').length, 1)
  })
})

test('a stream of events', async (t) => {
  const clock = { now: Date.now() }
  await using shop = await startShop(() => clock.now)

  await t.test('that is silent for 15 seconds carries a ping, however it was opened (F16)', async () => {
    await using streamable = await openEvents(shop.endpoint, { headers: await as('ada', clock.now) })
    await using legacy = await openEvents(`${shop.endpoint}/sse`, { headers: await as('ada', clock.now) })
    await using modern = await listen(shop, await as('ada', clock.now))
    assert.match(String((await legacy.next())?.data), /sessionId=/)
    await modern.nextJson()
    clock.now += 15_000
    for (const stream of [streamable, legacy, modern]) {
      assert.deepEqual(await stream.next(), { raw: ': ping\n\n', data: undefined })
    }
  })

  await t.test('ends with the token that opened it', async () => {
    const headers = await as('ada', clock.now)
    await using stream = await openEvents(shop.endpoint, { headers })
    await using sse = await openEvents(`${shop.endpoint}/sse`, { headers })
    clock.now += 3_600_000
    assert.equal(await stream.next(), undefined)
    await sse.next()
    assert.equal(await sse.next(), undefined)
  })

  await t.test(
    'ends with the token that we issued, when that is revoked or taken away from the workspace',
    async () => {
      const admin = adminClient(shop.gateway)
      const wanted = { description: 'x', expires: '1h', scopes: [], workspaces: ['shop'] }
      for (const take of ['/revoke', '/workspaces/shop'] as const) {
        const { id, value } = z
          .looseObject({ id: z.string(), value: z.string() })
          .parse((await admin.send('POST', '/api/tokens', wanted)).json)
        await using stream = await openEvents(shop.endpoint, { headers: { authorization: `Bearer ${value}` } })
        assert.equal(stream.status, 200)
        await admin.send(take === '/revoke' ? 'POST' : 'DELETE', `/api/tokens/${id}${take}`)
        assert.equal(await stream.next(), undefined, take)
      }
    },
  )

  await t.test('ends at once when the gateway stops', async () => {
    const stopping = await startShop()
    const streams = await Promise.all([
      openEvents(stopping.endpoint, { headers: await as('ada') }),
      listen(stopping, await as('ada')),
    ])
    const startedAt = performance.now()
    await stopping[Symbol.asyncDispose]()
    assert.ok(performance.now() - startedAt < 5_000)
    assert.equal(await streams[0].next(), undefined)
    await streams[1].nextJson()
    assert.deepEqual(await streams[1].nextJson(), {
      jsonrpc: '2.0',
      id: 7,
      result: {
        resultType: 'complete',
        _meta: {
          'io.modelcontextprotocol/subscriptionId': 7,
          'io.modelcontextprotocol/serverInfo': { name: 'shop', version: stopping.version },
        },
      },
    })
  })
})

test('subscriptions/listen of the stateless era', async (t) => {
  await using shop = await startShop()

  await t.test('is acknowledged first, with what is granted, and then tells that', async () => {
    await using stream = await listen(shop, await as('ada'), { toolsListChanged: true, promptsListChanged: true })
    const _meta = { 'io.modelcontextprotocol/subscriptionId': 7 }
    assert.deepEqual(await stream.nextJson(), {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true }, _meta },
    })
    await shop.useTools(['listItems'])
    assert.deepEqual(await stream.nextJson(), { ...CHANGED, params: { _meta } })
  })

  await t.test('ends at once when nothing of the wish is granted', async () => {
    await using stream = await listen(shop, await as('ada'), { promptsListChanged: true })
    assert.match(JSON.stringify(await stream.nextJson()), /"notifications":\{\}/)
    assert.match(JSON.stringify(await stream.nextJson()), /"resultType":"complete"/)
    assert.equal(await stream.next(), undefined)
  })

  await t.test('without a wish is refused in words', async () => {
    const params = { _meta: META }
    const response = await fetch(shop.endpoint, {
      method: 'POST',
      headers: {
        ...(await as('ada')),
        ...MODERN,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
    })
    assert.match(await response.text(), /"code":-32602.*notifications must be an object/)
  })
})

test('the 2024-11-05 transport', async (t) => {
  await using shop = await startShop()

  await t.test('names the path to POST to, takes messages there with 202 and answers on the stream (F3)', async () => {
    const headers = await as('ada')
    await using sse = await openEvents(`${shop.endpoint}/sse`, { headers })
    const first = await sse.next()
    assert.match(first?.raw ?? '', /^event: endpoint\ndata: \/shop-[a-z0-9]+\/message\?sessionId=[\w-]{24}\n\n$/)
    const posted = await post(new URL(first?.data ?? '', shop.endpoint).href, LIST, headers)
    assert.deepEqual([posted.status, await posted.text()], [202, ''])
    assert.match(JSON.stringify(await sse.nextJson()), /"id":"a","result":\{"tools":\[\{"name":"listItems"/)
    const unknown = await post(new URL(first?.data ?? '', shop.endpoint).href, { ...LIST, method: 'nothing' }, headers)
    assert.equal(unknown.status, 202)
    assert.match(JSON.stringify(await sse.nextJson()), /"code":-32601/)
  })

  await t.test('another caller cannot post into a session, nor can anybody when it has ended (T17)', async () => {
    const sse = await openEvents(`${shop.endpoint}/sse`, { headers: await as('ada') })
    const url = new URL((await sse.next())?.data ?? '', shop.endpoint).href
    assert.equal((await post(url, LIST, await as('eve'))).status, 404)
    assert.equal((await post(url, LIST, {})).status, 401)
    assert.equal((await post(url.replace(/sessionId=.*/, 'sessionId=nothing'), LIST, await as('ada'))).status, 404)
    sse.close()
    await shop.until(async () => (await post(url, LIST, await as('ada'))).status === 404)
  })

  await t.test('what is refused is refused to the POST, with its challenge', async () => {
    await using sse = await openEvents(`${shop.endpoint}/sse`, { headers: await as('ada') })
    const url = new URL((await sse.next())?.data ?? '', shop.endpoint).href
    const { status, headers } = await post(url, LIST, { authorization: 'Bearer a.b.c' })
    assert.equal(status, 401)
    assert.match(headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  })

  await t.test('POST to /sse and /message without a session is the endpoint itself (F3, F4)', async () => {
    for (const alias of ['/sse', '/message', '/messages', '/mcp/message']) {
      const answer = await post(shop.endpoint + alias, LIST, await as('ada'))
      assert.equal(answer.status, 200, alias)
      assert.match(await answer.text(), /"tools":\[/)
    }
  })
})

interface Shop extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly endpoint: string
  readonly version: string
  useTools(tools: 'all' | string[]): Promise<unknown>
  records(subject: string): readonly string[]
  /** Resolves when a line of this subject has been logged. */
  logged(subject: string): Promise<void>
  until(isSo: () => Promise<boolean>): Promise<void>
}

async function startShop(now?: () => number): Promise<Shop> {
  await using parts = new AsyncDisposableStack()
  const api = parts.use(await startTestApi({ mode: 'none' }))
  const gateway = parts.use(await startGateway(now === undefined ? {} : { now }))
  const { endpoint, workspace } = await gateway.makeWorkspace({
    name: 'Shop',
    auth: callers.auth,
    source: { url: `${api.origin}/openapi.json` },
    tools: 'all',
  })
  const records = (subject: string) => gateway.log.filter((line) => line.includes(`${subject}@`))
  const until = async (isSo: () => Promise<boolean>) => {
    while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
  }
  const { version } = JSON.parse(await (await fetch(`${gateway.url}/api/openapi.json`)).text()).info
  const started = parts.move()
  return {
    ...{ gateway, endpoint, version, records, until },
    useTools: (tools) => gateway.running.gateway.manager.change(workspace.id, { tools }),
    logged: (subject) => until(async () => records(subject).length > 0),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

async function as(subject: string, nowMs = Date.now()): Promise<Record<string, string>> {
  const iat = Math.floor(nowMs / 1000)
  return { authorization: `Bearer ${await callers.token({ sub: subject, iat, exp: iat + 3600 })}` }
}

function listen(
  { endpoint }: Shop,
  headers: Record<string, string>,
  notifications: unknown = { toolsListChanged: true },
): Promise<EventClient> {
  const body = { jsonrpc: '2.0', id: 7, method: 'subscriptions/listen', params: { _meta: META, notifications } }
  const accept = 'application/json, text/event-stream'
  return openEvents(endpoint, { method: 'POST', headers: { ...headers, ...MODERN, accept }, body })
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
  })
}

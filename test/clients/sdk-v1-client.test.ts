import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { addSlowShop, type Shop, startShop, useFiveTools } from './shop.ts'

test('the official client 1.32', async (t) => {
  await using shop = await startShop()

  await t.test('lists and calls the five tools, with a stream open for what changes', async () => {
    await using connected = await connect(shop.endpoint, shop)
    const { client, transport } = connected
    assert.equal(transport.protocolVersion, '2025-11-25')
    assert.equal(client.getServerVersion()?.name, 'shop')
    await client.ping()
    await useFiveTools(shop, {
      list: async () => (await client.listTools()).tools.map((tool) => tool.name),
      call: (tool, args) => client.callTool({ name: tool, arguments: args }),
    })
    assert.equal(await connected.streamStatus, 200)
    assert.deepEqual(connected.errors, [])
  })

  await t.test('is told when the tools change, and lists them again', async () => {
    await using connected = await connect(shop.endpoint, shop)
    assert.equal(await connected.streamStatus, 200)
    const told = Promise.withResolvers<void>()
    connected.client.setNotificationHandler(ToolListChangedNotificationSchema, () => told.resolve())
    const { manager } = shop.gateway.running.gateway
    await manager.change('shop', { tools: ['listItems'] })
    await told.promise
    assert.deepEqual(
      (await connected.client.listTools()).tools.map(({ name }) => name),
      ['listItems'],
    )
    await manager.change('shop', { tools: 'all' })
  })

  await t.test('ends its session, after which the session is not found', async () => {
    await using connected = await connect(shop.endpoint, shop)
    const { client, transport } = connected
    const { sessionId } = transport
    assert.ok(sessionId)
    await transport.terminateSession()
    assert.equal(transport.sessionId, undefined)

    const headers = { ...shop.headers, 'Mcp-Session-Id': sessionId }
    await assert.rejects(connect(shop.endpoint, { headers }), { code: 404 })
    // Without the ended session it is served as before.
    assert.equal((await client.listTools()).tools.length, 5)
    assert.deepEqual(connected.errors, [])
  })

  await t.test('a cancelled call is cancelled at the API, without a complaint', async () => {
    await using slow = await addSlowShop(shop, 'slow')
    await using connected = await connect(slow.endpoint, shop)
    const cancelling = new AbortController()
    const { signal } = cancelling
    const call = assert.rejects(connected.client.callTool({ name: 'getSlow' }, undefined, { signal }))
    const { ended } = await slow.api.arrival('/slow')
    cancelling.abort()
    await call
    assert.equal(await ended, 'cut')
    assert.equal((await connected.client.listTools()).tools.length, 11)
    assert.deepEqual(connected.errors, [])
  })
})

async function connect(endpoint: string, { headers }: Pick<Shop, 'headers'>) {
  const client = new Client({ name: 'official-client-v1', version: '1.0.0' })
  const errors: Error[] = []
  client.onerror = (error) => errors.push(error)
  const stream = Promise.withResolvers<number>()
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    requestInit: { headers },
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      if (init?.method === 'GET') stream.resolve(response.status)
      return response
    },
  })
  await client.connect(transport)
  return { client, transport, errors, streamStatus: stream.promise, [Symbol.asyncDispose]: () => client.close() }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from '@modelcontextprotocol/client'
import { addSlowShop, type Shop, startShop, useFiveTools } from './shop.ts'

const MODES: readonly { readonly name: string; readonly mode: VersionNegotiationMode; readonly version: string }[] = [
  { name: 'auto', mode: 'auto', version: '2026-07-28' },
  { name: 'pinned', mode: { pin: '2026-07-28' }, version: '2026-07-28' },
  { name: 'legacy', mode: 'legacy', version: '2025-11-25' },
]

test('the official client 2.4', async (t) => {
  await using shop = await startShop()

  for (const { name, mode, version } of MODES) {
    await t.test(`${name}: speaks ${version}, lists and calls the five tools`, async () => {
      await using connected = await connect(mode, shop.endpoint, shop)
      const { client } = connected
      assert.equal(client.getNegotiatedProtocolVersion(), version)
      assert.equal(client.getServerVersion()?.name, 'shop')
      await useFiveTools(shop, {
        list: async () => (await client.listTools()).tools.map((tool) => tool.name),
        call: (tool, args) => client.callTool({ name: tool, arguments: args }),
      })
      assert.deepEqual(connected.errors, [])
    })

    await t.test(`${name}: a cancelled call is cancelled at the API, without a complaint`, async () => {
      await using slow = await addSlowShop(shop, `slow-${name}`)
      await using connected = await connect(mode, slow.endpoint, shop)
      const cancelling = new AbortController()
      const { signal } = cancelling
      const call = assert.rejects(connected.client.callTool({ name: 'getSlow', arguments: {} }, { signal }))
      const { ended } = await slow.api.arrival('/slow')
      cancelling.abort()
      await call
      assert.equal(await ended, 'cut')
      // The connection is as good as before.
      assert.equal((await connected.client.listTools()).tools.length, 11)
      assert.deepEqual(connected.errors, [])
    })
  }
})

async function connect(mode: VersionNegotiationMode, endpoint: string, { headers }: Shop) {
  const client = new Client({ name: 'official-client', version: '1.0.0' }, { versionNegotiation: { mode } })
  const errors: Error[] = []
  client.onerror = (error) => errors.push(error)
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint), { requestInit: { headers } }))
  return { client, errors, [Symbol.asyncDispose]: () => client.close() }
}

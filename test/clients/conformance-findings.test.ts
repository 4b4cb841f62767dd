import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startShop } from './shop.ts'

// What the official conformance suite (0.2.0-alpha.12) found, kept here as it sends it; the suite itself runs in test/conformance.
test('what the conformance suite found', async (t) => {
  await using shop = await startShop()

  const discover = async (header: string, version: string) => {
    const envelope = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const response = await fetch(shop.endpoint, {
      method: 'POST',
      headers: {
        ...shop.headers,
        ...{ 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
        ...{ 'MCP-Protocol-Version': header, 'Mcp-Method': 'server/discover' },
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 302, method: 'server/discover', params: { _meta: envelope } }),
    })
    return { status: response.status, body: JSON.stringify(await response.json()) }
  }

  await t.test('sep-2575: an unknown version that the header does not repeat is a header mismatch', async () => {
    const { status, body } = await discover('2026-07-28', 'v999.0.0')
    assert.equal(status, 400)
    assert.match(body, /"id":302,"error":\{"code":-32020,/)
  })

  await t.test('sep-2575: an unknown version that the header repeats is told the known ones', async () => {
    const { status, body } = await discover('v999.0.0', 'v999.0.0')
    assert.equal(status, 400)
    assert.match(body, /"code":-32022,.*"data":\{"supported":\["2026-07-28"\],"requested":"v999\.0\.0"\}/)
  })
})

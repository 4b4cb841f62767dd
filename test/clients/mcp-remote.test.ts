import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { type Home, makeHome, runScript, scriptOf } from './program.ts'
import { type Shop, startShop, useFiveTools } from './shop.ts'

// As the connection snippets write it: without a space, because some clients break arguments at spaces.
const targetOf = ({ endpoint, headers }: Shop) => [
  ...[endpoint, '--transport', 'http-only'],
  ...['--header', `Authorization:${headers.Authorization}`],
]

test('mcp-remote 0.15', async (t) => {
  await using shop = await startShop()
  await using home = await makeHome()

  await t.test('mcp-remote-client connects and lists the five tools', async () => {
    const script = await scriptOf('mcp-remote', 'mcp-remote-client')
    const { code, stderr, report } = await runScript(script, targetOf(shop), home)
    assert.equal(code, 0, report)
    const [, tools = ''] = stderr.split('] Tools: ')
    const names = [...tools.matchAll(/"name": "(\w+)"/g)].map(([, name]) => name)
    assert.deepEqual(names.sort(), ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers'], report)
    assert.doesNotMatch(report, /Error requesting tools list|Transport error/)
  })

  // What a desktop client starts: it speaks to mcp-remote over stdio, and mcp-remote speaks either era to us.
  for (const protocol of ['legacy', 'auto'] as const) {
    await t.test(`mcp-remote --protocol ${protocol} serves the five tools over stdio`, async () => {
      const logged = shop.gateway.log.length
      const script = await scriptOf('mcp-remote', 'mcp-remote')
      await using connected = await connectThrough(script, protocol, shop, home)
      const { client, said } = connected
      try {
        await useFiveTools(shop, {
          list: async () => (await client.listTools()).tools.map((tool) => tool.name),
          call: (tool, args) => client.callTool({ name: tool, arguments: args }),
        })
      } catch (cause) {
        throw new Error(`mcp-remote said:\n${said.join('')}`, { cause })
      }
      const log = shop.gateway.log.slice(logged).join('')
      assert.equal(log.includes('request initialize'), protocol === 'legacy', log)
      assert.equal(log.includes('server/discover'), protocol === 'auto', log)
    })
  }
})

async function connectThrough(script: string, protocol: string, shop: Shop, home: Home) {
  const said: string[] = []
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [script, ...targetOf(shop), '--protocol', protocol],
    env: home.env,
    stderr: 'pipe',
  })
  transport.stderr?.on('data', (text: Buffer) => said.push(text.toString()))
  const client = new Client({ name: 'desktop', version: '1.0.0' })
  // `close` ends the process too: first by closing its standard input, at last by killing it.
  await client.connect(transport, { timeout: 60_000 }).catch(async (cause: unknown) => {
    await client.close()
    throw new Error(`mcp-remote said:\n${said.join('')}`, { cause })
  })
  return { client, said, [Symbol.asyncDispose]: () => client.close() }
}

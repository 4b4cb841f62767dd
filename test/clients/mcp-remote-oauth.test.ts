import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { type OAuthStand, startOAuthStand } from '../flows/oauth-stand.ts'
import { type Desktop, makeDesktop } from './desktop.ts'
import { scriptOf } from './program.ts'

const HOUR_MS = 3_600_000

test('mcp-remote 0.15 signs a person in by the browser that it opens', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.after(() => mock.timers.reset())
  await using stand = await startOAuthStand()
  await using desktop = await makeDesktop()

  await t.test('it registers, opens one page, and serves the tools over stdio', async () => {
    await useThrough(stand, desktop)
    const [opened, ...more] = await desktop.openedUrls()
    assert.deepEqual(more, [])
    assert.equal(opened?.searchParams.get('resource'), stand.endpoint)
    assert.match(opened?.searchParams.get('redirect_uri') ?? '', /^http:\/\/localhost:\d+\/oauth\/callback$/)
  })

  await t.test('a second start uses what was kept', async () => {
    await useThrough(stand, desktop)
    assert.equal((await desktop.openedUrls()).length, 1)
  })

  await t.test('when the access token is over it gets another, and asks nobody', async () => {
    mock.timers.tick(2 * HOUR_MS)
    const before = stand.gateway.log.length
    await useThrough(stand, desktop)
    assert.equal((await desktop.openedUrls()).length, 1)
    assert.match(stand.gateway.log.slice(before).join(''), /expired/)
  })

  await t.test('three processes of it that find the access token over at once all go on', async () => {
    mock.timers.tick(2 * HOUR_MS)
    await Promise.all([1, 2, 3].map(() => useThrough(stand, desktop)))
    mock.timers.tick(2 * HOUR_MS)
    await useThrough(stand, desktop)
    assert.equal((await desktop.openedUrls()).length, 1)
  })

  await t.test('when the session is over too, the person signs in again', async () => {
    mock.timers.tick(8 * 24 * HOUR_MS)
    await useThrough(stand, desktop)
    assert.equal((await desktop.openedUrls()).length, 2)
  })
})

/** Starts mcp-remote as a desktop client does, lists and calls, and stops it. */
async function useThrough({ endpoint, api }: OAuthStand, desktop: Desktop): Promise<void> {
  const said: string[] = []
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [await scriptOf('mcp-remote', 'mcp-remote'), endpoint, '--transport', 'http-only'],
    env: { ...desktop.env },
    stderr: 'pipe',
  })
  transport.stderr?.on('data', (text: Buffer) => said.push(text.toString()))
  const client = new Client({ name: 'desktop', version: '1.0.0' })
  try {
    await client.connect(transport, { timeout: 30_000 })
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map(({ name }) => name).sort(), ['listOrders', 'listRefunds'])
    const before = api.seen.length
    assert.notEqual((await client.callTool({ name: 'listOrders', arguments: {} })).isError, true)
    assert.ok(api.seen.length > before)
  } catch (cause) {
    throw new Error(`mcp-remote said:\n${said.join('')}`, { cause })
  } finally {
    await client.close()
  }
}

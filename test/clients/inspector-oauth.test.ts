import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { z } from 'zod'
import { onFreePort } from '../bench/free-port.ts'
import { startOAuthStand } from '../flows/oauth-stand.ts'
import { type Desktop, makeDesktop } from './desktop.ts'
import { startClientSite } from './metadata-document.ts'
import { type Finished, runScript, scriptOf } from './program.ts'

const HOUR_MS = 3_600_000
const listed = z.object({ tools: z.array(z.object({ name: z.string() })) })
const refused = /"code":"auth_required"/

test('the Inspector CLI 2.12 signs a person in by the browser that it opens', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.after(() => mock.timers.reset())
  await using stand = await startOAuthStand()
  await using home = await makeDesktop()
  // There is neither a terminal nor a keychain: it is told that there is a browser, and where to keep tokens.
  const said = { MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' }
  const desktop = { ...home, env: { ...home.env, ...said } }
  const list = (...args: readonly string[]) => inspect(desktop, stand.endpoint, ['--method', 'tools/list', ...args])

  await t.test('without a browser it says that somebody has to sign in', async () => {
    const { code, stderr, report } = await list('--stored-auth-only')
    assert.equal(code, 3, report)
    assert.match(stderr, refused, report)
  })

  await t.test('it registers, opens one page and lists the tools', async () => {
    assertTools(await list())
    assert.equal((await desktop.openedUrls()).length, 1)
  })

  await t.test('calls a tool in either era with what was kept', async () => {
    for (const era of ['legacy', 'modern']) {
      const args = ['--method', 'tools/call', '--tool-name', 'listOrders', '--protocol-era', era, '--stored-auth-only']
      const { code, report } = await inspect(desktop, stand.endpoint, args)
      assert.equal(code, 0, report)
    }
    assert.equal(stand.api.seen.length, 2)
  })

  await t.test('when the access token is over it gets another, and asks nobody', async () => {
    mock.timers.tick(2 * HOUR_MS)
    assertTools(await list('--stored-auth-only'))
    assert.equal((await desktop.openedUrls()).length, 1)
  })

  await t.test('--relogin revokes what it had (RFC 7009) and signs the person in anew', async () => {
    assertTools(await list('--relogin'))
    assert.equal((await desktop.openedUrls()).length, 2)
  })
})

test('the Inspector CLI 2.12 is the client that it is told to be', async (t) => {
  const redirect = 'http://127.0.0.1/oauth/callback'
  await using site = await startClientSite({
    ...{ client_name: 'Inspector', redirect_uris: [redirect], token_endpoint_auth_method: 'none' },
  })
  const known = { id: 'inspector', name: 'Inspector', redirectUris: [redirect] }
  await using stand = await startOAuthStand({ oauth: { clients: [known] }, config: site.config })
  for (const [name, flag, id] of [
    ['one of the configuration', '--client-id', known.id],
    ['a metadata document', '--client-metadata-url', site.clientId],
  ] as const) {
    await t.test(name, async () => {
      await using home = await makeDesktop()
      const desktop = { ...home, env: { ...home.env, MCP_AUTO_OPEN_ENABLED: 'true' } }
      assertTools(await inspect(desktop, stand.endpoint, ['--method', 'tools/list', flag, id]))
      const [opened] = await desktop.openedUrls()
      assert.equal(opened?.searchParams.get('client_id'), id)
    })
  }
})

function assertTools({ code, stdout, report }: Finished): void {
  assert.equal(code, 0, report)
  const { tools } = listed.parse(JSON.parse(stdout))
  assert.deepEqual(tools.map(({ name }) => name).sort(), ['listOrders', 'listRefunds'], report)
}

/** One run of the CLI. The address that it listens at for the answer is its own, so that two tests can run at once. */
function inspect(desktop: Desktop, endpoint: string, args: readonly string[]): Promise<Finished> {
  return onFreePort(async (port) => {
    const script = await scriptOf('@modelcontextprotocol/inspector', 'mcp-inspector')
    const callback = ['--callback-url', `http://127.0.0.1:${port}/oauth/callback`]
    return runScript(script, ['--cli', endpoint, '--transport', 'http', ...callback, ...args], desktop)
  })
}

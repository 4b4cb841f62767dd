import assert from 'node:assert/strict'
import { mock, suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { send } from '../flows/http.ts'
import { StrictClient } from '../flows/oauth-client.ts'
import { Browser, mcpClient, type OAuthStand, pageOf, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'
import { startClientSite } from './metadata-document.ts'
import { type ClientMetadata, Memory, SDKS } from './sdk-oauth.ts'

/** What clients say of themselves when they register (MCP.md, "What real clients do"), and where they take the answer. */
const REGISTRATIONS: readonly { readonly name: string; readonly metadata: Registration }[] = [
  {
    name: 'Claude Code: no scope, no application_type, a port of its own',
    metadata: {
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost:54321/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  },
  {
    name: 'claude.ai: an https redirect and a secret in the form',
    metadata: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'mcp refunds:read',
    },
  },
  {
    name: 'Cursor: a scheme of its own',
    metadata: {
      client_name: 'Cursor',
      redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'],
      token_endpoint_auth_method: 'none',
    },
  },
  {
    name: 'VS Code: a scheme of its own among others',
    metadata: {
      client_name: 'Visual Studio Code',
      redirect_uris: ['vscode://vscode.mcp/callback', 'https://vscode.dev/redirect', 'http://127.0.0.1:33418/'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
  },
  { name: 'one that says nothing but where answers go', metadata: { redirect_uris: ['http://127.0.0.1:6274/cb'] } },
]

type Registration = ClientMetadata & Readonly<Record<string, string | string[]>>

const HOUR_MS = 3_600_000
const [sdk1] = SDKS

suite('a client of the field signs a person in, calls tools and refreshes:', () => {
  for (const { name, metadata } of REGISTRATIONS) {
    test(name, async (t) => {
      mock.timers.enable({ apis: ['Date'], now: Date.now() })
      t.after(() => mock.timers.reset())
      await using stand = await startOAuthStand()
      const memory = new Memory({ metadata })
      await using client = await signIn(stand, stand.endpoint, memory)
      assert.match(await client.call('listRefunds'), /ok/)
      mock.timers.tick(2 * HOUR_MS)
      assert.match(await client.call('listOrders'), /ok/)
      assert.ok(memory.saved >= 2)
    })
  }

  test('a document lists loopback redirects without a port, and the client takes a free one', async () => {
    const redirects = ['http://localhost/callback', 'http://127.0.0.1/callback']
    const document = { client_name: 'Claude Code', redirect_uris: redirects, token_endpoint_auth_method: 'none' }
    await using site = await startClientSite({ ...document, grant_types: ['authorization_code', 'refresh_token'] })
    for (const redirect of ['http://localhost:49152/callback', 'http://127.0.0.1:49153/callback']) {
      await using stand = await startOAuthStand({ config: site.config })
      const memory = new Memory({ clientMetadataUrl: site.clientId, metadata: { redirect_uris: [redirect] } })
      await using client = await signIn(stand, stand.endpoint, memory)
      assert.match(await client.call('listOrders'), /ok/)
      assert.equal(memory.sentTo?.searchParams.get('client_id'), site.clientId)
    }
  })

  test('a document at a private address is not fetched unless the operator has allowed it', async () => {
    await using site = await startClientSite({ redirect_uris: ['http://localhost/callback'] })
    await using stand = await startOAuthStand()
    const known = await StrictClient.register(stand)
    const { url } = await known.request({ params: { client_id: site.clientId } })
    const page = pageOf(await new Browser(stand.gateway.url).open(url))
    assert.equal(page.status, 400)
    assert.match(page.html, /metadata document fetch failed/)
    assert.equal(site.asked(), 0)
  })
})

suite('what clients stumble over elsewhere:', () => {
  test('401 invalid_client tells a client that it is forgotten, and that it can register again', async () => {
    await using stand = await startOAuthStand()
    const forms: readonly Readonly<Record<string, string>>[] = [
      { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'forgotten' },
      { grant_type: 'authorization_code', code: 'x', redirect_uri: 'http://localhost/', client_id: 'forgotten' },
    ]
    for (const form of forms) {
      const response = await fetch(`${stand.gateway.url}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...form }),
      })
      assert.equal(response.status, 401)
      assert.equal(Object(await response.json()).error, 'invalid_client')
    }
  })

  test('resource is the URL that the client was given, on each alias, and its tokens work there', async () => {
    await using stand = await startOAuthStand()
    const { origin } = new URL(stand.endpoint)
    const suffixes = ['', '/', '/mcp', '/mcp/', '/sse', '/message', '/messages', '/mcp/message']
    const urls = [...suffixes.map((suffix) => stand.endpoint + suffix), `${origin}/mcp`, `${origin}/sse`]
    const client = await StrictClient.register(stand)
    for (const url of urls) {
      const refused = await send('POST', url, { body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } })
      assert.equal(refused.status, 401, url)
      const [, metadataUrl = ''] =
        /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      assert.equal(Object((await send('GET', metadataUrl)).body).resource, url)
      const { accessToken } = await client.connect({ endpoint: url })
      const called = await mcpClient(url, { authorization: `Bearer ${accessToken}` }).call('listOrders')
      assert.equal(called.isError, false, url)
    }
  })

  test('a refresh that leaves resource out gets a token for the same workspace (Codex)', async () => {
    await using stand = await startOAuthStand()
    await stand.addWorkspace('Another')
    const client = await StrictClient.register(stand)
    const { refreshToken } = await client.connect()
    const { accessToken } = await client.refresh(refreshToken)
    assert.equal(decodeJwt(accessToken).aud, stand.endpoint)
  })

  test('a public URL that ends with slashes doubles none in the audience', async () => {
    await using stand = await startOAuthStand({
      config: { publicUrl: 'https://gate.example/base//', auth: { authType: 'oauth' } },
    })
    const { url } = stand.gateway.running
    const path = new URL(stand.endpoint).pathname
    assert.match(stand.endpoint, /^https:\/\/gate\.example\/base\/orders-/)
    const metadata = await send('GET', `${url}/.well-known/oauth-protected-resource${path.slice('/base'.length)}`)
    assert.equal(Object(metadata.body).resource, stand.endpoint)
    assert.deepEqual(Object(metadata.body).authorization_servers, ['https://gate.example/base'])
  })

  test('an expired token is answered with 401, not with 403, which no client would refresh on', async (t) => {
    mock.timers.enable({ apis: ['Date'], now: Date.now() })
    t.after(() => mock.timers.reset())
    await using stand = await startOAuthStand()
    const { accessToken } = await (await StrictClient.register(stand)).connect()
    mock.timers.tick(2 * HOUR_MS)
    const answered = await mcpClient(stand.endpoint, { authorization: `Bearer ${accessToken}` }).send('tools/list')
    assert.equal(answered.status, 401)
    assert.match(answered.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  })
})

/** A connection of the client that most programs of the field are built on. */
async function signIn({ gateway }: OAuthStand, endpoint: string, memory: Memory) {
  assert.ok(sdk1)
  const client = sdk1.client(endpoint, memory)
  await assert.rejects(client.connect(), sdk1.isUnauthorized)
  assert.ok(memory.sentTo)
  const back = await signInAndAllow(new Browser(gateway.url), memory.sentTo.href)
  assert.ok(back.href.startsWith(memory.redirectUrl), back.href)
  await client.finish(back)
  await client.connect()
  return client
}

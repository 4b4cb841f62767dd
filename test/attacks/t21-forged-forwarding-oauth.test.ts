import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { send, textAt } from '../flows/http.ts'
import { startOAuthStand } from '../flows/oauth-stand.ts'
import { sendRaw } from './support/raw-http.ts'

const FORGED = [
  'X-Forwarded-For: 203.0.113.9',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Port: 80',
  'Forwarded: for=203.0.113.9;host=evil.example;proto=http',
  'X-Original-URL: /oauth/token',
  'X-User-ID: root',
]
const PUBLIC_URL = 'https://mcp.example'
const DOCUMENTS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']

suite('T21: the authorization server', () => {
  for (const trustProxy of [[], ['loopback']]) {
    const who = trustProxy.length === 0 ? 'by anybody' : 'through a trusted proxy that passes them on'
    test(`prints no other address, and loosens no cookie, for headers forged ${who}`, async () => {
      await using stand = await startOAuthStand({
        config: { publicUrl: PUBLIC_URL, trustProxy, allowedHosts: ['evil.example'], auth: { authType: 'oauth' } },
      })
      const { url } = stand.gateway
      const plain = (await Promise.all(DOCUMENTS.map((target) => sendRaw(url, { target })))).map(({ body }) => body)
      const forged = await Promise.all(DOCUMENTS.map((target) => sendRaw(url, { target, headers: FORGED })))
      assert.deepEqual(
        forged.map(({ body }) => body),
        plain,
      )
      assert.ok(plain.every((body) => body.includes(`"issuer":"${PUBLIC_URL}"`)))

      const redirectUri = 'http://localhost:7777/callback'
      const registered = await send('POST', `${url}/register`, { body: { redirect_uris: [redirectUri] } })
      const query = new URLSearchParams({
        ...{ response_type: 'code', client_id: textAt(registered.body, 'client_id'), redirect_uri: redirectUri },
        ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', state: 's' },
      })
      const target = `/oauth/authorize?${query}`
      const answer = await sendRaw(url, { target, headers: FORGED })
      const location = answer.headers.get('location') ?? ''
      assert.ok(location.startsWith('/') || location.startsWith(`${PUBLIC_URL}/`), `${answer.status} ${location}`)
      assert.ok(!answer.whole.includes('evil.example'), answer.whole)
      const cookies = answer.whole.split('\r\n').filter((line) => /^set-cookie:/i.test(line))
      assert.ok(cookies.length > 0, answer.whole)
      for (const cookie of cookies) assert.match(cookie, /^set-cookie: __Host-.*; secure/i)
    })
  }
})

/** As a proxy passes them on that lets clients write what they like. */
const forwarded = (host: string, scheme = 'https') => [`X-Forwarded-Proto: ${scheme}`, `X-Forwarded-Host: ${host}`]
const issuerAt = async (url: string, headers: readonly string[]) => {
  const { status, body } = await sendRaw(url, { target: '/.well-known/oauth-authorization-server', headers })
  return status === 200 ? textAt(JSON.parse(body), 'issuer') : status
}

suite('T21: the authorization server without PUBLIC_URL', () => {
  const config = { trustProxy: ['loopback'], allowedHosts: ['mcp.example'], auth: { authType: 'oauth' } }

  test('is called by a proxy’s word only where the proxy is trusted', async () => {
    await using stand = await startOAuthStand({ config: { ...config, trustProxy: ['192.0.2.1'] } })
    const { url, adminKey } = stand.gateway
    const path = new URL(stand.endpoint).pathname
    const targets = [...DOCUMENTS, `/.well-known/oauth-protected-resource${path}`, path, '/api/workspaces']
    const headers = [`Authorization: Bearer ${adminKey}`]
    for (const target of targets) {
      const plain = await sendRaw(url, { target, headers })
      const forged = await sendRaw(url, { target, headers: [...headers, ...forwarded('mcp.example')] })
      assert.deepEqual([forged.status, forged.body], [plain.status, plain.body], target)
      assert.equal(forged.headers.get('www-authenticate'), plain.headers.get('www-authenticate'))
      assert.ok(!forged.whole.includes('mcp.example'), target)
    }
    assert.equal(await issuerAt(url, forwarded('mcp.example')), url)
  })

  test('is never called by a name or a port that the operator has not written', async () => {
    await using stand = await startOAuthStand({ config })
    const { url } = stand.gateway
    const { port } = new URL(url)
    assert.equal(await issuerAt(url, forwarded('mcp.example')), 'https://mcp.example')
    assert.equal(await issuerAt(url, forwarded('MCP.example:443')), 'https://mcp.example')
    for (const host of ['evil.example', 'mcp.example.evil.example', 'mcp.example:1', 'mcp.example:8443']) {
      assert.equal(await issuerAt(url, forwarded(host)), 403, host)
    }
    // Names of this machine are nobody's to choose either: they change nothing.
    for (const host of ['localhost:1', '127.0.0.1:8443', `[::1]:${port}`]) {
      assert.equal(await issuerAt(url, forwarded(host)), url, host)
    }
    assert.equal(await issuerAt(url, ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 8443']), url)
    assert.equal(await issuerAt(url, forwarded('mcp.example', 'http')), 400)
  })

  test('gives a form to no page but its own', async () => {
    await using stand = await startOAuthStand({ config })
    const { url } = stand.gateway
    const post = (origin: string) =>
      sendRaw(url, {
        ...{ method: 'POST', target: '/oauth/sign-out', body: 'do=sign-out' },
        headers: [...forwarded('mcp.example'), `Origin: ${origin}`, 'Content-Type: application/x-www-form-urlencoded'],
      })
    for (const origin of ['http://mcp.example', 'https://mcp.example:1', 'https://evil.example', 'null']) {
      assert.equal((await post(origin)).status, 403, origin)
    }
    assert.equal((await post('https://mcp.example')).status, 200)
  })
})

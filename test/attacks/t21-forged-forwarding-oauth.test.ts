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

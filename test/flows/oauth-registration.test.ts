import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { send } from './http.ts'
import { REDIRECT, StrictClient } from './oauth-client.ts'
import { Browser, pageOf, startOAuthStand } from './oauth-stand.ts'

const DAY_MS = 86_400_000

function register(url: string, body: unknown) {
  return send('POST', `${url}/register`, { body })
}

suite('a client that registers itself', () => {
  test('is taken as clients in the field come, with more and with less than it needs', async () => {
    await using stand = await startOAuthStand()
    const { url } = stand.gateway
    const redirect_uris = [REDIRECT]
    const registrations = [
      { redirect_uris },
      { redirect_uris, client_name: 'Claude Code', grant_types: ['authorization_code'], response_types: ['code'] },
      { redirect_uris, scope: 'refunds:read everything', token_endpoint_auth_method: 'none' },
      {
        redirect_uris,
        grant_types: ['authorization_code', 'implicit', 'refresh_token'],
        response_types: ['code', 'token'],
      },
      {
        redirect_uris,
        id_token_signed_response_alg: 'HS256',
        logo_uri: 'https://app.example/logo.png',
        extra: { a: 1 },
      },
    ]
    for (const registration of registrations) {
      const made = await register(url, registration)
      assert.equal(made.status, 201, made.text)
      const client = Object(made.body)
      assert.match(client.client_id, /^[\w-]{20,}$/)
      assert.deepEqual(client.grant_types, ['authorization_code', 'refresh_token'])
      const isPublic = client.token_endpoint_auth_method === 'none'
      assert.equal(typeof client.client_secret, isPublic ? 'undefined' : 'string')
      assert.equal(client.scope, undefined)
      assert.equal(
        Object.keys(client).some((name) => name.startsWith('gatehouse')),
        false,
      )
    }
  })

  test('is told in the words of RFC 7591 what is wrong', async () => {
    await using stand = await startOAuthStand()
    const { url } = stand.gateway
    const wrong = [
      { body: { redirect_uris: [] }, error: /invalid_(client_metadata|redirect_uri)/ },
      { body: {}, error: /invalid_(client_metadata|redirect_uri)/ },
      { body: { redirect_uris: 'x' }, error: /invalid_redirect_uri/ },
      {
        body: { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'tls_client_auth' },
        error: /invalid_client_metadata/,
      },
      { body: { redirect_uris: [REDIRECT], client_name: 5 }, error: /invalid_client_metadata/ },
      { body: [], error: /invalid_request/ },
      { body: '{', error: /invalid_request/ },
    ]
    for (const { body, error } of wrong) {
      const refused = await register(url, body)
      assert.equal(refused.status, 400, JSON.stringify(body))
      assert.match(String(Object(refused.body).error), error, JSON.stringify(body))
    }
  })

  test('with a secret needs it at the token endpoint', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand, { token_endpoint_auth_method: 'client_secret_basic' })
    const tokens = await client.connect()
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refreshToken }
    const refused = await client.token(form)
    assert.deepEqual([refused.status, Object(refused.body).error], [401, 'invalid_client'])
    assert.ok((await client.refresh(tokens.refreshToken)).accessToken)
  })

  test('a client that nobody allows anything is forgotten, and is told when (C3)', async () => {
    let now = Date.now()
    await using stand = await startOAuthStand({ now: () => now })
    const unused = await StrictClient.register(stand)
    const used = await StrictClient.register(stand)
    const tokens = await used.connect()
    const ends = unused.client['client_id_expires_at']
    assert.equal(ends, Math.floor(now / 1000) + 86_400)
    const browser = new Browser(stand.gateway.url)
    assert.equal(pageOf(await browser.open((await unused.request()).url)).status, 200)
    now += DAY_MS + 1_000
    const gone = pageOf(await browser.open((await unused.request()).url))
    assert.equal(gone.status, 400)
    assert.match(gone.html, /client is invalid/)
    const refused = await unused.token({ grant_type: 'refresh_token', refresh_token: 'x' })
    assert.deepEqual([refused.status, Object(refused.body).error], [401, 'invalid_client'])
    assert.ok((await used.refresh(tokens.refreshToken)).accessToken)
  })

  test('one address registers twenty clients a minute, and then waits (H6)', async () => {
    await using stand = await startOAuthStand()
    const statuses: number[] = []
    for (let count = 0; count < 22; count += 1) {
      statuses.push((await register(stand.gateway.url, { redirect_uris: [REDIRECT] })).status)
    }
    assert.deepEqual([...new Set(statuses.slice(0, 20))], [201])
    assert.equal(statuses.at(-1), 429)
    const limited = await register(stand.gateway.url, { redirect_uris: [REDIRECT] })
    assert.ok(Number(limited.headers.get('retry-after')) > 0)
    // Others surfaces are not closed by that.
    assert.equal((await send('GET', `${stand.gateway.url}/.well-known/oauth-authorization-server`)).status, 200)
  })

  test('one address alone does not register so many that others cannot', async () => {
    let now = Date.now()
    const config = { trustProxy: ['127.0.0.1/32'], publicUrl: 'http://localhost:1', auth: { authType: 'oauth' } }
    const oauth = { registration: { clientsMax: 1_000 } }
    await using stand = await startOAuthStand({ config, oauth, now: () => now })
    const from = (address: string) => {
      const headers = { 'x-forwarded-for': address }
      return send('POST', `${stand.gateway.url}/register`, { body: { redirect_uris: [REDIRECT] }, headers })
    }
    const statuses: number[] = []
    for (let minute = 0; minute < 6; minute += 1) {
      for (let count = 0; count < 20; count += 1) statuses.push((await from('198.51.100.1')).status)
      now += 120_000
    }
    assert.equal(statuses.filter((status) => status === 201).length, 100)
    const refused = await from('198.51.100.1')
    assert.equal(refused.status, 429)
    assert.ok(Number(refused.headers.get('retry-after')) > 60)
    assert.equal((await from('198.51.100.2')).status, 201)
  })

  test('all addresses together register no more than the operator wants', async () => {
    await using stand = await startOAuthStand({ oauth: { registration: { clientsMax: 2 } } })
    const statuses: number[] = []
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await register(stand.gateway.url, { redirect_uris: [REDIRECT] })).status)
    }
    assert.deepEqual(statuses, [201, 201, 429])
  })

  test('cannot, where the operator has switched it off; clients of the configuration can be used', async () => {
    const known = { id: 'known', name: 'Known app', redirectUris: [REDIRECT] }
    await using stand = await startOAuthStand({ oauth: { registration: { enabled: false }, clients: [known] } })
    const { url } = stand.gateway
    assert.equal((await register(url, { redirect_uris: [REDIRECT] })).status, 404)
    const metadata = Object((await send('GET', `${url}/.well-known/oauth-authorization-server`)).body)
    assert.equal(metadata.registration_endpoint, undefined)
    const query = new URLSearchParams({
      ...{ client_id: 'known', redirect_uri: REDIRECT, response_type: 'code', resource: stand.endpoint },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
    })
    const page = pageOf(await new Browser(url).open(`${url}/oauth/authorize?${query}`))
    assert.match(page.html, /Known app/)
    assert.doesNotMatch(page.html, /not verified/)
  })
})

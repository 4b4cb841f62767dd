import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { send } from './http.ts'
import { StrictClient } from './oauth-client.ts'
import { startOAuthStand } from './oauth-stand.ts'

const metadata = z.looseObject({ issuer: z.string() })
const PUBLIC = 'https://gate.example'

/** Every URL in a document. */
function urlsIn(document: unknown): readonly string[] {
  return Object.values(z.record(z.string(), z.unknown()).parse(document)).flatMap((value) =>
    typeof value === 'string' && /^https?:/.test(value) ? [value] : [],
  )
}

suite('the metadata of the authorization server', () => {
  test('holds for a strict client, and every URL in it answers (C1)', async () => {
    await using stand = await startOAuthStand()
    const { server } = await StrictClient.register(stand)
    assert.equal(server.issuer, stand.gateway.url)
    assert.deepEqual(server.code_challenge_methods_supported, ['S256'])
    assert.deepEqual(server.response_types_supported, ['code'])
    assert.equal(server.authorization_response_iss_parameter_supported, true)
    assert.equal(server['client_id_metadata_document_supported'], true)
    assert.deepEqual(server.token_endpoint_auth_methods_supported?.toSorted(), [
      ...['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
    ])
    // The issuer is a name; nothing has to stand there (RFC 8414 §2).
    const urls = urlsIn({ ...server, issuer: '' })
    assert.ok(urls.length >= 6, urls.join(' '))
    for (const url of urls) {
      for (const method of ['GET', 'POST']) {
        const { status } = await send(method, url)
        assert.notEqual(status, 404, `${method} ${url}`)
        assert.ok(status < 500, `${method} ${url}: ${status}`)
      }
    }
  })

  test('is found in every form of path that clients try, and nowhere else (C2)', async () => {
    await using stand = await startOAuthStand()
    const { url } = stand.gateway
    const path = stand.endpoint.slice(url.length)
    const documents = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
    for (const document of documents) {
      const forms = ['', path, `${path}/mcp`, '/mcp'].map((suffix) => document + suffix)
      for (const form of [...forms, path + document, `${path}/mcp${document}`, `/oidc${document}`]) {
        const response = await fetch(url + form)
        assert.equal(response.status, 200, form)
        assert.equal(metadata.parse(await response.json()).issuer, url)
      }
      for (const form of [`${document}/nothing`, `/nothing${document}`, `/oidc${document}/more`]) {
        assert.equal((await send('GET', url + form)).status, 404, form)
      }
    }
    assert.equal((await send('GET', `${url}/oidc/.well-known/jwks.json`)).status, 404)
  })

  test('names no scope of a workspace; the workspace itself names those that are not for administrators', async () => {
    await using stand = await startOAuthStand()
    const { url } = stand.gateway
    const server = Object((await send('GET', `${url}/.well-known/oauth-authorization-server`)).body)
    assert.deepEqual(server.scopes_supported, ['openid', 'profile', 'email', 'offline_access'])
    const path = stand.endpoint.slice(url.length)
    const resource = Object((await send('GET', `${url}/.well-known/oauth-protected-resource${path}`)).body)
    assert.deepEqual(resource.scopes_supported, ['mcp', 'refunds:read'])
    assert.deepEqual(resource.authorization_servers, [url])
  })

  test('every printed URL is of the public URL, whatever a request says of its host (C16)', async () => {
    await using stand = await startOAuthStand({ config: { publicUrl: PUBLIC, auth: { authType: 'oauth' } } })
    const own = new URL(stand.gateway.running.url).origin
    const forged = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example;proto=http',
    }
    const answered = await send('GET', `${own}/.well-known/openid-configuration`, { headers: forged })
    for (const url of urlsIn(answered.body)) assert.ok(url.startsWith(PUBLIC), url)
    const redirect = 'http://localhost:1/cb'
    const made = await send('POST', `${own}/register`, { body: { redirect_uris: [redirect] }, headers: forged })
    const query = new URLSearchParams({
      ...{ client_id: Object(made.body).client_id, redirect_uri: redirect, response_type: 'code', state: 's' },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
    })
    const asked = await send('GET', `${own}/oauth/authorize?${query}`, { headers: forged })
    assert.equal(asked.status, 303)
    assert.match(asked.headers.get('location') ?? '', /^https:\/\/gate\.example\/oauth\/sign-in\//)
  })

  test('says in the header which methods an address takes, also where people read the answer (RFC 9110 §15.5.6)', async () => {
    await using stand = await startOAuthStand()
    const { url } = stand.gateway
    const page = await send('POST', `${url}/oauth/authorize`, { body: '' })
    assert.deepEqual([page.status, page.headers.get('allow')], [405, 'GET, HEAD'])
    assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
    const token = await send('GET', `${url}/oauth/token`)
    assert.deepEqual([token.status, token.headers.get('allow')], [405, 'POST'])
  })

  test('is not there while no workspace takes its tokens, and neither is anything else of it', async () => {
    await using gateway = await startGateway()
    await gateway.makeWorkspace({ name: 'Open', auth: { authType: 'none' } })
    const { url } = gateway
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/oauth/authorize',
      '/oauth/sign-out',
      '/register',
    ]) {
      assert.equal((await send('GET', url + path)).status, 404, path)
    }
    assert.equal((await send('POST', `${url}/oauth/token`)).status, 404)
  })
})

suite('what a page may not send is sent to nobody:', () => {
  test('discovery, registration and tokens are read by pages of allowed origins only (C18)', async () => {
    await using stand = await startOAuthStand({ config: { allowedOrigins: ['https://app.example'] } })
    const { url } = stand.gateway
    const path = `${url}/.well-known/oauth-authorization-server`
    const asked = {
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'mcp-protocol-version',
    }
    const origin = 'https://app.example'
    const preflight = await send('OPTIONS', path, { headers: { origin, ...asked } })
    assert.equal(preflight.status, 204)
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /mcp-protocol-version/i)
    const read = await send('GET', path, { headers: { origin } })
    assert.equal(read.headers.get('access-control-allow-origin'), origin)
    const body = { redirect_uris: [`${origin}/cb`] }
    const made = await send('POST', `${url}/register`, { body, headers: { origin } })
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('access-control-allow-origin'), origin)
    assert.equal((await send('GET', path, { headers: { origin: 'https://evil.example' } })).status, 403)
  })
})

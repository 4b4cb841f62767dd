import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { followUntil } from '../../src/testing/browser.ts'
import { mcpClient } from '../../src/testing/clients.ts'
import { startIdentityProvider } from '../../src/testing/identity-provider.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { StrictClient } from './oauth-client.ts'
import { Browser, leftOf, type OAuthStand, pageOf, startOAuthStand } from './oauth-stand.ts'

const SECRET = 'a secret between us and the provider'

/** A stand at which people sign in with a provider. */
async function startFederated(allow: unknown, oauth: Readonly<Record<string, unknown>> = {}) {
  await using parts = new AsyncDisposableStack()
  // The gateway's address is known only once it listens, and the provider has to know it before.
  const gatewayUrl = await freeUrl()
  const provider = parts.use(
    await startIdentityProvider({
      clients: [
        {
          ...{ client_id: 'gatehouse', client_secret: SECRET },
          redirect_uris: [`${gatewayUrl}/oauth/callback/company`, `${gatewayUrl}/oauth/callback`],
          ...{ grant_types: ['authorization_code'], response_types: ['code'] },
        },
      ],
    }),
  )
  const company = {
    ...{ type: 'oidc', id: 'company', name: 'Company', issuer: provider.url },
    ...{ clientId: 'gatehouse', clientSecret: SECRET, allow },
  }
  const stand = parts.use(
    await startOAuthStand({
      oauth: { providers: [company], ...oauth },
      flags: { port: Number(new URL(gatewayUrl).port) },
    }),
  )
  const started = parts.move()
  return { stand, provider, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function freeUrl(): Promise<string> {
  await using api = await startRecordingApi()
  return api.url
}

/** The person signs in at the provider, and the browser comes back. Gives the page where it ends. */
async function throughProvider(stand: OAuthStand, browser: Browser, url: string) {
  const page = pageOf(await browser.open(url))
  const away = leftOf(await browser.submit(page, 'provider'))
  const back = await followUntil(away.href, `${stand.gateway.url}/oauth/callback`)
  return { back, page: pageOf(await browser.open(back)) }
}

suite('signing in at a provider (C4)', () => {
  test('leads to our own consent page, and then to tools', async () => {
    await using it = await startFederated({ domains: ['example.com'] })
    const { stand } = it
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const { url, verifier, state } = await client.request()
    const { page } = await throughProvider(stand, browser, url)
    assert.match(page.html, /ada@example\.com/)
    const { validateAuthResponse } = await import('oauth4webapi')
    const answer = leftOf(await browser.submit(page, 'allow'))
    const tokens = await client.redeem(validateAuthResponse(client.server, client.client, answer, state), verifier)
    const claims = decodeJwt(tokens.accessToken)
    assert.equal(claims['email'], undefined)
    assert.notEqual(claims.sub, 'person-1')
    const called = await mcpClient(stand.endpoint, { authorization: `Bearer ${tokens.accessToken}` }).call('listOrders')
    assert.equal(called.isError, false)
  })

  test('one provider may send people back to /oauth/callback, where another program was told so', async () => {
    await using it = await startFederated({ domains: ['example.com'] }, { plainCallback: 'company' })
    const client = await StrictClient.register(it.stand)
    const browser = new Browser(it.stand.gateway.url)
    const { back, page } = await throughProvider(it.stand, browser, (await client.request()).url)
    assert.equal(new URL(back).pathname, '/oauth/callback')
    assert.match(page.html, /ada@example\.com/)
    await assert.rejects(startFederated({ domains: ['example.com'] }, { plainCallback: 'google' }), {
      message: /plainCallback: there is no such provider/,
    })
  })

  test('who is neither allowed nor a member stays outside; a member is let in by the verified e-mail', async () => {
    await using it = await startFederated({ emails: ['boss@example.com'] })
    const { stand, provider } = it
    const client = await StrictClient.register(stand)
    provider.person = { sub: 'stranger', email: 'eve@example.com', email_verified: true, name: 'Eve' }
    const stranger = await throughProvider(stand, new Browser(stand.gateway.url), (await client.request()).url)
    assert.equal(stranger.page.status, 403)
    assert.match(stranger.page.html, /may not use Orders/)
    provider.person = { sub: 'ada', email: 'ada@example.com', email_verified: false, name: 'Not Ada' }
    const unverified = await throughProvider(stand, new Browser(stand.gateway.url), (await client.request()).url)
    assert.equal(unverified.page.status, 403)
    provider.person = { sub: 'ada', email: 'ada@example.com', email_verified: true, name: 'Ada' }
    const member = await throughProvider(stand, new Browser(stand.gateway.url), (await client.request()).url)
    assert.ok(member.page.forms.some(({ buttons }) => buttons.includes('allow')))
  })

  test('only a verified e-mail of adminUsers brings the administrators’ scope (C14, T11)', async () => {
    await using it = await startFederated('anyone', { adminUsers: ['boss@example.com'] })
    const { stand, provider } = it
    const scopesOf = async (verified: boolean) => {
      provider.person = { sub: `boss ${verified}`, email: 'boss@example.com', email_verified: verified, name: 'Boss' }
      const client = await StrictClient.register(stand)
      const browser = new Browser(stand.gateway.url)
      const { url, verifier, state } = await client.request({ scope: 'mcp admin' })
      const { page } = await throughProvider(stand, browser, url)
      const answer = leftOf(await browser.submit(page, 'allow'))
      const { validateAuthResponse } = await import('oauth4webapi')
      return (await client.redeem(validateAuthResponse(client.server, client.client, answer, state), verifier)).scope
    }
    assert.equal(await scopesOf(true), 'mcp admin')
    assert.equal(await scopesOf(false), 'mcp')
  })

  test('the answer of a provider counts once, and only in the browser that went there (T5, T6)', async () => {
    await using it = await startFederated('anyone')
    const { stand } = it
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const first = pageOf(await browser.open((await client.request()).url))
    const away = leftOf(await browser.submit(first, 'provider'))
    const back = await followUntil(away.href, `${stand.gateway.url}/oauth/callback/`)
    const thief = new Browser(stand.gateway.url)
    assert.equal(pageOf(await thief.open(back)).status, 400)
    assert.ok(pageOf(await browser.open(back)).forms.some(({ buttons }) => buttons.includes('allow')))
    assert.equal(pageOf(await browser.open(back)).status, 400)
    for (const path of ['', '/company', '/nobody']) {
      const made = `${stand.gateway.url}/oauth/callback${path}?code=x&state=${'y'.repeat(43)}`
      assert.equal(pageOf(await browser.open(made)).status, 400)
    }
  })

  test('a refresh for somebody who is no member any more is told so as clients take for the end of it (RFC 6749 §5.2)', async () => {
    await using it = await startFederated({ emails: ['boss@example.com'] })
    const { stand } = it
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const { url, verifier, state } = await client.request()
    const { page } = await throughProvider(stand, browser, url)
    const { validateAuthResponse } = await import('oauth4webapi')
    const answer = leftOf(await browser.submit(page, 'allow'))
    const tokens = await client.redeem(validateAuthResponse(client.server, client.client, answer, state), verifier)
    const [ada] = Object((await stand.admin.send('GET', '/api/people')).json)
    assert.equal((await stand.admin.send('PATCH', `/api/people/${ada.id}`, { disabled: true })).status, 200)
    const refresh = () => client.token({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
    const told = { error: 'invalid_grant', error_description: 'this person may not use the workspace' }
    const refused = await refresh()
    assert.equal(refused.status, 400)
    assert.deepEqual(refused.body, told)
    // Whoever is let in again goes on where he was.
    assert.equal((await stand.admin.send('PATCH', `/api/people/${ada.id}`, { disabled: false })).status, 200)
    assert.equal((await refresh()).status, 200)
  })

  test('what went wrong at the provider is said on the sign-in page, where another way is open', async () => {
    await using it = await startFederated('anyone')
    const { stand, provider } = it
    provider.misbehaviour = { refuses: true }
    const client = await StrictClient.register(stand)
    const { page } = await throughProvider(stand, new Browser(stand.gateway.url), (await client.request()).url)
    assert.equal(page.status, 403)
    assert.match(page.html, /role="alert"/)
    assert.ok(page.forms.some(({ buttons }) => buttons.includes('password')))
  })
})

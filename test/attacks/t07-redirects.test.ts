import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { send } from '../flows/http.ts'
import { REDIRECT, StrictClient } from '../flows/oauth-client.ts'
import { Browser, leftOf, pageOf, startOAuthStand } from '../flows/oauth-stand.ts'

const BAD_REDIRECTS = [
  'javascript:alert(1)',
  'JavaScript://localhost/%0aalert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://app.example/1',
  'http://app.example/cb',
  'http://localhost.evil.example/cb',
  'http://localhost@evil.example/cb',
  'https://user:password@app.example/cb',
  'https://app.example/cb#fragment',
  'https://app.example/a/../cb',
  'https://app.example/a/%2e%2e/cb',
  'https://app.example/./cb',
  'https://app.example\\@evil.example/cb',
  'https://app.example/c b',
  'https://app.example/\u202Ecb',
  '//app.example/cb',
  '/cb',
  '',
]

const GOOD_REDIRECTS = [
  ...['https://app.example/cb', 'https://app.example/cb?tenant=a', 'http://localhost:3000/cb', 'http://127.0.0.1/cb'],
  ...['http://[::1]:9/cb', 'cursor://anysphere.cursor-mcp/oauth/callback', 'vscode://vscode.github-authentication/did'],
]

/** Requests that are wrong in other ways too: the error must not leave either. */
const BROKEN: readonly Readonly<Record<string, string>>[] = [
  ...[{}, { response_type: 'token' }, { scope: 'openid', prompt: 'none' }, { resource: 'https://x.example' }],
]

suite('T7: an answer goes to an address that was registered, and nowhere else:', () => {
  test('what is no safe redirect cannot be registered (C3)', async () => {
    await using stand = await startOAuthStand()
    const url = `${stand.gateway.url}/oauth/register`
    for (const redirect of BAD_REDIRECTS) {
      const refused = await send('POST', url, { body: { redirect_uris: ['https://app.example/ok', redirect] } })
      // Nobody is limited in this test: the limit would answer 429.
      assert.equal(refused.status, 400, redirect)
      assert.equal(Object(refused.body).error, 'invalid_redirect_uri', redirect)
    }
  })

  test('every redirect that clients really have can be', async () => {
    await using stand = await startOAuthStand()
    for (const redirect of GOOD_REDIRECTS) {
      const made = await send('POST', `${stand.gateway.url}/register`, { body: { redirect_uris: [redirect] } })
      assert.equal(made.status, 201, redirect)
      assert.deepEqual(Object(made.body).redirect_uris, [redirect])
    }
  })

  test('a request with another redirect stays here: neither a code nor an error leaves', async () => {
    await using stand = await startOAuthStand()
    const registered = 'https://app.example/cb'
    const client = await StrictClient.register(stand, { redirect_uris: [registered] })
    const others = [
      ...[
        'https://app.example/cb/',
        'https://app.example/cb?x=1',
        'https://app.example/CB',
        'https://app.example/cb%20',
      ],
      ...[
        'https://app.example/x/../cb',
        'https://APP.example:444/cb',
        'https://evil.example/cb',
        'http://app.example/cb',
      ],
      ...[
        'https://app.example.evil.example/cb',
        'https://app.example@evil.example/cb',
        'javascript:alert(1)',
        REDIRECT,
      ],
    ]
    const browser = new Browser(stand.gateway.url)
    for (const redirect of others) {
      for (const more of BROKEN) {
        const { url } = await client.request({ params: { redirect_uri: redirect, ...more } })
        const page = pageOf(await browser.open(url))
        assert.equal(page.status, 400, `${redirect} ${JSON.stringify(more)}`)
      }
    }
  })

  test('of a loopback redirect only the port may be another (RFC 8252 §7.3)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand, { redirect_uris: ['http://127.0.0.1/cb'] })
    const statusFor = async (redirect: string) =>
      pageOf(
        await new Browser(stand.gateway.url).open((await client.request({ params: { redirect_uri: redirect } })).url),
      ).status
    assert.equal(await statusFor('http://127.0.0.1:51234/cb'), 200)
    assert.equal(await statusFor('http://127.0.0.1:51234/other'), 400)
    assert.equal(await statusFor('http://localhost:51234/cb'), 400)
    assert.equal(await statusFor('https://127.0.0.1:51234/cb'), 400)
  })

  test('who says no is sent to the registered redirect, with the error and whose it is (RFC 9207)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const { url, state } = await client.request()
    const back = leftOf(await browser.submit(pageOf(await browser.open(url)), 'deny'))
    assert.equal(back.origin + back.pathname, REDIRECT)
    assert.deepEqual(Object.fromEntries(back.searchParams), {
      ...{ error: 'access_denied', error_description: 'The person said no.', state, iss: stand.gateway.url },
    })
  })

  test('what the sign-in page is sent chooses no place to go to', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const tricks = { redirect_uri: 'https://evil.example', returnTo: 'https://evil.example', next: '//evil.example' }
    const back = leftOf(await browser.submit(page, 'deny', tricks))
    assert.equal(back.origin, new URL(REDIRECT).origin)
  })
})

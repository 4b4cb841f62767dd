import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { insecure, postForm, StrictClient } from './oauth-client.ts'
import { askToken, bearer, givenIn, refusalIn, serverOf, statusWith } from './oauth-grants-stand.ts'
import { ADA, Browser, type OAuthStand, pageOf, signIn, startOAuthStand } from './oauth-stand.ts'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code'
const TV = { id: 'tv', name: 'Television', grants: ['device_code', 'refresh_token'] }
const RADIO = { ...TV, id: 'radio', name: 'Radio' }
const client = { client_id: 'tv' }

const startStand = () => startOAuthStand({ oauth: { clients: [TV, RADIO] } })

async function begin(stand: OAuthStand, form: Readonly<Record<string, string>> = {}) {
  const server = await serverOf(stand)
  const params = new URLSearchParams({ resource: stand.endpoint, ...form })
  const answer = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), params, insecure)
  return oauth.processDeviceAuthorizationResponse(server, client, answer)
}

function poll(stand: OAuthStand, device_code: string, client_id = 'tv') {
  return askToken(stand, { grant_type: GRANT_TYPE, client_id, device_code })
}

/** Enters the code and says that it is the device's. Gives the page that follows. */
async function enter(browser: Browser, url: string, code: string) {
  const page = pageOf(await browser.open(url))
  const confirm = pageOf(await browser.submit(page, 'continue', { code }))
  return confirm.forms.some(({ buttons }) => buttons.includes('confirm'))
    ? pageOf(await browser.submit(confirm, 'confirm'))
    : confirm
}

suite('a device without a browser', () => {
  test('shows a code, its person enters it elsewhere, signs in and allows it, and the device has its tokens', async () => {
    await using stand = await startStand()
    const server = await serverOf(stand)
    const { device_code, user_code, verification_uri, expires_in } = await begin(stand)
    assert.match(user_code, /^[A-Z]{4}-[A-Z]{4}$/)
    assert.equal(expires_in, 600)
    assert.equal(refusalIn(await poll(stand, device_code)), '400 authorization_pending')
    const browser = new Browser(stand.gateway.url)
    const consent = await signIn(browser, await enter(browser, verification_uri, user_code.toLowerCase()))
    assert.match(consent.html, /Television/)
    assert.match(consent.html, /the device that shows the code/)
    assert.equal(refusalIn(await poll(stand, device_code)), '400 authorization_pending')
    const done = pageOf(await browser.submit(consent, 'allow'))
    assert.match(done.html, /Your device is connected/)
    const answer = await oauth.deviceCodeGrantRequest(server, client, oauth.None(), device_code, insecure)
    const tokens = await oauth.processDeviceCodeResponse(server, client, answer)
    assert.equal(decodeJwt(tokens.access_token).aud, stand.endpoint)
    const [ada] = Object((await stand.admin.send('GET', '/api/people')).json)
    assert.deepEqual([ada.email, decodeJwt(tokens.access_token).sub], [ADA, ada.id])
    assert.equal(await statusWith(stand.endpoint, bearer(tokens.access_token)), 200)
    const form = { grant_type: 'refresh_token', client_id: 'tv', refresh_token: tokens.refresh_token ?? '' }
    givenIn(await askToken(stand, form))
  })

  test('meets the consent page also where somebody is signed in already, and for each device anew (T5)', async () => {
    await using stand = await startStand()
    const browser = new Browser(stand.gateway.url)
    const first = await begin(stand)
    const consent = await signIn(browser, await enter(browser, first.verification_uri, first.user_code))
    await browser.submit(consent, 'allow')
    const second = await begin(stand)
    const asked = await enter(browser, second.verification_uri, second.user_code)
    assert.ok(asked.forms.some(({ buttons }) => buttons.includes('allow')))
    assert.equal(refusalIn(await poll(stand, second.device_code)), '400 authorization_pending')
  })

  test('gets access_denied when its person says no, on either page', async () => {
    await using stand = await startStand()
    const browser = new Browser(stand.gateway.url)
    const first = await begin(stand)
    const page = pageOf(await browser.open(first.verification_uri))
    const confirm = pageOf(await browser.submit(page, 'continue', { code: first.user_code }))
    assert.match(pageOf(await browser.submit(confirm, 'abort')).html, /not connected/)
    assert.equal(refusalIn(await poll(stand, first.device_code)), '400 access_denied')
    const second = await begin(stand)
    const consent = await signIn(browser, await enter(browser, second.verification_uri, second.user_code))
    assert.match(pageOf(await browser.submit(consent, 'deny')).html, /not connected/)
    assert.equal(refusalIn(await poll(stand, second.device_code)), '400 access_denied')
  })

  test('is not connected by a link: the code in it is shown and has to be compared', async () => {
    await using stand = await startStand()
    const { device_code, user_code, verification_uri_complete = '' } = await begin(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open(verification_uri_complete))
    assert.equal(page.forms[0]?.fields['code'], user_code)
    const confirm = pageOf(await browser.submit(page, 'continue'))
    assert.match(confirm.html, new RegExp(user_code))
    assert.match(confirm.html, /Television/)
    assert.match(confirm.html, /Orders/)
    assert.equal(refusalIn(await poll(stand, device_code)), '400 authorization_pending')
  })

  test('its code counts once, and a second use ends what it gave', async () => {
    await using stand = await startStand()
    const { device_code, user_code, verification_uri } = await begin(stand)
    const browser = new Browser(stand.gateway.url)
    const consent = await signIn(browser, await enter(browser, verification_uri, user_code))
    await browser.submit(consent, 'allow')
    assert.equal(refusalIn(await poll(stand, device_code, 'radio')), '400 invalid_grant')
    const { access_token } = givenIn(await poll(stand, device_code))
    assert.match((await enter(browser, verification_uri, user_code)).html, /not right/)
    assert.equal(refusalIn(await poll(stand, device_code)), '400 invalid_grant')
    assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 401)
  })
})

suite('the pages of a device’s code', () => {
  test('have no script, no frame around them and no other place to send a form to', async () => {
    await using stand = await startStand()
    const { user_code, verification_uri } = await begin(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open(verification_uri))
    const confirm = pageOf(await browser.submit(page, 'continue', { code: user_code }))
    const wrong = pageOf(await browser.submit(pageOf(await browser.open(verification_uri)), 'continue', { code: 'X' }))
    assert.equal(wrong.status, 400)
    for (const { html, headers } of [page, confirm, wrong]) {
      assert.doesNotMatch(html, /<script|onfocus|onload/i)
      assert.match(html, /name="viewport" content="width=device-width/)
      const policy = headers.get('content-security-policy') ?? ''
      assert.match(policy, /default-src 'none'; style-src 'sha256-/)
      assert.match(policy, /form-action 'self';/)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.equal(headers.get('x-frame-options'), 'DENY')
    }
  })

  test('take forms only that they have made for this browser', async () => {
    await using stand = await startStand()
    const { device_code, user_code, verification_uri } = await begin(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open(verification_uri))
    const confirm = pageOf(await browser.submit(page, 'continue', { code: user_code }))
    const other = new Browser(stand.gateway.url)
    const stolen = pageOf(await other.submit(confirm, 'confirm'))
    assert.equal(stolen.status, 400)
    assert.ok(stolen.forms.every(({ buttons }) => !buttons.includes('password')))
    const forged = pageOf(await browser.submit(confirm, 'confirm', { key: 'x'.repeat(48) }))
    assert.equal(forged.status, 400)
    assert.equal(refusalIn(await poll(stand, device_code)), '400 authorization_pending')
  })

  test('show nothing of what a link says but a code', async () => {
    await using stand = await startStand()
    const link = `${stand.gateway.url}/oauth/device?user_code=${encodeURIComponent('<b>"free money"</b>')}`
    const page = pageOf(await new Browser(stand.gateway.url).open(link))
    assert.doesNotMatch(page.html, /money/)
  })

  test('let nobody guess: after some tries an address has to wait, with a right code too', async () => {
    await using stand = await startStand()
    const { user_code, verification_uri } = await begin(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open(verification_uri))
    const tries: number[] = []
    for (let guess = 0; guess < 40; guess += 1) {
      const { gateway } = stand
      const { status } = await postForm(`${gateway.url}/oauth/device`, { key: 'k', code: 'BCDF-GHJK', do: 'continue' })
      tries.push(status)
    }
    assert.deepEqual(tries, [...Array(30).fill(400), ...Array(10).fill(429)])
    assert.equal(pageOf(await browser.submit(page, 'continue', { code: user_code })).status, 429)
  })
})

suite('the device flow is refused', () => {
  test('to a client that registered itself: its codes could be sent to anybody (RFC 8628 §5.4)', async () => {
    await using stand = await startStand()
    const { server, client: stranger } = await StrictClient.register(stand, {
      grant_types: [GRANT_TYPE, 'authorization_code'],
    })
    const asked = await postForm(server.device_authorization_endpoint ?? '', { client_id: stranger.client_id })
    assert.match(refusalIn(asked), /^400 (?:unauthorized_client|invalid_request)$/)
  })

  test('for a workspace that is not there, an unknown client, and an unknown code', async () => {
    await using stand = await startStand()
    const url = (await serverOf(stand)).device_authorization_endpoint ?? ''
    const ask = async (form: Readonly<Record<string, string>>) => {
      const { status, body, headers, text } = await postForm(url, form)
      return refusalIn({ status, headers, text, body })
    }
    assert.equal(await ask({ client_id: 'tv', resource: 'http://127.0.0.1/none' }), '400 invalid_target')
    assert.equal(await ask({ client_id: 'nobody' }), '401 invalid_client')
    assert.equal(refusalIn(await poll(stand, 'x'.repeat(43))), '400 invalid_grant')
  })

  test('while no client of the settings has it: it is not in the metadata, and nothing is there', async () => {
    await using stand = await startOAuthStand()
    const server = await serverOf(stand)
    assert.equal(server.device_authorization_endpoint, undefined)
    assert.equal(server.grant_types_supported?.includes(GRANT_TYPE), false)
    const { url } = stand.gateway
    assert.equal((await postForm(`${url}/oauth/device-authorization`, { client_id: 'tv' })).status, 404)
    assert.equal((await fetch(`${url}/oauth/device`)).status, 404)
    await using on = await startStand()
    const published = await serverOf(on)
    assert.equal(published.device_authorization_endpoint, `${on.gateway.url}/oauth/device-authorization`)
    assert.equal(published.grant_types_supported?.includes(GRANT_TYPE), true)
  })
})

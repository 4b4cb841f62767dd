import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Page } from '../../src/testing/page-browser.ts'
import { StrictClient } from '../flows/oauth-client.ts'
import { ADA, Browser, leftOf, PASSWORD, pageOf, signIn, startOAuthStand } from '../flows/oauth-stand.ts'

const PUBLIC = 'https://gate.example'

/** The page with every form's key replaced. */
function withKey(page: Page, key: string): Page {
  return { ...page, forms: page.forms.map((form) => ({ ...form, fields: { ...form.fields, key } })) }
}

suite('T6: consent is given by the person who reads the page, and by nobody else:', () => {
  test('a form without its key, or with the key of another sign-in, changes nothing', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = await signIn(browser, pageOf(await browser.open((await client.request()).url)))
    const other = new Browser(stand.gateway.url)
    const foreign = await signIn(other, pageOf(await other.open((await client.request()).url)))
    const keys = ['', 'guess', foreign.forms[0]?.fields['key'] ?? '']
    for (const key of keys) {
      const refused = pageOf(await browser.submit(withKey(page, key), 'allow'))
      assert.equal(refused.status, 400)
    }
    assert.ok(leftOf(await browser.submit(page, 'allow')).searchParams.get('code'))
  })

  test('the key of the sign-in page does not allow anything', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const first = pageOf(await browser.open((await client.request()).url))
    const refused = pageOf(
      await browser.submit({ ...first, forms: first.forms.map((form) => ({ ...form, buttons: ['allow'] })) }, 'allow'),
    )
    assert.equal(refused.status, 400)
  })

  test('another browser that learns the address of a page cannot see or finish it', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const victim = new Browser(stand.gateway.url)
    const page = await signIn(victim, pageOf(await victim.open((await client.request()).url)))
    const attacker = new Browser(stand.gateway.url)
    const seen = pageOf(await attacker.open(page.url))
    assert.equal(seen.status, 400)
    assert.doesNotMatch(seen.html, /ada@example\.com/)
    assert.equal(pageOf(await attacker.submit(page, 'allow')).status, 400)
    // Nor does a person who is lured to a page that somebody else began sign in there.
    const begun = pageOf(await attacker.open((await client.request()).url))
    assert.equal(pageOf(await victim.submit(begun, 'password', { email: ADA, password: PASSWORD })).status, 400)
  })

  test('a form that comes from a page of another site is refused before it is read', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = await signIn(browser, pageOf(await browser.open((await client.request()).url)))
    for (const origin of ['https://evil.example', 'null']) {
      const response = await fetch(page.url, {
        method: 'POST',
        headers: { origin, cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        body: new URLSearchParams({ ...page.forms[0]?.fields, do: 'allow' }),
      })
      assert.equal(response.status, 403)
    }
  })

  test('no page can be framed, runs script, or says elsewhere where the browser was', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const first = pageOf(await browser.open((await client.request()).url))
    const consent = await signIn(browser, first)
    const out = pageOf(await browser.open(`${stand.gateway.url}/oauth/sign-out`))
    const broken = pageOf(await browser.open(`${stand.gateway.url}/oauth/authorize?client_id=nobody`))
    for (const page of [first, consent, out, broken]) {
      const policy = page.headers.get('content-security-policy') ?? ''
      assert.match(policy, /default-src 'none'/)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.match(policy, /form-action 'self'/)
      assert.match(policy, /base-uri 'none'/)
      assert.doesNotMatch(policy, /unsafe|script-src/)
      assert.equal(page.headers.get('x-frame-options'), 'DENY')
      assert.equal(page.headers.get('cache-control'), 'no-store')
      assert.doesNotMatch(page.html, /<script|\son\w+=|javascript:/i)
    }
  })

  test('the page says where the answer goes, and a name cannot pretend to be another page', async () => {
    await using stand = await startOAuthStand()
    const name = '<b onclick=alert(1)>Gatehouse</b>\u202Emoc.elpmaxe\u0000 "quoted"'
    const client = await StrictClient.register(stand, {
      ...{ client_name: name, redirect_uris: ['https://collector.example/cb'] },
    })
    const { url } = await client.request({ params: { redirect_uri: 'https://collector.example/cb' } })
    const browser = new Browser(stand.gateway.url)
    const page = await signIn(browser, pageOf(await browser.open(url)))
    assert.match(page.html, /collector\.example/)
    assert.match(page.html, /not verified/)
    assert.match(page.html, /&lt;b onclick=alert\(1\)&gt;/)
    assert.doesNotMatch(page.html, /<b onclick|\u202E|\0/)
  })

  test('over https every cookie is __Host-, Secure, HttpOnly and Lax', async () => {
    await using stand = await startOAuthStand({ config: { publicUrl: PUBLIC, auth: { authType: 'oauth' } } })
    const own = new URL(stand.gateway.running.url).origin
    const redirect = 'http://localhost:1/cb'
    const body = JSON.stringify({ redirect_uris: [redirect], token_endpoint_auth_method: 'none' })
    const headers = { 'content-type': 'application/json' }
    const made = await (await fetch(`${own}/register`, { method: 'POST', body, headers })).json()
    const query = new URLSearchParams({
      ...{ client_id: Object(made).client_id, redirect_uri: redirect, response_type: 'code' },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
    })
    const started = await fetch(`${own}/oauth/authorize?${query}`, { redirect: 'manual' })
    const [flow = ''] = started.headers.getSetCookie()
    const path = new URL(started.headers.get('location') ?? '').pathname
    const cookie = flow.split(';', 1).join()
    const page = await (await fetch(own + path, { headers: { cookie } })).text()
    const [, key = ''] = /name="key" value="([^"]+)"/.exec(page) ?? []
    const signedIn = await fetch(own + path, {
      method: 'POST',
      headers: { cookie, origin: PUBLIC },
      body: new URLSearchParams({ key, do: 'password', email: ADA, password: PASSWORD }),
      redirect: 'manual',
    })
    const resumed = await fetch(own + new URL(signedIn.headers.get('location') ?? '').pathname, {
      headers: { cookie },
      redirect: 'manual',
    })
    const set = [...started.headers.getSetCookie(), ...resumed.headers.getSetCookie()]
    assert.ok(set.length >= 3, set.join('\n'))
    for (const line of set) {
      assert.match(line, /^__Host-/)
      for (const attribute of ['Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure']) {
        assert.ok(line.split('; ').includes(attribute), `${attribute} in ${line}`)
      }
      assert.doesNotMatch(line, /domain=/i)
    }
  })
})

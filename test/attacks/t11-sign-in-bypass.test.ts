import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { StrictClient } from '../flows/oauth-client.ts'
import { ADA, Browser, mcpClient, PASSWORD, pageOf, signIn, startOAuthStand } from '../flows/oauth-stand.ts'

suite('T11: nobody is signed in but by proving who it is:', () => {
  test('no parameter and no header of a request signs anybody in (C5)', async () => {
    await using stand = await startOAuthStand()
    const id = await stand.addPerson('victim@example.com')
    const client = await StrictClient.register(stand)
    const tricks = [
      ...['authenticated_user', 'user', 'user_id', 'sub', 'email', 'account', 'accountId', 'login', 'id_token_hint'],
      ...['session', 'login_hint', 'access_token', 'code'],
    ]
    for (const name of tricks) {
      const scope = name === 'id_token_hint' ? 'openid' : undefined
      const { url } = await client.request({ scope, params: { [name]: id } })
      const result = await new Browser(stand.gateway.url).open(url)
      if ('left' in result) assert.equal(result.left.searchParams.get('code'), null, name)
      else
        assert.deepEqual(
          result.forms.flatMap(({ buttons }) => buttons),
          ['password', 'deny'],
          name,
        )
    }
  })

  test('the forms of the pages take no word for who it is', async () => {
    await using stand = await startOAuthStand()
    const id = await stand.addPerson('victim@example.com')
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const claimed = { accountId: id, authenticated_user: id, email: 'victim@example.com', password: '' }
    const refused = pageOf(await browser.submit(page, 'password', claimed))
    assert.equal(refused.status, 403)
    const consent = await signIn(browser, page)
    const back = await browser.submit(consent, 'allow', { accountId: id, scope: 'mcp admin' })
    assert.ok('left' in back)
    const asked = await client.connect({ browser })
    const adas = await client.connect({ email: ADA })
    assert.equal(decodeJwt(asked.accessToken).sub, decodeJwt(adas.accessToken).sub)
    assert.notEqual(decodeJwt(asked.accessToken).sub, id)
  })

  test('a page cannot be skipped: the way back without having done it leads to it again', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const resume = page.url.replace('/oauth/sign-in/', '/oauth/authorize/')
    const again = pageOf(await browser.open(resume))
    assert.ok(again.forms.some(({ buttons }) => buttons.includes('password')))
    assert.equal(
      again.forms.some(({ buttons }) => buttons.includes('allow')),
      false,
    )
  })

  test('who may not use the workspace gets no further with the right password', async () => {
    await using stand = await startOAuthStand()
    const made = await stand.admin.send('POST', '/api/accounts', { name: 'Others', slug: 'others' })
    assert.equal(made.status, 201, made.text)
    const body = { email: 'eve@others.example', name: 'Eve', role: 'owner', password: PASSWORD }
    const response = await fetch(`${stand.gateway.url}/api/people`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${stand.gateway.adminKey}`,
        'content-type': 'application/json',
        'x-gatehouse-account': 'others',
      },
      body: JSON.stringify(body),
    })
    assert.equal(response.status, 201)
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const refused = pageOf(await browser.submit(page, 'password', { email: body.email, password: PASSWORD }))
    assert.equal(refused.status, 403)
    assert.match(refused.html, /eve@others\.example may not use Orders/)
    assert.equal(
      refused.forms.some(({ buttons }) => buttons.includes('allow')),
      false,
    )
  })
})

suite('T11: an administrator is who the account or a provider says, not who has the e-mail:', () => {
  test('the e-mail of an administrator, given by whoever invites, gives nobody the scope (C14)', async () => {
    await using stand = await startOAuthStand({ oauth: { adminUsers: ['boss@example.com'] } })
    await stand.addPerson('boss@example.com', 'viewer')
    const client = await StrictClient.register(stand)
    const { accessToken, scope } = await client.connect({ scope: 'mcp admin', email: 'boss@example.com' })
    assert.equal(scope, 'mcp')
    const called = await mcpClient(stand.endpoint, { authorization: `Bearer ${accessToken}` }).send('tools/call', {
      name: 'listSecrets',
    })
    assert.equal(called.status, 403)
  })

  test('who is an administrator no longer loses the scope with the next call', async () => {
    await using stand = await startOAuthStand()
    const id = await stand.addPerson('olga@example.com', 'admin')
    const client = await StrictClient.register(stand)
    const tokens = await client.connect({ scope: 'mcp admin', email: 'olga@example.com' })
    assert.equal(tokens.scope, 'mcp admin')
    const call = (token: string) =>
      mcpClient(stand.endpoint, { authorization: `Bearer ${token}` }).send('tools/call', { name: 'listSecrets' })
    assert.equal((await call(tokens.accessToken)).status, 200)
    assert.equal((await stand.admin.send('PATCH', `/api/people/${id}`, { role: 'viewer' })).status, 200)
    assert.equal((await call(tokens.accessToken)).status, 401)
    const refreshed = await client.refresh(tokens.refreshToken)
    assert.equal(refreshed.scope, 'mcp')
  })
})

suite('T26: guessing a password on the sign-in page', () => {
  test('ends after a while for that e-mail, and says when to come back', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    let page = pageOf(await browser.open((await client.request()).url))
    const statuses: number[] = []
    for (let guess = 0; guess < 22; guess += 1) {
      page = pageOf(await browser.submit(page, 'password', { email: ADA, password: `guess ${guess}` }))
      statuses.push(page.status)
    }
    assert.equal(statuses[0], 403)
    assert.equal(statuses.at(-1), 429)
    assert.match(page.html, /role="alert"[^>]*>Too many tries/)
    // The right one does not help now either: it would tell that it is.
    assert.equal(pageOf(await browser.submit(page, 'password', { email: ADA, password: PASSWORD })).status, 429)
  })
})

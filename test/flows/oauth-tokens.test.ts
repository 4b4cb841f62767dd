import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { send } from './http.ts'
import { postForm, REDIRECT, StrictClient } from './oauth-client.ts'
import {
  ADA,
  Browser,
  mcpClient,
  type OAuthStand,
  PASSWORD,
  pageOf,
  signInAndAllow,
  startOAuthStand,
} from './oauth-stand.ts'

function caller(endpoint: string, token: string) {
  return mcpClient(endpoint, { authorization: `Bearer ${token}` })
}

async function statusOf(endpoint: string, token: string): Promise<number> {
  return (await caller(endpoint, token).send('tools/list')).status
}

suite('an access token', () => {
  test('is an at+jwt for this workspace only, and says whom it speaks for (A28, C15)', async () => {
    await using stand = await startOAuthStand()
    const other = await stand.addWorkspace('Other')
    const client = await StrictClient.register(stand)
    const { accessToken } = await client.connect()
    assert.equal(decodeProtectedHeader(accessToken).typ, 'at+jwt')
    const claims = decodeJwt(accessToken)
    assert.equal(claims.iss, stand.gateway.url)
    assert.equal(claims.aud, stand.endpoint)
    assert.equal(claims['client_id'], client.client.client_id)
    assert.ok(claims.jti)
    assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), 3600)
    assert.equal(await statusOf(stand.endpoint, accessToken), 200)
    assert.equal(await statusOf(other, accessToken), 401)
    assert.equal(await statusOf(stand.endpoint, accessToken), 200)
  })

  test('tells its client nothing of the person; rules know name and e-mail all the same', async () => {
    await using stand = await startOAuthStand()
    await stand.addPerson('bob@example.com')
    const when = `has(caller.claims.email) && caller.claims.email == "${ADA}" && caller.claims.name == "ada"`
    const access = { rules: [{ effect: 'allow', tools: ['listOrders'], when }] }
    const endpoint = await stand.addWorkspace('Ruled', { access })
    const client = await StrictClient.register(stand)
    for (const [email, isError] of [
      [ADA, false],
      ['bob@example.com', true],
    ] as const) {
      const { accessToken } = await client.connect({ endpoint, email, scope: 'mcp' })
      assert.doesNotMatch(JSON.stringify(decodeJwt(accessToken)), /ada|bob|example\.com/)
      assert.equal((await caller(endpoint, accessToken).call('listOrders')).isError, isError, email)
    }
  })

  test('whose claims or signature somebody has changed is refused (A28)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const { accessToken } = await client.connect({ scope: 'mcp' })
    const [header = '', payload = '', signature = ''] = accessToken.split('.')
    const more = { ...decodeJwt(accessToken), scope: 'mcp refunds:read admin' }
    const changed = Buffer.from(JSON.stringify(more)).toString('base64url')
    const other = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    for (const forged of [`${header}.${changed}.${signature}`, `${header}.${payload}.${other}`]) {
      assert.equal(await statusOf(stand.endpoint, forged), 401)
    }
    assert.equal(await statusOf(stand.endpoint, accessToken), 200)
  })

  test('is for the workspace whatever name the client was given for it', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    for (const alias of [`${stand.endpoint}/mcp`, `${stand.gateway.url}/mcp`, `${stand.endpoint}/`]) {
      const { accessToken } = await client.connect({ endpoint: alias })
      assert.equal(decodeJwt(accessToken).aud, stand.endpoint)
    }
  })

  test('without a scope asked for, it has those of the tools but not the administrators’', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    assert.equal((await client.connect()).scope, 'mcp refunds:read')
    assert.equal((await client.connect({ scope: 'mcp' })).scope, 'mcp')
  })

  test('a key rotation reaches new tokens at once, and the old ones stay good', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const before = await client.connect()
    assert.equal((await stand.admin.send('POST', '/api/signing-keys/rotate')).status, 201)
    const after = await client.refresh(before.refreshToken)
    const kidOf = (token: string) => decodeProtectedHeader(token).kid
    assert.notEqual(kidOf(after.accessToken), kidOf(before.accessToken))
    assert.equal(await statusOf(stand.endpoint, before.accessToken), 200)
    assert.equal(await statusOf(stand.endpoint, after.accessToken), 200)
    await stand.gateway.restart()
    assert.equal(await statusOf(stand.endpoint, before.accessToken), 200)
  })

  test('neither a refresh token nor an ID token is one (C8)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const { url, verifier, state } = await client.request({ scope: 'openid mcp' })
    const back = await signInAndAllow(new Browser(stand.gateway.url), url)
    assert.equal(back.searchParams.get('state'), state)
    const code = back.searchParams.get('code') ?? ''
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier }
    const tokens = Object(JSON.parse((await client.token(form)).text))
    assert.ok(tokens.id_token)
    for (const token of [tokens.refresh_token, tokens.id_token])
      assert.equal(await statusOf(stand.endpoint, token), 401)
    assert.equal(await statusOf(stand.endpoint, tokens.access_token), 200)
  })
})

suite('more scopes', () => {
  test('are asked for by a 403 that names all of them, and then given', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const little = await client.connect({ scope: 'mcp', browser })
    const refused = await caller(stand.endpoint, little.accessToken).send('tools/call', { name: 'listRefunds' })
    assert.equal(refused.status, 403)
    const challenge = refused.headers.get('www-authenticate') ?? ''
    assert.match(challenge, /error="insufficient_scope"/)
    const [, scope = ''] = /scope="([^"]+)"/.exec(challenge) ?? []
    assert.equal(scope, 'refunds:read')
    const more = await client.connect({ scope, browser })
    const called = await caller(stand.endpoint, more.accessToken).call('listRefunds')
    assert.equal(called.isError, false)
  })

  test('for administrators are given to administrators of the account, and only when asked for (C14)', async () => {
    await using stand = await startOAuthStand()
    await stand.addPerson('olga@example.com', 'owner')
    const client = await StrictClient.register(stand)
    assert.equal((await client.connect({ scope: 'mcp admin' })).scope, 'mcp')
    assert.equal((await client.connect({ scope: 'mcp admin', email: 'olga@example.com' })).scope, 'mcp admin')
    assert.equal((await client.connect({ email: 'olga@example.com' })).scope, 'mcp refunds:read')
  })
})

suite('a refresh', () => {
  test('gives the same scopes and workspace without naming them, and a new refresh token (C7)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const first = await client.connect({ scope: 'mcp' })
    const second = await client.refresh(first.refreshToken)
    assert.notEqual(second.refreshToken, first.refreshToken)
    assert.equal(second.scope, 'mcp')
    assert.equal(decodeJwt(second.accessToken).aud, stand.endpoint)
    const third = await client.refresh(second.refreshToken, { resource: `${stand.endpoint}/mcp` })
    assert.equal(await statusOf(stand.endpoint, third.accessToken), 200)
  })

  test('survives a restart of the gateway', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const first = await client.connect()
    await stand.gateway.restart()
    const second = await client.refresh(first.refreshToken)
    assert.equal(await statusOf(stand.endpoint, second.accessToken), 200)
  })

  test('gives nothing to whoever is no longer a member, and the access token ends at once', async () => {
    await using stand = await startOAuthStand()
    const id = await stand.addPerson('bob@example.com')
    const client = await StrictClient.register(stand)
    const tokens = await client.connect({ email: 'bob@example.com' })
    assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 200)
    assert.equal((await stand.admin.send('PATCH', `/api/people/${id}`, { disabled: true })).status, 200)
    assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 401)
    const refused = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
    assert.equal(refused.status, 400)
  })
})

suite('taking back', () => {
  test('POST /oauth/revoke ends the refresh token and its access tokens (RFC 7009)', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const tokens = await client.connect()
    assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 200)
    const form = { token: tokens.refreshToken, client_id: client.client.client_id }
    assert.equal((await postForm(client.server.revocation_endpoint ?? '', form)).status, 200)
    assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 401)
    const refused = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
    assert.equal(refused.status, 400)
  })

  test('an access token can be revoked too, by its own client, which has to prove who it is', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand, { token_endpoint_auth_method: 'client_secret_basic' })
    const stranger = await StrictClient.register(stand)
    const { accessToken, refreshToken } = await client.connect()
    const url = client.server.revocation_endpoint ?? ''
    const own = { token: accessToken, client_id: client.client.client_id }
    assert.equal((await postForm(url, own)).status, 401)
    assert.equal((await postForm(url, { ...own, client_id: stranger.client.client_id })).status, 200)
    assert.equal(await statusOf(stand.endpoint, accessToken), 200)
    const secret = `${client.client.client_id}:${client.client.client_secret}`
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(secret).toString('base64')}`,
    }
    const body = new URLSearchParams({ token: accessToken }).toString()
    assert.equal((await send('POST', url, { body, headers })).status, 200)
    assert.equal(await statusOf(stand.endpoint, accessToken), 401)
    await assert.rejects(client.refresh(refreshToken))
  })

  test('nobody revokes another client’s token', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const stranger = await StrictClient.register(stand)
    const tokens = await client.connect()
    const form = { token: tokens.refreshToken, client_id: stranger.client.client_id }
    await postForm(client.server.revocation_endpoint ?? '', form)
    assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 200)
  })

  for (const requireValidSession of [true, false]) {
    test(`signing out ${requireValidSession ? 'ends' : 'leaves'} what was allowed in that browser (C13)`, async () => {
      await using stand = await startOAuthStand({ oauth: { requireValidSession } })
      const client = await StrictClient.register(stand)
      const browser = new Browser(stand.gateway.url)
      const here = await client.connect({ browser })
      const elsewhere = await client.connect()
      const page = pageOf(await browser.open(`${stand.gateway.url}/oauth/sign-out`))
      assert.match(page.html, /ada@example\.com/)
      pageOf(await browser.submit(page, 'sign-out'))
      assert.equal(await statusOf(stand.endpoint, here.accessToken), requireValidSession ? 401 : 200)
      assert.equal(await statusOf(stand.endpoint, elsewhere.accessToken), 200)
      // Nobody is signed in any more: the next request asks for the password.
      const { url } = await client.request()
      const next = pageOf(await browser.open(url))
      assert.ok(next.forms.some(({ buttons }) => buttons.includes('password')))
    })
  }

  test('a person lists the connected apps, ends one, then all', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand, { client_name: 'Notes' })
    const tokens = [await client.connect(), await client.connect(), await client.connect()]
    const signedIn = await send('POST', `${stand.gateway.url}/api/sign-in`, {
      body: { email: ADA, password: PASSWORD },
    })
    const headers = { authorization: `Bearer ${Object(signedIn.body).token}` }
    const url = `${stand.gateway.url}/api/connected-apps`
    const apps = Object((await send('GET', url, { headers })).body)
    assert.equal(apps.length, 3)
    assert.deepEqual(
      { name: apps[0].name, workspace: apps[0].workspace.name, scopes: apps[0].scopes, to: apps[0].redirectUri },
      { name: 'Notes', workspace: 'Orders', scopes: ['mcp', 'refunds:read'], to: REDIRECT },
    )
    const standing = async () =>
      (await Promise.all(tokens.map(({ accessToken }) => statusOf(stand.endpoint, accessToken)))).sort()
    assert.deepEqual(await standing(), [200, 200, 200])
    assert.equal((await send('DELETE', `${url}/${apps[0].id}`, { headers })).status, 204)
    assert.deepEqual(await standing(), [200, 200, 401])
    assert.equal((await send('DELETE', `${url}/${apps[0].id}`, { headers })).status, 404)
    assert.equal((await send('DELETE', url, { headers })).status, 204)
    assert.deepEqual(await standing(), [401, 401, 401])
    assert.deepEqual((await send('GET', url, { headers })).body, [])
    const told = async (action: string) =>
      Object((await stand.admin.send('GET', `/api/audit?action=${action}`)).json).lines.map(
        (line: Record<string, unknown>) => [
          line['actor'],
          line['actorName'],
          Object(line['target']).label ?? line['target'],
        ],
      )
    const line = ['person', ADA, 'Notes']
    assert.deepEqual(await told('app.connected'), [line, line, line], 'the audit says who let which app in')
    assert.deepEqual(await told('app.disconnected'), [line, line, line])
  })

  for (const { name, setAnew } of [
    {
      name: 'a code for a new password',
      setAnew: async ({ gateway, admin }: OAuthStand, id: string) => {
        const issued = await admin.send('POST', `/api/people/${id}/password-reset`)
        const body = { code: Object(issued.json).code, password: 'another good password' }
        return send('POST', `${gateway.url}/api/invitations/accept`, { body })
      },
    },
    {
      name: 'a change of the password',
      setAnew: async ({ gateway }: OAuthStand, _id: string) => {
        const signedIn = await send('POST', `${gateway.url}/api/sign-in`, { body: { email: ADA, password: PASSWORD } })
        const headers = { authorization: `Bearer ${Object(signedIn.body).token}` }
        const body = { current: PASSWORD, password: 'another good password' }
        return send('POST', `${gateway.url}/api/me/password`, { headers, body })
      },
    },
  ]) {
    test(`${name} ends what the old one opened: apps, browsers, and sign-ins that are under way`, async () => {
      await using stand = await startOAuthStand()
      const { id } = Object(Object((await stand.admin.send('GET', '/api/people')).json)[0])
      const client = await StrictClient.register(stand, { client_name: 'Notes' })
      const browser = new Browser(stand.gateway.url)
      const tokens = await client.connect({ browser })
      // Somebody has typed the password in, and waits on the way to the next page.
      const underWay = new Browser(stand.gateway.url)
      const [form] = pageOf(await underWay.open((await client.request()).url)).forms
      const cookie = [...underWay.cookies].map(([of, value]) => `${of}=${value}`).join('; ')
      const typed = { ...form?.fields, email: ADA, password: PASSWORD, do: 'password' }
      const headers = { cookie, origin: stand.gateway.url, 'content-type': 'application/x-www-form-urlencoded' }
      const body = new URLSearchParams(typed).toString()
      const waiting = await send('POST', form?.action ?? '', { headers, body })
      assert.equal(waiting.status, 303)
      assert.ok((await setAnew(stand, id)).status < 300)
      assert.equal(await statusOf(stand.endpoint, tokens.accessToken), 401)
      const refreshed = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
      assert.equal(refreshed.status, 400)
      const asked = pageOf(await browser.open((await client.request()).url))
      assert.ok(asked.forms.some(({ buttons }) => buttons.includes('password')))
      const next = pageOf(await underWay.open(waiting.headers.get('location') ?? ''))
      assert.deepEqual([next.status, next.forms], [400, []])
      const audit = await stand.admin.send('GET', '/api/audit?action=app.disconnected')
      assert.deepEqual(
        Object(audit.json).lines.map(({ target }: { target: unknown }) => target),
        ['Notes'],
      )
    })
  }

  test('who looks after the people of an account ends theirs', async () => {
    await using stand = await startOAuthStand()
    const id = await stand.addPerson('bob@example.com')
    const client = await StrictClient.register(stand)
    const { accessToken } = await client.connect({ email: 'bob@example.com' })
    const path = `/api/people/${id}/connected-apps`
    assert.equal(Object((await stand.admin.send('GET', path)).json).length, 1)
    assert.equal((await stand.admin.send('DELETE', path)).status, 204)
    assert.equal(await statusOf(stand.endpoint, accessToken), 401)
  })
})

suite('userinfo (C10)', () => {
  test('says who it is, as far as the scopes go', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const url = client.server.userinfo_endpoint ?? ''
    const ask = async (scope: string) => {
      const { accessToken } = await client.connect({ scope })
      return send('GET', url, { headers: { authorization: `Bearer ${accessToken}` } })
    }
    const known = await ask('openid email profile')
    assert.equal(known.status, 200)
    const { sub, ...claims } = Object(known.body)
    assert.ok(sub)
    assert.deepEqual(claims, { name: 'ada', email: ADA, email_verified: false })
    assert.deepEqual(Object.keys(Object((await ask('openid')).body)), ['sub'])
    assert.equal((await ask('mcp')).status, 403)
    const without = await send('GET', url)
    assert.equal(without.status, 401)
    assert.equal(without.headers.get('www-authenticate'), 'Bearer')
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { followUntil } from '../../src/testing/browser.ts'
import { mcpClient } from '../../src/testing/clients.ts'
import { makeDpopKey } from '../../src/testing/dpop-key.ts'
import { startIdentityProvider } from '../../src/testing/identity-provider.ts'
import { startFront } from './front.ts'
import { Folder } from './gatehouse-process.ts'
import { at, send, textAt } from './http.ts'
import { REDIRECT, StrictClient } from './oauth-client.ts'
import { NAME, ORIGIN, OTHER, OTHER_NAME, startForwarded } from './oauth-forwarded-stand.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, serverOf, statusWith } from './oauth-grants-stand.ts'
import { Browser, leftOf, pageOf, signIn, signInAndAllow } from './oauth-stand.ts'

suite('sign-in through a proxy, without PUBLIC_URL (C16)', () => {
  test('a strict client goes the whole way by the name that it was given, and never meets another', async () => {
    await using stand = await startForwarded()
    const { there, front, direct } = stand
    const client = await StrictClient.register(there)
    assert.equal(client.server.issuer, ORIGIN)
    const browser = new Browser(ORIGIN)
    const tokens = await client.connect({ browser, scope: 'openid' })
    for (const name of browser.cookies.keys()) assert.match(name, /^__Host-/)
    const { iss, aud } = decodeJwt(tokens.accessToken)
    assert.deepEqual([iss, aud], [ORIGIN, there.endpoint])
    const called = await mcpClient(there.endpoint, bearer(tokens.accessToken)).call('listOrders')
    assert.equal(called.isError, false, called.text)
    const fresh = await client.refresh(tokens.refreshToken)
    assert.equal(decodeJwt(fresh.accessToken).iss, ORIGIN)
    const userinfo = await send('GET', client.server.userinfo_endpoint ?? '', { headers: bearer(fresh.accessToken) })
    assert.equal(userinfo.status, 200, userinfo.text)
    const signOut = pageOf(await browser.open(`${ORIGIN}/oauth/sign-out`))
    pageOf(await browser.submit(signOut, 'sign-out'))
    assert.equal(await statusWith(there.endpoint, bearer(fresh.accessToken)), 401)
    assert.ok(front.answers.length > 10)
    for (const answer of front.answers) assert.ok(!answer.includes(new URL(direct.gateway.url).host), answer)
    for (const answer of front.answers) assert.ok(!answer.includes(`http://${NAME}`), answer)
  })

  test('TRUST_PROXY and ALLOWED_HOSTS are all that the command needs, and it says by which name it is reached', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using folder = await Folder.make()
    const workspace = { name: 'Shop', source: `${api.origin}/openapi.json`, auth: { authType: 'oauth' } }
    const inFile = { dataDir: 'data', keysDir: 'keys', auth: { authType: 'oauth' }, workspaces: [workspace] }
    await folder.write('gatehouse.yaml', JSON.stringify(inFile))
    await using gateway = await folder.start([], { env: { TRUST_PROXY: 'true', ALLOWED_HOSTS: NAME } })
    const [, path = ''] = await gateway.sees(/ shop: http:\/\/[^/]+(\S+)/)
    assert.match(gateway.stdout, new RegExp(`Through a trusted proxy also ${ORIGIN}\n`))
    await using front = await startFront({ names: [NAME] })
    front.to(gateway.url)
    const refused = await send('POST', ORIGIN + path, { body: {} })
    const metadata = `${ORIGIN}/.well-known/oauth-protected-resource${path}`
    assert.equal(refused.headers.get('www-authenticate'), `Bearer resource_metadata="${metadata}"`)
    const issuer = textAt((await send('GET', metadata)).body, 'authorization_servers', 0)
    const server = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2' })
    assert.equal((await oauth.processDiscoveryResponse(new URL(ORIGIN), server)).issuer, ORIGIN)
  })

  test('the metadata says so in every form of path, and no cache may keep it for another name (C2)', async () => {
    await using stand = await startForwarded()
    const { pathname } = new URL(stand.there.endpoint)
    const documents = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
    const forms = documents.flatMap((document) => [
      ...['', pathname, `${pathname}/mcp`, '/mcp'].map((suffix) => document + suffix),
      ...[pathname + document, `/oidc${document}`],
    ])
    for (const origin of [ORIGIN, OTHER]) {
      for (const form of forms) {
        const response = await fetch(origin + form)
        assert.equal(response.headers.get('cache-control'), 'no-store', form)
        const urls = Object.entries(Object(await response.json())).filter(([, value]) => /^https?:/.test(String(value)))
        assert.ok(urls.length >= 7, form)
        for (const [name, url] of urls) {
          assert.ok(name === 'issuer' ? url === origin : String(url).startsWith(`${origin}/`), `${form} ${name} ${url}`)
        }
      }
      const resource = (await send('GET', `${origin}/.well-known/oauth-protected-resource${pathname}`)).body
      assert.deepEqual(at(resource, 'authorization_servers'), [origin])
      assert.equal(at(resource, 'resource'), origin + pathname)
    }
  })

  test('whoever comes by no proxy goes on with where the gateway listens, at the same time', async () => {
    await using stand = await startForwarded()
    const [near, far] = [await StrictClient.register(stand.direct), await StrictClient.register(stand.there)]
    const { url } = stand.direct.gateway
    const tokens = [await near.connect(), await far.connect(), await near.connect()]
    assert.deepEqual(
      tokens.map(({ accessToken }) => decodeJwt(accessToken).iss),
      [url, ORIGIN, url],
    )
    const called = await mcpClient(stand.direct.endpoint, bearer(tokens[0]?.accessToken ?? '')).call('listOrders')
    assert.equal(called.isError, false, called.text)
  })

  test('PUBLIC_URL wins over everything that a proxy says', async () => {
    await using stand = await startForwarded({ config: { publicUrl: OTHER } })
    const asked = await send('GET', `${ORIGIN}/.well-known/oauth-authorization-server`)
    assert.equal(at(asked.body, 'issuer'), OTHER)
    assert.match(asked.headers.get('cache-control') ?? '', /public/)
    const client = await StrictClient.register(stand.other)
    const { accessToken } = await client.connect()
    // One name and one audience, by whichever the request comes.
    for (const endpoint of [stand.there.endpoint, stand.other.endpoint]) {
      assert.equal(await statusWith(endpoint, bearer(accessToken)), 200)
    }
  })

  test('a port counts where allowedHosts has it', async () => {
    await using stand = await startForwarded({ config: { allowedHosts: [`${NAME}:8443`] } })
    const asked = await send('GET', `${ORIGIN}:8443/.well-known/oauth-authorization-server`)
    assert.equal(at(asked.body, 'issuer'), `${ORIGIN}:8443`)
    assert.equal((await send('GET', `${ORIGIN}/.well-known/oauth-authorization-server`)).status, 403)
    assert.equal(stand.front.answers.length, 2)
  })

  test('people come back from their provider to the name by which they left', async () => {
    await using provider = await startIdentityProvider({
      clients: [
        {
          ...{ client_id: 'gatehouse', client_secret: SECRET, redirect_uris: [`${ORIGIN}/oauth/callback/company`] },
          ...{ grant_types: ['authorization_code'], response_types: ['code'] },
        },
      ],
    })
    const company = {
      ...{ type: 'oidc', id: 'company', name: 'Company', issuer: provider.url },
      ...{ clientId: 'gatehouse', clientSecret: SECRET, allow: { domains: ['example.com'] } },
    }
    await using stand = await startForwarded({ oauth: { providers: [company] } })
    const client = await StrictClient.register(stand.there)
    const browser = new Browser(ORIGIN)
    const { url, verifier, state } = await client.request()
    const away = leftOf(await browser.submit(pageOf(await browser.open(url)), 'provider'))
    assert.equal(away.searchParams.get('redirect_uri'), `${ORIGIN}/oauth/callback/company`)
    const back = await followUntil(away.href, `${ORIGIN}/oauth/callback`)
    const elsewhere = new Browser(OTHER)
    for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
    assert.equal(pageOf(await elsewhere.open(back.replace(NAME, OTHER_NAME))).status, 400)
    const consent = pageOf(await browser.open(back))
    const answer = leftOf(await browser.submit(consent, 'allow'))
    const checked = oauth.validateAuthResponse(client.server, client.client, answer, state)
    assert.ok((await client.redeem(checked, verifier)).accessToken)
  })

  test('a device is sent to the name that it asked, and its code is of no use at another', async () => {
    const tv = { id: 'tv', name: 'Television', grants: ['device_code'] }
    await using stand = await startForwarded({ oauth: { clients: [tv] } })
    const { there } = stand
    const server = await serverOf(there)
    const params = new URLSearchParams({ resource: there.endpoint })
    const answer = await oauth.deviceAuthorizationRequest(server, { client_id: 'tv' }, oauth.None(), params)
    const begun = await oauth.processDeviceAuthorizationResponse(server, { client_id: 'tv' }, answer)
    assert.equal(begun.verification_uri, `${ORIGIN}/oauth/device`)
    const elsewhere = new Browser(OTHER)
    const entry = pageOf(await elsewhere.open(begun.verification_uri.replace(NAME, OTHER_NAME)))
    assert.equal(pageOf(await elsewhere.submit(entry, 'continue', { code: begun.user_code })).status, 400)
    const browser = new Browser(ORIGIN)
    const page = pageOf(await browser.open(begun.verification_uri))
    const confirm = pageOf(await browser.submit(page, 'continue', { code: begun.user_code }))
    const consent = await signIn(browser, pageOf(await browser.submit(confirm, 'confirm')))
    await browser.submit(consent, 'allow')
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'tv' }
    const { device_code } = begun
    assert.equal(refusalIn(await askToken(stand.other, { ...form, device_code })), '400 invalid_grant')
    const tokens = givenIn(await askToken(there, { ...form, device_code }))
    assert.equal(decodeJwt(tokens.access_token).aud, there.endpoint)
  })

  test('a proof of possession is for the address that the client wrote (RFC 9449 §4.3)', async () => {
    const robot = { id: 'robot', name: 'Robot', secret: SECRET, grants: ['client_credentials'], workspaces: ['*'] }
    await using stand = await startForwarded({ oauth: { clients: [robot] } })
    const { there, direct } = stand
    const key = await makeDpopKey()
    const form = { grant_type: 'client_credentials', resource: there.endpoint }
    const ask = async (htu: string) =>
      askToken(there, form, { ...basic('robot'), dpop: await key.proof('POST', `${htu}/oauth/token`) })
    for (const htu of [direct.gateway.url, OTHER]) assert.equal(refusalIn(await ask(htu)), '400 invalid_dpop_proof')
    const { access_token: token } = givenIn(await ask(ORIGIN))
    const headers = async (htu: string) => ({
      authorization: `DPoP ${token}`,
      dpop: await key.proof('POST', htu, { token }),
    })
    assert.equal(await statusWith(there.endpoint, await headers(direct.endpoint)), 401)
    assert.equal(await statusWith(there.endpoint, await headers(there.endpoint)), 200)
  })
})

suite('where sign-in would travel in the open (PRODUCT.md 12)', () => {
  test('a proxy that says http is told what to do, and gives nobody a token', async () => {
    await using stand = await startForwarded({}, { scheme: 'http' })
    const { pathname } = new URL(stand.there.endpoint)
    for (const path of [
      '/.well-known/oauth-authorization-server',
      `/.well-known/oauth-protected-resource${pathname}`,
      '/oauth/authorize?client_id=x',
      '/oauth/sign-out',
    ]) {
      const refused = await send('GET', ORIGIN + path)
      assert.equal(refused.status, 400, path)
      assert.match(refused.text, /X-Forwarded-Proto: https; else set publicUrl/, path)
    }
    assert.equal((await send('POST', `${ORIGIN}/register`, { body: { redirect_uris: [REDIRECT] } })).status, 400)
    assert.equal((await send('POST', `${ORIGIN}/oauth/token`, { body: {} })).status, 400)
    // Directly on this machine it is the same gateway, and http is enough.
    const { accessToken } = await (await StrictClient.register(stand.direct)).connect()
    assert.equal(await statusWith(stand.there.endpoint, bearer(accessToken)), 401)
  })

  test('a page of http is not a page of ours', async () => {
    await using stand = await startForwarded()
    const client = await StrictClient.register(stand.there)
    const browser = new Browser(ORIGIN)
    const { url } = await client.request()
    const page = pageOf(await browser.open(url))
    const [form] = page.forms
    const body = new URLSearchParams({ ...form?.fields, do: 'deny' }).toString()
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' }
    for (const origin of [`http://${NAME}`, OTHER, 'https://evil.example']) {
      assert.equal((await send('POST', form?.action ?? '', { body, headers: { ...headers, origin } })).status, 403)
    }
    assert.equal(
      (await send('POST', form?.action ?? '', { body, headers: { ...headers, origin: ORIGIN } })).status,
      200,
    )
  })
})

suite('/api through a proxy, without PUBLIC_URL (C16)', () => {
  test('workspaces, keys, tokens and their snippets have the name that was called', async () => {
    await using stand = await startForwarded({ auth: { authType: 'both' } })
    const { adminKey } = stand.direct.gateway
    const headers = { authorization: `Bearer ${adminKey}` }
    const { pathname } = new URL(stand.there.endpoint)
    for (const base of [ORIGIN, OTHER, stand.direct.gateway.url]) {
      const listed = await send('GET', `${base}/api/workspaces`, { headers })
      assert.equal(textAt(listed.body, 0, 'url'), base + pathname)
      const body = { name: 'ci', workspaces: [pathname.slice(1)], expires: '1h' }
      const made = await send('POST', `${base}/api/keys`, { headers, body })
      assert.equal(made.status, 201, made.text)
      assert.equal(textAt(made.body, 'workspaces', 0, 'url'), base + pathname)
      assert.ok(textAt(made.body, 'usage', 'curl').includes(`POST ${base}${pathname} `))
      const shown = await send('GET', `${base}/api/keys/${textAt(made.body, 'id')}`, { headers })
      assert.equal(textAt(shown.body, 'usage', 'client', 'mcpServers', 'orders', 'url'), base + pathname)
    }
    for (const answer of stand.front.answers) assert.ok(!answer.includes(new URL(stand.direct.gateway.url).host))
  })

  test('a token that was issued on this machine opens the workspace by its public name, and the other way round', async () => {
    await using stand = await startForwarded({ auth: { authType: 'both' } })
    const headers = { authorization: `Bearer ${stand.direct.gateway.adminKey}` }
    const { pathname } = new URL(stand.there.endpoint)
    for (const base of [stand.direct.gateway.url, ORIGIN]) {
      const body = { description: 'ci', workspaces: [pathname.slice(1)], expires: '1h' }
      const token = textAt((await send('POST', `${base}/api/tokens`, { headers, body })).body, 'value')
      assert.equal(decodeJwt(token).iss, stand.direct.gateway.url)
      for (const { endpoint } of [stand.direct, stand.there, stand.other]) {
        assert.equal(await statusWith(endpoint, bearer(token)), 200, `${base} ${endpoint}`)
      }
    }
  })

  test('the cookie of a person is a __Host- one behind https, and a plain one on this machine', async () => {
    await using stand = await startForwarded()
    const body = { email: 'ada@example.com', password: 'correct horse battery staple', cookie: true }
    const [far, near] = [ORIGIN, stand.direct.gateway.url].map((base) => send('POST', `${base}/api/sign-in`, { body }))
    const cookie = (await far)?.headers.get('set-cookie') ?? ''
    assert.match(cookie, /^__Host-gatehouse=.*; Secure;/)
    const [pair = ''] = cookie.split(';')
    assert.equal((await send('GET', `${ORIGIN}/api/me`, { headers: { cookie: pair } })).status, 200)
    assert.match((await near)?.headers.get('set-cookie') ?? '', /^gatehouse=(?!.*Secure)/)
  })

  test('the doctor compares the client’s URL with the name that it has', async () => {
    await using stand = await startForwarded()
    const headers = { authorization: `Bearer ${stand.direct.gateway.adminKey}` }
    const { pathname } = new URL(stand.there.endpoint)
    const body = { workspace: pathname.slice(1), url: stand.there.endpoint }
    const report = await send('POST', `${stand.direct.gateway.url}/api/doctor`, { headers, body })
    assert.equal(report.status, 200, report.text)
    assert.ok(!report.text.includes('public_url_missing'), report.text)
  })

  test('an app is in its person’s list by whichever name it was connected', async () => {
    await using stand = await startForwarded()
    const body = { email: 'ada@example.com', password: 'correct horse battery staple' }
    for (const seen of [stand.there, stand.other]) await (await StrictClient.register(seen)).connect()
    const token = textAt((await send('POST', `${ORIGIN}/api/sign-in`, { body })).body, 'token')
    const apps = await send('GET', `${ORIGIN}/api/connected-apps`, { headers: bearer(token) })
    assert.deepEqual(
      [0, 1].map((index) => at(apps.body, index, 'workspace', 'name')),
      ['Orders', 'Orders'],
    )
    assert.equal(at(apps.body, 2), undefined)
  })
})

suite('MCP through a proxy, without PUBLIC_URL (C16)', () => {
  test('the endpoint event of the older transport is a path, so it holds under every name', async () => {
    await using stand = await startForwarded()
    const open = { auth: { authType: 'none' }, access: {} }
    const endpoints = [await stand.there.addWorkspace('Open', open), await stand.direct.addWorkspace('Near', open)]
    for (const endpoint of endpoints) {
      const response = await fetch(`${endpoint}/sse`, { headers: { accept: 'text/event-stream' } })
      const reader = response.body?.getReader()
      const { value } = (await reader?.read()) ?? {}
      await reader?.cancel()
      const { pathname } = new URL(endpoint)
      assert.match(Buffer.from(value ?? '').toString(), new RegExp(`^event: endpoint\ndata: ${pathname}/message\\?`))
    }
  })

  test('a person who is signed in elsewhere signs in here: consent is asked for by name', async () => {
    await using stand = await startForwarded()
    const [client, second] = [await StrictClient.register(stand.there), await StrictClient.register(stand.other)]
    const browser = new Browser(ORIGIN)
    await signInAndAllow(browser, (await client.request()).url)
    const elsewhere = new Browser(OTHER)
    for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
    const page = pageOf(await elsewhere.open((await second.request()).url))
    assert.ok(page.forms.some(({ buttons }) => buttons.includes('password')))
  })
})

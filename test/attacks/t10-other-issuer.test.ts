import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import { send } from '../flows/http.ts'
import { REDIRECT, StrictClient } from '../flows/oauth-client.ts'
import { OTHER, startForwarded } from '../flows/oauth-forwarded-stand.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, statusWith } from '../flows/oauth-grants-stand.ts'
import { Browser, pageOf, signInAndAllow } from '../flows/oauth-stand.ts'

/** One gateway, by two public names and the one on which it listens: three issuers, and each is another server to a client. */
suite('T10: what one issuer of a gateway has given is worth nothing at another:', () => {
  test('an access token is refused there, before and after it was remembered here (RFC 8707)', async () => {
    await using stand = await startForwarded()
    const { there, other, direct } = stand
    const { accessToken } = await (await StrictClient.register(there)).connect()
    const elsewhere = [other, direct]
    for (const { endpoint } of elsewhere) assert.equal(await statusWith(endpoint, bearer(accessToken)), 401)
    // A result is kept from the second time on.
    for (let call = 0; call < 3; call += 1) assert.equal(await statusWith(there.endpoint, bearer(accessToken)), 200)
    for (const { endpoint } of elsewhere) {
      const refused = await send('POST', endpoint, { headers: bearer(accessToken), body: {} })
      assert.equal(refused.status, 401)
      assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
    }
    const userinfo = await send('GET', `${OTHER}/oauth/userinfo`, { headers: bearer(accessToken) })
    assert.equal(userinfo.status, 401)
    assert.equal(await statusWith(there.endpoint, bearer(accessToken)), 200)
  })

  test('neither a code nor a refresh token is redeemed there, and both stay good here', async () => {
    await using stand = await startForwarded()
    const { there, other, direct } = stand
    const client = await StrictClient.register(there)
    const { url, verifier, state } = await client.request()
    const back = await signInAndAllow(new Browser(there.gateway.url), url)
    const code = back.searchParams.get('code') ?? ''
    const redeem = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier }
    const client_id = client.client.client_id
    for (const at of [other, direct]) {
      const form = { ...redeem, client_id }
      assert.equal(refusalIn(await askToken(at, form)), '400 invalid_grant')
      for (const { endpoint: resource } of [at, there]) {
        assert.equal(refusalIn(await askToken(at, { ...form, resource })), '400 invalid_grant')
      }
    }
    const tokens = await client.redeem(oauth.validateAuthResponse(client.server, client.client, back, state), verifier)
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refreshToken, client_id }
    for (const at of [other, direct]) {
      assert.equal(refusalIn(await askToken(at, refresh)), '400 invalid_grant')
      assert.equal(refusalIn(await askToken(at, { ...refresh, resource: there.endpoint })), '400 invalid_grant')
    }
    assert.equal(decodeJwt((await client.refresh(tokens.refreshToken)).accessToken).aud, there.endpoint)
  })

  test('an answer names its issuer, so a client of the other one stops (RFC 9207)', async () => {
    await using stand = await startForwarded()
    const [here, elsewhere] = [await StrictClient.register(stand.there), await StrictClient.register(stand.other)]
    const { url, state } = await here.request()
    const back = await signInAndAllow(new Browser(stand.there.gateway.url), url)
    assert.equal(back.searchParams.get('iss'), stand.there.gateway.url)
    assert.throws(() => oauth.validateAuthResponse(elsewhere.server, here.client, back, state), /iss/)
  })

  test('a sign-in under way is not found there, even with its cookies', async () => {
    await using stand = await startForwarded()
    const client = await StrictClient.register(stand.there)
    const browser = new Browser(stand.there.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const elsewhere = new Browser(OTHER)
    for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
    const moved = pageOf(await elsewhere.open(OTHER + new URL(page.url).pathname))
    assert.equal(moved.status, 400)
    assert.match(moved.html, /Start again/)
    assert.equal(pageOf(await browser.open(page.url)).status, 200)
  })

  test('a client’s assertion and a token to exchange are taken by the issuer that they are for', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }]
    const settled = { grants: ['client_credentials', 'token_exchange'], workspaces: ['*'] }
    const signer = { id: 'signer', name: 'Signer', jwks: { keys }, ...settled }
    const robot = { id: 'robot', name: 'Robot', secret: SECRET, ...settled }
    await using stand = await startForwarded({ oauth: { clients: [signer, robot] } })
    const { there, other } = stand
    const assertion = () =>
      new SignJWT({ jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setIssuer('signer')
        .setSubject('signer')
        .setAudience(there.gateway.url)
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(privateKey)
    const asked = async (at: typeof there) =>
      askToken(at, {
        ...{ grant_type: 'client_credentials', resource: at.endpoint, client_id: 'signer' },
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion(),
      })
    assert.equal(refusalIn(await asked(other)), '401 invalid_client')
    assert.ok(givenIn(await asked(there)).access_token)

    const { accessToken } = await (await StrictClient.register(there)).connect()
    const exchange = (at: typeof there) =>
      askToken(
        at,
        {
          ...{ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', resource: at.endpoint },
          ...{ subject_token: accessToken, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
        },
        basic('robot'),
      )
    assert.equal(refusalIn(await exchange(other)), '400 invalid_request')
    assert.ok(givenIn(await exchange(there)).access_token)
  })
})

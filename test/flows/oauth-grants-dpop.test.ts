import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { testCallers } from '../../src/testing/callers.ts'
import { type DpopKey, makeDpopKey } from '../../src/testing/dpop-key.ts'
import { send } from './http.ts'
import { insecure, REDIRECT, StrictClient } from './oauth-client.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, serverOf, statusWith } from './oauth-grants-stand.ts'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from './oauth-stand.ts'

const ROBOT = { id: 'robot', name: 'Robot', secret: SECRET, grants: ['client_credentials'], workspaces: ['*'] }
const GRANT = { grant_type: 'client_credentials' }

const startStand = () => startOAuthStand({ oauth: { clients: [ROBOT] } })

/** A bound token of the robot. */
async function boundToken(stand: OAuthStand, key: DpopKey, resource = stand.endpoint): Promise<string> {
  const dpop = await key.proof('POST', `${stand.gateway.url}/oauth/token`)
  const given = givenIn(await askToken(stand, { ...GRANT, resource }, { ...basic('robot'), dpop }))
  assert.equal(given.token_type, 'DPoP')
  return given.access_token
}

async function proven(key: DpopKey, endpoint: string, token: string, change: Parameters<DpopKey['proof']>[2] = {}) {
  return { authorization: `DPoP ${token}`, dpop: await key.proof('POST', endpoint, { token, ...change }) }
}

/** What a request with these headers is told. */
async function refusedWith(endpoint: string, headers: Readonly<Record<string, string>>) {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
  const accept = 'application/json, text/event-stream'
  const answered = await send('POST', endpoint, { body, headers: { accept, ...headers } })
  assert.equal(answered.status, 401, answered.text)
  return { challenge: answered.headers.get('www-authenticate') ?? '', error: Object(answered.body).error }
}

suite('a token that is bound to a key (RFC 9449)', () => {
  test('is given to a person’s client that proves one, with its refresh token; a strict client goes the whole way', async () => {
    await using stand = await startStand()
    const client = await StrictClient.register(stand)
    const dpop = oauth.DPoP(client.client, await oauth.generateKeyPair('ES256'))
    const { url, verifier, state } = await client.request()
    const back = await signInAndAllow(new Browser(stand.gateway.url), url)
    const checked = oauth.validateAuthResponse(client.server, client.client, back, state)
    const answer = await oauth.authorizationCodeGrantRequest(
      ...([client.server, client.client, client.auth, checked, REDIRECT, verifier] as const),
      { ...insecure, DPoP: dpop, additionalParameters: { resource: stand.endpoint } },
    )
    const tokens = await oauth.processAuthorizationCodeResponse(client.server, client.client, answer)
    assert.equal(tokens.token_type, 'dpop')
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
    const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
    const ask = (token: string) => {
      const endpoint = new URL(stand.endpoint)
      return oauth.protectedResourceRequest(token, 'POST', endpoint, headers, body, { ...insecure, DPoP: dpop })
    }
    for (let call = 0; call < 3; call += 1) assert.equal((await ask(tokens.access_token)).status, 200)
    assert.equal(await statusWith(stand.endpoint, bearer(tokens.access_token)), 401)
    const userinfo = await send('GET', client.server.userinfo_endpoint ?? '', { headers: bearer(tokens.access_token) })
    assert.equal(userinfo.status, 401)
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
    assert.equal(refusalIn(await client.token(refresh)), '400 invalid_grant')
    const again = await oauth.refreshTokenGrantRequest(
      ...([client.server, client.client, client.auth, tokens.refresh_token ?? ''] as const),
      { ...insecure, DPoP: dpop },
    )
    const second = await oauth.processRefreshTokenResponse(client.server, client.client, again)
    assert.equal((await ask(second.access_token)).status, 200)
  })

  test('is given to a program that proves one', async () => {
    await using stand = await startStand()
    const key = await makeDpopKey()
    const token = await boundToken(stand, key)
    assert.deepEqual(decodeJwt(token)['cnf'], { jkt: key.thumbprint })
    for (let call = 0; call < 3; call += 1) {
      assert.equal(await statusWith(stand.endpoint, await proven(key, stand.endpoint, token)), 200)
    }
    const alias = `${stand.endpoint}/mcp`
    assert.equal(await statusWith(alias, await proven(key, alias, token)), 200)
  })

  test('is no Bearer token, before and after its holder has used it, in any other header', async () => {
    await using stand = await startStand()
    const key = await makeDpopKey()
    const token = await boundToken(stand, key)
    for (let round = 0; round < 3; round += 1) {
      const { challenge, error } = await refusedWith(stand.endpoint, bearer(token))
      assert.match(
        challenge,
        /^Bearer error="invalid_token", .*resource_metadata="[^"]+", DPoP algs="ES256 Ed25519 EdDSA"$/,
      )
      assert.equal(error, 'invalid_token')
      assert.equal(await statusWith(stand.endpoint, { 'agent-session': token }), 401)
      assert.equal(await statusWith(stand.endpoint, await proven(key, stand.endpoint, token)), 200)
    }
    assert.equal((await send('GET', `${stand.gateway.url}/oauth/userinfo`, { headers: bearer(token) })).status, 401)
  })

  test('and one that is not: no DPoP token', async () => {
    await using stand = await startStand()
    const key = await makeDpopKey()
    const { access_token } = givenIn(await askToken(stand, GRANT, basic('robot')))
    for (let round = 0; round < 3; round += 1) {
      const { challenge } = await refusedWith(stand.endpoint, await proven(key, stand.endpoint, access_token))
      assert.match(challenge, /^Bearer resource_metadata="[^"]+", DPoP error="invalid_token", /)
      assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 200)
    }
  })

  test('of another issuer is refused as Bearer too', async () => {
    await using stand = await startStand()
    const callers = testCallers()
    const endpoint = await stand.addWorkspace('Jwt', { auth: callers.auth })
    assert.equal(await statusWith(endpoint, bearer(await callers.token())), 200)
    for (const cnf of [{ jkt: 'x'.repeat(43) }, { 'x5t#S256': 'x' }, {}]) {
      assert.equal(await statusWith(endpoint, bearer(await callers.token({ cnf }))), 401)
    }
  })

  test('is for one workspace, proof or not', async () => {
    await using stand = await startStand()
    const other = await stand.addWorkspace('Other')
    const key = await makeDpopKey()
    const token = await boundToken(stand, key)
    assert.equal(await statusWith(other, await proven(key, other, token)), 401)
    assert.equal(await statusWith(stand.endpoint, await proven(key, stand.endpoint, token)), 200)
  })
})

suite('a request with a bound token is refused', () => {
  const seconds = () => Math.floor(Date.now() / 1000)
  const cases = [
    { name: 'for another method', claims: () => ({ htm: 'GET' }) },
    { name: 'for another address', claims: () => ({ htu: 'https://gate.example/orders' }) },
    { name: 'for another token', claims: () => ({ ath: 'x'.repeat(43) }) },
    { name: 'without a token', claims: () => ({ ath: undefined }) },
    { name: 'that is old', claims: () => ({ iat: seconds() - 120 }) },
    { name: 'of the future', claims: () => ({ iat: seconds() + 120 }) },
    { name: 'without a jti', claims: () => ({ jti: undefined }) },
  ]
  for (const { name, claims } of cases) {
    test(`with a proof ${name}`, async () => {
      await using stand = await startStand()
      const key = await makeDpopKey()
      const token = await boundToken(stand, key)
      const headers = await proven(key, stand.endpoint, token, { claims: claims() })
      const { challenge, error } = await refusedWith(stand.endpoint, headers)
      assert.match(
        challenge,
        /, DPoP error="invalid_dpop_proof", error_description="[^"]+", algs="ES256 Ed25519 EdDSA"$/,
      )
      assert.equal(error, 'invalid_dpop_proof')
      assert.equal(await statusWith(stand.endpoint, await proven(key, stand.endpoint, token)), 200)
    })
  }

  test('without a proof, with two, with that of another key, and with more than one credential', async () => {
    await using stand = await startStand()
    const [key, stranger] = [await makeDpopKey(), await makeDpopKey()]
    const token = await boundToken(stand, key)
    const good = await proven(key, stand.endpoint, token)
    const second = await key.proof('POST', stand.endpoint, { token })
    for (const headers of [
      { authorization: good.authorization },
      { ...good, dpop: `${good.dpop}, ${second}` },
      await proven(stranger, stand.endpoint, token),
      { ...good, authorization: `DPoP ${token} ${token}` },
      { ...good, authorization: 'DPoP' },
    ]) {
      const { challenge } = await refusedWith(stand.endpoint, headers)
      assert.match(challenge, /DPoP error="invalid_(?:dpop_proof|token)"/)
    }
    const callers = testCallers()
    const both = await stand.addWorkspace('Both', { auth: { authType: 'both', jwt: callers.auth.jwt } })
    const forBoth = await boundToken(stand, key, both)
    const beside = { ...(await proven(key, both, forBoth)), 'agent-session': await callers.token() }
    assert.equal(await statusWith(both, beside), 401)
    assert.equal(await statusWith(both, await proven(key, both, forBoth)), 200)
  })

  test('whose proof names the host that the request was sent to instead of our public URL', async () => {
    const publicUrl = 'http://localhost:1'
    await using stand = await startOAuthStand({ oauth: { clients: [ROBOT] }, config: { publicUrl } })
    const key = await makeDpopKey()
    const own = new URL(stand.gateway.running.url).origin
    const path = stand.endpoint.slice(publicUrl.length)
    const dpop = await key.proof('POST', `${publicUrl}/oauth/token`)
    const body = new URLSearchParams({ ...GRANT, resource: stand.endpoint }).toString()
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const asked = await send('POST', `${own}/oauth/token`, { body, headers: { ...form, ...basic('robot'), dpop } })
    const { access_token: token } = givenIn(asked)
    assert.equal(await statusWith(own + path, await proven(key, own + path, token)), 401)
    assert.equal(await statusWith(own + path, await proven(key, publicUrl + path, token)), 200)
  })
})

suite('the token endpoint refuses a proof', () => {
  const cases = [
    { name: 'for another address', claims: { htu: 'https://gate.example/token' } },
    { name: 'for another method', claims: { htm: 'GET' } },
    { name: 'that is old', claims: { iat: Math.floor(Date.now() / 1000) - 3_600 } },
    { name: 'of another type', header: { typ: 'JWT' } },
  ]
  for (const { name, claims = {}, header = {} } of cases) {
    test(name, async () => {
      await using stand = await startStand()
      const key = await makeDpopKey()
      const dpop = await key.proof('POST', `${stand.gateway.url}/oauth/token`, { claims, header })
      const answered = await askToken(stand, GRANT, { ...basic('robot'), dpop })
      assert.equal(refusalIn(answered), '400 invalid_dpop_proof')
    })
  }
})

suite('the metadata', () => {
  test('name the algorithms of proofs, at the server and at the workspaces that take its tokens', async () => {
    await using stand = await startStand()
    const algorithms = ['ES256', 'Ed25519', 'EdDSA']
    assert.deepEqual((await serverOf(stand)).dpop_signing_alg_values_supported, algorithms)
    const callers = testCallers()
    const jwt = await stand.addWorkspace('Jwt', { auth: callers.auth })
    const read = async (endpoint: string) => {
      const path = endpoint.slice(stand.gateway.url.length)
      const url = `${stand.gateway.url}/.well-known/oauth-protected-resource${path}`
      return Object((await send('GET', url)).body).dpop_signing_alg_values_supported
    }
    assert.deepEqual(await read(stand.endpoint), algorithms)
    assert.equal(await read(jwt), undefined)
  })
})

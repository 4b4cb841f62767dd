import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { testCallers } from '../../src/testing/callers.ts'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { StrictClient } from './oauth-client.ts'
import { type OAuthStand, startOAuthStand } from './oauth-stand.ts'

const WRONG = 'not.a.token'

/** A stand whose first workspace has `authType: oauth`, and others beside it with the same callers. */
async function startStand() {
  const stand = await startOAuthStand()
  const callers = testCallers()
  const { jwt } = callers.auth
  const access = {}
  return {
    stand,
    callers,
    oauth: stand.endpoint,
    both: await stand.addWorkspace('Both', { auth: { authType: 'both', jwt } }),
    jwt: await stand.addWorkspace('Jwt', { auth: { authType: 'jwt', jwt } }),
    none: await stand.addWorkspace('None', { auth: { authType: 'none' }, access }),
    [Symbol.asyncDispose]: () => stand[Symbol.asyncDispose](),
  }
}

async function status(endpoint: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return (await mcpClient(endpoint, headers).send('tools/list')).status
}

async function oauthToken(stand: OAuthStand, endpoint: string): Promise<string> {
  return (await (await StrictClient.register(stand)).connect({ endpoint })).accessToken
}

suite('authType', () => {
  test('oauth, jwt, both and none let in what they say (A26)', async () => {
    await using it = await startStand()
    const { stand } = it
    const jwt = await it.callers.token()
    const tokens = { oauth: await oauthToken(stand, it.oauth), both: await oauthToken(stand, it.both) }
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    assert.deepEqual(
      {
        oauth: [
          await status(it.oauth, bearer(tokens.oauth)),
          await status(it.oauth, bearer(jwt)),
          await status(it.oauth, {}),
        ],
        jwt: [await status(it.jwt, bearer(tokens.oauth)), await status(it.jwt, bearer(jwt)), await status(it.jwt, {})],
        both: [
          await status(it.both, bearer(tokens.both)),
          await status(it.both, bearer(jwt)),
          await status(it.both, {}),
        ],
        none: [
          await status(it.none, bearer(tokens.oauth)),
          await status(it.none, bearer(jwt)),
          await status(it.none, {}),
        ],
      },
      { oauth: [200, 401, 401], jwt: [401, 200, 401], both: [200, 200, 401], none: [200, 200, 200] },
    )
    assert.equal(await status(it.both, bearer(tokens.oauth)), 401)
  })

  test('both: a second credential must be good and of the same person (A27)', async () => {
    await using it = await startStand()
    const token = await oauthToken(it.stand, it.both)
    const again = await oauthToken(it.stand, it.both)
    const jwt = await it.callers.token()
    const sameJwt = await it.callers.token({ jti: 'another' })
    const otherJwt = await it.callers.token({ sub: 'somebody else' })
    const cases = [
      { name: 'two OAuth tokens of one person', bearer: token, session: again, expected: 200 },
      { name: 'two JWTs of one person', bearer: jwt, session: sameJwt, expected: 200 },
      { name: 'an OAuth token and a JWT, which are of two issuers', bearer: token, session: jwt, expected: 401 },
      { name: 'the other way round', bearer: jwt, session: token, expected: 401 },
      { name: 'JWTs of two people', bearer: jwt, session: otherJwt, expected: 401 },
      { name: 'a good one and a bad one', bearer: token, session: WRONG, expected: 401 },
      { name: 'a bad one and a good one', bearer: WRONG, session: token, expected: 401 },
    ]
    for (const { name, bearer, session, expected } of cases) {
      const headers = { authorization: `Bearer ${bearer}`, 'agent-session': session }
      // Twice: the second time what was verified is remembered.
      assert.equal(await status(it.both, headers), expected, name)
      assert.equal(await status(it.both, headers), expected, name)
    }
    assert.equal(await status(it.both, { authorization: `Bearer ${token}`, 'x-api-key': 'a, b' }), 401)
    // Where one kind is taken, the first counts and a second is not looked at.
    const headers = { authorization: `Bearer ${await oauthToken(it.stand, it.oauth)}`, 'agent-session': WRONG }
    assert.equal(await status(it.oauth, headers), 200)
  })

  test('both: API keys of the gateway open it too, and a key with a foreign token does not', async () => {
    await using it = await startStand()
    const admin = adminClient(it.stand.gateway)
    const made = await admin.send('POST', '/api/keys', { name: 'service', workspaces: ['both'] })
    assert.equal(made.status, 201, made.text)
    const { value } = Object(made.json)
    assert.equal(await status(it.both, { 'x-api-key': value }), 200)
    const token = await oauthToken(it.stand, it.both)
    assert.equal(await status(it.both, { 'x-api-key': value, authorization: `Bearer ${token}` }), 401)
  })

  test('the challenge and the metadata of oauth and both name our own issuer first', async () => {
    await using it = await startStand()
    const { url } = it.stand.gateway
    for (const endpoint of [it.oauth, it.both]) {
      const refused = await mcpClient(endpoint).send('tools/list')
      assert.equal(refused.status, 401)
      const [, metadataUrl = ''] =
        /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      const metadata = Object(await (await fetch(metadataUrl)).json())
      assert.equal(metadata.resource, endpoint)
      assert.equal(metadata.authorization_servers[0], url)
    }
    const path = it.jwt.slice(url.length)
    const jwtOnly = Object(await (await fetch(`${url}/.well-known/oauth-protected-resource${path}`)).json())
    assert.equal(jwtOnly.authorization_servers.includes(url), false)
  })

  test('an OAuth token is recorded as whose it is', async () => {
    await using it = await startStand()
    const token = await oauthToken(it.stand, it.oauth)
    await mcpClient(it.oauth, { authorization: `Bearer ${token}` }).call('listOrders')
    const lines = await it.stand.admin.logs('kind=request&limit=10')
    const { sub } = decodeJwt(token)
    assert.ok(lines.some((line) => line['subject'] === sub && line['issuer'] === it.stand.gateway.url))
  })
})

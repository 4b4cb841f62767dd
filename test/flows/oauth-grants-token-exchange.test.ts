import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { makeDpopKey } from '../../src/testing/dpop-key.ts'
import { workspaceSettings } from '../../src/workspaces/settings.ts'
import { workspacePath } from '../../src/workspaces/workspace.ts'
import { accepted, callerWith } from './accounts.ts'
import { textAt } from './http.ts'
import { insecure, REDIRECT, StrictClient } from './oauth-client.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, serverOf, statusWith } from './oauth-grants-stand.ts'
import { ADA, Browser, mcpClient, type OAuthStand, PASSWORD, signInAndAllow, startOAuthStand } from './oauth-stand.ts'

const TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const BROKER = {
  ...{ id: 'broker', name: 'Broker', secret: SECRET, grants: ['token_exchange'], workspaces: ['*'] },
  scopes: ['mcp', 'refunds:read'],
}
const NARROW = { ...BROKER, id: 'narrow', scopes: ['mcp'] }
/** May have what only administrators have, for people who are administrators. */
const CHIEF = { ...BROKER, id: 'chief', scopes: ['mcp', 'refunds:read', 'admin'] }
const ROBOT = { ...BROKER, id: 'robot', grants: ['client_credentials'] }

interface Stand extends AsyncDisposable {
  readonly stand: OAuthStand
  readonly callers: TestCallers
  /** Takes our tokens and those of `callers`. */
  readonly other: string
  readonly client: StrictClient
}

async function startStand(oauthSettings: Readonly<Record<string, unknown>> = {}): Promise<Stand> {
  const stand = await startOAuthStand({ oauth: { clients: [BROKER, NARROW, CHIEF, ROBOT], ...oauthSettings } })
  const callers = testCallers({ requiredScopes: ['refunds:read'] })
  const other = await stand.addWorkspace('Other', { auth: { authType: 'both', jwt: callers.auth.jwt } })
  const client = await StrictClient.register(stand)
  return { stand, callers, other, client, [Symbol.asyncDispose]: () => stand[Symbol.asyncDispose]() }
}

function form(subject_token: string, resource: string, more: Readonly<Record<string, string>> = {}) {
  return { grant_type: TYPE, subject_token, subject_token_type: ACCESS_TOKEN, resource, ...more }
}

suite('a client that may exchange tokens', () => {
  test('gets for a person’s token one of another workspace, which says who acts (RFC 8693)', async () => {
    await using it = await startStand()
    const { stand, other, client } = it
    const { accessToken } = await client.connect()
    const server = await serverOf(stand)
    const broker = { client_id: 'broker' }
    const answer = await oauth.genericTokenEndpointRequest(
      ...([server, broker, oauth.ClientSecretBasic(SECRET), TYPE, form(accessToken, other)] as const),
      insecure,
    )
    const got = await oauth.processGenericTokenEndpointResponse(server, broker, answer)
    assert.equal(got['issued_token_type'], ACCESS_TOKEN)
    assert.equal(got.refresh_token, undefined)
    assert.equal(got.scope, 'mcp refunds:read')
    const before = decodeJwt(accessToken)
    const after = decodeJwt(got.access_token)
    assert.equal(after.aud, other)
    assert.equal(after.sub, before.sub)
    assert.equal(after['client_id'], 'broker')
    assert.deepEqual(after['act'], { sub: 'broker' })
    assert.equal(await statusWith(other, bearer(got.access_token)), 200)
    assert.equal(await statusWith(stand.endpoint, bearer(got.access_token)), 401)
  })

  test('never gets more scopes or more time than the token had, or than it may have itself', async () => {
    await using it = await startStand()
    const { stand, other, client } = it
    const little = await client.connect({ scope: 'mcp' })
    const refused = await askToken(
      stand,
      form(little.accessToken, other, { scope: 'mcp refunds:read' }),
      basic('broker'),
    )
    assert.equal(refusalIn(refused), '400 invalid_scope')
    const got = givenIn(await askToken(stand, form(little.accessToken, other), basic('broker')))
    assert.equal(got.scope, 'mcp')
    assert.ok(Number(decodeJwt(got.access_token).exp) <= Number(decodeJwt(little.accessToken).exp))
    assert.equal((await mcpClient(other, bearer(got.access_token)).call('listRefunds')).status, 403)
    const much = await client.connect()
    const narrow = givenIn(await askToken(stand, form(much.accessToken, other), basic('narrow')))
    assert.equal(narrow.scope, 'mcp')
  })

  test('gets what lives no longer than the subject token, however long its own tokens live', async () => {
    await using it = await startStand()
    const { stand, other, callers } = it
    const exp = Math.floor(Date.now() / 1000) + 90
    const jwt = await callers.token({ exp, scope: 'refunds:read' })
    const got = givenIn(await askToken(stand, form(jwt, other), basic('broker')))
    assert.ok(Number(decodeJwt(got.access_token).exp) <= exp)
  })

  test('gets for a token of an issuer that the workspace takes one of ours, in a name that is nobody else’s', async () => {
    await using it = await startStand()
    const { stand, other, callers, client } = it
    const ada = decodeJwt((await client.connect()).accessToken).sub
    const jwt = await callers.token({ sub: ada, scope: 'refunds:read mcp admin' })
    const got = givenIn(await askToken(stand, form(jwt, other), basic('broker')))
    assert.equal(got.scope, 'mcp refunds:read')
    const claims = decodeJwt(got.access_token)
    assert.match(claims.sub ?? '', /^ext_/)
    assert.notEqual(claims.sub, ada)
    assert.equal(claims['email'], undefined)
    assert.equal(await statusWith(other, bearer(got.access_token)), 200)
    assert.equal(givenIn(await askToken(stand, form(jwt, other), basic('chief'))).scope, 'mcp refunds:read')
    const again = form(got.access_token, stand.endpoint)
    assert.equal(refusalIn(await askToken(stand, again, basic('broker'))), '400 invalid_request')
  })

  test('loses what it got when the person’s consent ends', async () => {
    await using it = await startStand()
    const { stand, other, client } = it
    const { accessToken, refreshToken } = await client.connect()
    const got = givenIn(await askToken(stand, form(accessToken, other), basic('broker')))
    assert.equal(await statusWith(other, bearer(got.access_token)), 200)
    const revoked = await fetch(client.server.revocation_endpoint ?? '', {
      method: 'POST',
      body: new URLSearchParams({ client_id: client.client.client_id, token: refreshToken }),
    })
    assert.equal(revoked.status, 200)
    assert.equal(await statusWith(other, bearer(got.access_token)), 401)
    assert.equal(refusalIn(await askToken(stand, form(accessToken, other), basic('broker'))), '400 invalid_request')
  })

  test('names everybody who acted before, up to four', async () => {
    await using it = await startStand()
    const { stand, other, client } = it
    let token = (await client.connect({ scope: 'mcp' })).accessToken
    const places = [other, stand.endpoint]
    for (let hop = 0; hop < 4; hop += 1) {
      const place = places[hop % 2] ?? other
      const by = hop % 2 === 0 ? 'broker' : 'narrow'
      token = givenIn(await askToken(stand, form(token, place), basic(by))).access_token
    }
    const first = { sub: 'broker' }
    const chain = { sub: 'narrow', act: { sub: 'broker', act: { sub: 'narrow', act: first } } }
    assert.deepEqual(decodeJwt(token)['act'], chain)
    assert.equal(refusalIn(await askToken(stand, form(token, other), basic('broker'))), '400 invalid_request')
  })
})

suite('a token exchange is refused', () => {
  const cases = [
    { name: 'without a subject token', more: { subject_token: '' }, expected: '400 invalid_request' },
    { name: 'without its type', more: { subject_token_type: '' }, expected: '400 invalid_request' },
    {
      name: 'of a refresh token',
      more: { subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      expected: '400 invalid_request',
    },
    {
      name: 'for an ID token',
      more: { requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      expected: '400 invalid_request',
    },
    { name: 'with an actor token', more: { actor_token: 'a.b.c' }, expected: '400 invalid_request' },
    {
      name: 'with the type of an actor token',
      more: { actor_token_type: ACCESS_TOKEN },
      expected: '400 invalid_request',
    },
    { name: 'of what is no token', more: { subject_token: 'nothing' }, expected: '400 invalid_request' },
    { name: 'for an unknown workspace', more: { resource: 'http://127.0.0.1/none' }, expected: '400 invalid_target' },
    { name: 'for another audience', more: { audience: 'https://elsewhere.example' }, expected: '400 invalid_target' },
    { name: 'for administrators’ scopes', more: { scope: 'admin' }, expected: '400 invalid_scope' },
    { name: 'by a client that may not', by: 'robot', expected: '400 invalid_request' },
    { name: 'by nobody', by: 'nobody', expected: '401 invalid_client' },
  ]
  for (const { name, more = {}, by = 'broker', expected } of cases) {
    test(name, async () => {
      await using it = await startStand()
      const { accessToken } = await it.client.connect()
      const entries = Object.entries({ ...form(accessToken, it.other), ...more }).filter(([, value]) => value !== '')
      const answered = await askToken(it.stand, Object.fromEntries(entries), basic(by))
      assert.equal(refusalIn(answered), expected, answered.text)
    })
  }

  test('of a token that is forged, over, of a program, or not for a workspace of ours', async () => {
    await using it = await startStand()
    const { stand, other, client, callers } = it
    const { accessToken, refreshToken } = await client.connect()
    const forged = `${accessToken.slice(0, -8)}AAAAAAAA`
    const scope = 'refunds:read'
    const over = await callers.token({ exp: Math.floor(Date.now() / 1000) - 10, scope })
    const foreign = await callers.token({ aud: 'somebody-else', scope })
    const weak = await callers.token({ scope: 'mcp' })
    const bound = await callers.token({ scope, cnf: { jkt: 'x'.repeat(43) } })
    const asRobot = { grant_type: 'client_credentials', resource: stand.endpoint }
    const robot = givenIn(await askToken(stand, asRobot, basic('robot'))).access_token
    for (const token of [forged, over, foreign, weak, bound, robot, refreshToken]) {
      assert.equal(refusalIn(await askToken(stand, form(token, other), basic('broker'))), '400 invalid_request', token)
    }
    const elsewhere = await callers.token({ scope })
    // The first workspace does not take that issuer.
    const refused = await askToken(stand, form(elsewhere, stand.endpoint), basic('broker'))
    assert.equal(refusalIn(refused), '400 invalid_request')
  })

  test('of a token that is bound to the key of somebody else', async () => {
    await using it = await startStand()
    const { stand, other, client } = it
    const { url, verifier } = await client.request()
    const back = await signInAndAllow(new Browser(stand.gateway.url), url)
    const dpop = await (await makeDpopKey()).proof('POST', `${stand.gateway.url}/oauth/token`)
    const redeemed = {
      ...{ grant_type: 'authorization_code', client_id: client.client.client_id, redirect_uri: REDIRECT },
      ...{ code: back.searchParams.get('code') ?? '', code_verifier: verifier },
    }
    const bound = givenIn(await askToken(stand, redeemed, { dpop }))
    assert.equal(bound.token_type, 'DPoP')
    const refused = await askToken(stand, form(bound.access_token, other), basic('broker'))
    assert.equal(refusalIn(refused), '400 invalid_request')
  })

  test('across accounts, also for who is in both', async () => {
    await using it = await startStand()
    const { stand, client } = it
    const { gateway } = stand
    const admin = callerWith(gateway.url, `Bearer ${gateway.adminKey}`)
    const account = textAt((await accepted(admin('POST', '/api/accounts', { name: 'Second' }))).body, 'id')
    const invited = await accepted(admin('POST', '/api/invitations', { email: ADA, role: 'developer' }, { account }))
    const code = textAt(invited.body, 'code')
    await accepted(admin('POST', '/api/invitations/accept', { code, name: 'Ada', password: PASSWORD }))
    const settings = workspaceSettings.parse({ name: 'Theirs', auth: { authType: 'oauth' } })
    const how = { keptBy: 'api', reach: 'operator' } as const
    const theirs = await gateway.running.gateway.manager.of(account).create(settings, how)
    const resource = gateway.url + workspacePath(theirs)
    // Whoever is in both could sign in there: it is the exchange that does not lead from one to the other.
    assert.equal(await statusWith(resource, bearer((await client.connect({ endpoint: resource })).accessToken)), 200)
    const { accessToken } = await client.connect()
    const refused = await askToken(stand, form(accessToken, resource), basic('broker'))
    assert.equal(refusalIn(refused), '400 invalid_target')
    assert.match(refused.text, /different accounts/)
  })
})

suite('the metadata', () => {
  test('name token exchange only when a client has it', async () => {
    await using without = await startOAuthStand()
    assert.equal((await serverOf(without)).grant_types_supported?.includes(TYPE), false)
    await using it = await startStand()
    assert.equal((await serverOf(it.stand)).grant_types_supported?.includes(TYPE), true)
  })
})

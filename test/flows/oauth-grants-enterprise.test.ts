import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt, generateKeyPair } from 'jose'
import * as oauth from 'oauth4webapi'
import { oauthSettings } from '../../src/oauth/settings.ts'
import { type EnterpriseProvider, startEnterpriseProvider } from './enterprise-provider.ts'
import { insecure } from './oauth-client.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, serverOf, statusWith } from './oauth-grants-stand.ts'
import { mcpClient, type OAuthStand, startOAuthStand } from './oauth-stand.ts'

const TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const DESK = {
  ...{ id: 'desk', name: 'Desk', secret: SECRET, grants: ['jwt_bearer'], workspaces: ['*'] },
  scopes: ['mcp', 'refunds:read'],
}
/** Has the grant, and is not among the provider's clients. */
const OTHER = { ...DESK, id: 'other' }
const ROBOT = { ...DESK, id: 'robot', grants: ['client_credentials'] }

interface Stand extends AsyncDisposable {
  readonly stand: OAuthStand
  readonly idp: EnterpriseProvider
}

async function startStand(): Promise<Stand> {
  await using parts = new AsyncDisposableStack()
  const idp = parts.use(await startEnterpriseProvider(['desk']))
  const oauth = { clients: [DESK, OTHER, ROBOT], enterpriseProviders: [idp.settings] }
  const stand = parts.use(await startOAuthStand({ oauth }))
  const started = parts.move()
  return { stand, idp, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

function form(assertion: string, more: Readonly<Record<string, string>> = {}) {
  return { grant_type: TYPE, assertion, ...more }
}

const seconds = () => Math.floor(Date.now() / 1000)

suite('an assertion of an enterprise’s identity provider (SEP-990)', () => {
  test('gets a token for its workspace in the name of the person whose e-mail it has, and nobody is asked', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const server = await serverOf(stand)
    const desk = { client_id: 'desk' }
    const assertion = await idp.assertion(stand.endpoint)
    const answer = await oauth.genericTokenEndpointRequest(
      ...([server, desk, oauth.ClientSecretBasic(SECRET), TYPE, { assertion }] as const),
      insecure,
    )
    const got = await oauth.processGenericTokenEndpointResponse(server, desk, answer)
    assert.equal(got.refresh_token, undefined)
    assert.equal(got.scope, 'mcp refunds:read')
    const claims = decodeJwt(got.access_token)
    assert.equal(claims.aud, stand.endpoint)
    assert.equal(claims['client_id'], 'desk')
    assert.equal(claims['email'], undefined)
    assert.equal((await mcpClient(stand.endpoint, bearer(got.access_token)).call('listRefunds')).isError, false)
  })

  test('gets no more scopes than it says, than the request says, than the client has', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const ask = async (claims: Readonly<Record<string, unknown>>, more: Readonly<Record<string, string>> = {}) =>
      askToken(stand, form(await idp.assertion(stand.endpoint, { claims }), more), basic('desk'))
    assert.equal(givenIn(await ask({ scope: 'mcp admin' })).scope, 'mcp')
    assert.equal(givenIn(await ask({}, { scope: 'mcp' })).scope, 'mcp')
    assert.equal(refusalIn(await ask({ scope: 'mcp' }, { scope: 'refunds:read' })), '400 invalid_scope')
    assert.equal(refusalIn(await ask({ scope: 'nothing' })), '400 invalid_scope')
  })

  test('is the same person each time, and another than whoever signs in by password', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const subjects: (string | undefined)[] = []
    for (const claims of [{}, {}, { sub: 'employee-8' }]) {
      const answered = await askToken(stand, form(await idp.assertion(stand.endpoint, { claims })), basic('desk'))
      subjects.push(decodeJwt(givenIn(answered).access_token).sub)
    }
    assert.equal(subjects[0], subjects[1])
    assert.notEqual(subjects[0], subjects[2])
    assert.match(subjects[0] ?? '', /^fed_/)
  })

  test('is of no use for who is no member, and its token ends when the person is disabled', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const id = await stand.addPerson('bob@example.com')
    const ask = async (email: string) =>
      askToken(stand, form(await idp.assertion(stand.endpoint, { claims: { email, sub: email } })), basic('desk'))
    assert.equal(refusalIn(await ask('eve@example.com')), '400 invalid_grant')
    const { access_token } = givenIn(await ask('Bob@Example.com'))
    assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 200)
    assert.equal((await stand.admin.send('PATCH', `/api/people/${id}`, { disabled: true })).status, 200)
    assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 401)
    assert.equal(refusalIn(await ask('bob@example.com')), '400 invalid_grant')
  })
})

suite('an assertion is refused', () => {
  const cases = [
    { name: 'of another type', header: { typ: 'JWT' } },
    { name: 'without a type', header: { typ: undefined } },
    { name: 'that is an access token', header: { typ: 'at+jwt' } },
    { name: 'of an unknown key', header: { kid: 'idp-2' } },
    { name: 'without a key id', header: { kid: undefined } },
    { name: 'of an unknown issuer', claims: { iss: 'https://evil.example' } },
    { name: 'for another server', claims: { aud: 'https://other.example' } },
    { name: 'for us and another server', more: ['https://other.example'] },
    { name: 'for the token endpoint in place of the issuer', suffix: '/oauth/token' },
    { name: 'for another client', claims: { client_id: 'other' } },
    { name: 'without a client', claims: { client_id: undefined } },
    { name: 'for an unknown workspace', claims: { resource: 'http://127.0.0.1/none' }, error: 'invalid_target' },
    { name: 'without a workspace', claims: { resource: undefined }, error: 'invalid_target' },
    { name: 'that is over', claims: { exp: seconds() - 1 } },
    { name: 'without an end', claims: { exp: undefined } },
    { name: 'that lives for long', claims: { exp: seconds() + 86_400 } },
    { name: 'of the future', claims: { iat: seconds() + 3_600 } },
    { name: 'of the future, that is good already', claims: { iat: seconds() + 3_600, nbf: seconds() } },
    { name: 'without a beginning', claims: { iat: undefined } },
    { name: 'that is not good yet', claims: { nbf: seconds() + 3_600 } },
    { name: 'without a jti', claims: { jti: undefined } },
    { name: 'without a subject', claims: { sub: '' } },
    { name: 'without an e-mail', claims: { email: undefined } },
    { name: 'with an e-mail of a domain that is not the enterprise’s', claims: { email: 'ada@example.org' } },
    { name: 'with an e-mail of a subdomain', claims: { email: 'ada@evil.example.com' } },
    { name: 'with an e-mail that nobody has verified', claims: { email_verified: false } },
    { name: 'with an e-mail that may be verified', claims: { email_verified: 'true' } },
  ]
  for (const { name, claims = {}, header = {}, more, suffix = '', error = 'invalid_grant' } of cases) {
    test(name, async () => {
      await using it = await startStand()
      const { stand, idp } = it
      const aud = more === undefined ? stand.gateway.url + suffix : [stand.gateway.url, ...more]
      const assertion = await idp.assertion(stand.endpoint, { claims: { aud, ...claims }, header })
      const answered = await askToken(stand, form(assertion), basic('desk'))
      assert.equal(refusalIn(answered), `400 ${error}`, answered.text)
    })
  }

  test('for a member whose e-mail is of a domain that is not the enterprise’s', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    for (const email of ['olga@example.org', 'olga@evil.example.com']) {
      await stand.addPerson(email)
      const answered = await askToken(
        stand,
        form(await idp.assertion(stand.endpoint, { claims: { email } })),
        basic('desk'),
      )
      assert.equal(refusalIn(answered), '400 invalid_grant', answered.text)
    }
  })

  test('for a member whose e-mail is only alike: the Kelvin sign becomes a k in lower case', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    await stand.addPerson('kim@example.com')
    const ask = async (email: string) =>
      askToken(stand, form(await idp.assertion(stand.endpoint, { claims: { email, sub: email } })), basic('desk'))
    assert.equal(refusalIn(await ask('\u212Aim@example.com')), '400 invalid_grant')
    givenIn(await ask('KIM@example.com'))
  })

  test('that somebody else signed, that was changed, or that is none', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const { privateKey } = await generateKeyPair('ES256')
    const good = await idp.assertion(stand.endpoint)
    const [header = '', , signature = ''] = good.split('.')
    const claims = Buffer.from(JSON.stringify({ ...decodeJwt(good), email: 'olga@example.com' })).toString('base64url')
    const forged = [
      await idp.assertion(stand.endpoint, { key: privateKey }),
      `${header}.${claims}.${signature}`,
      `${good.split('.').slice(0, 2).join('.')}.`,
      'nothing',
    ]
    for (const assertion of forged) {
      assert.equal(refusalIn(await askToken(stand, form(assertion), basic('desk'))), '400 invalid_grant')
    }
    const asked = { grant_type: TYPE }
    assert.equal(refusalIn(await askToken(stand, asked, basic('desk'))), '400 invalid_request')
  })

  test('brought by a client that may not, or with another resource beside it', async () => {
    await using it = await startStand()
    const { stand, idp } = it
    const elsewhere = await stand.addWorkspace('Other')
    const assertion = () => idp.assertion(stand.endpoint)
    const forOther = () => idp.assertion(stand.endpoint, { claims: { client_id: 'other' } })
    assert.equal(refusalIn(await askToken(stand, form(await forOther()), basic('other'))), '400 invalid_grant')
    assert.equal(refusalIn(await askToken(stand, form(await assertion()), basic('other'))), '400 invalid_grant')
    assert.equal(refusalIn(await askToken(stand, form(await assertion()), basic('robot'))), '400 invalid_request')
    assert.equal(refusalIn(await askToken(stand, form(await assertion()))), '400 invalid_request')
    const mixed = form(await assertion(), { resource: elsewhere })
    assert.equal(refusalIn(await askToken(stand, mixed, basic('desk'))), '400 invalid_target')
    givenIn(await askToken(stand, form(await assertion(), { resource: stand.endpoint }), basic('desk')))
  })
})

suite('enterprise-managed authorization', () => {
  test('is in the metadata only when a client has it', async () => {
    await using without = await startOAuthStand()
    assert.equal((await serverOf(without)).grant_types_supported?.includes(TYPE), false)
    await using it = await startStand()
    assert.equal((await serverOf(it.stand)).grant_types_supported?.includes(TYPE), true)
  })

  test('does not start with a provider that could be anybody', async () => {
    const good = {
      issuer: 'https://idp.example',
      jwksUrl: 'https://idp.example/keys',
      clients: ['desk'],
      domains: ['e.org'],
    }
    const parse = (...enterpriseProviders: unknown[]) => oauthSettings.safeParse({ enterpriseProviders }).success
    assert.equal(parse(good), true)
    for (const wrong of [{ jwksUrl: 'http://idp.example/keys' }, { domains: [] }, { clients: [] }, { issuer: 'idp' }]) {
      assert.equal(parse({ ...good, ...wrong }), false)
    }
    assert.equal(parse(good, good), false)
  })
})

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import { oauthSettings } from '../../src/oauth/settings.ts'
import { send } from './http.ts'
import { insecure, StrictClient } from './oauth-client.ts'
import { askToken, basic, bearer, givenIn, refusalIn, SECRET, serverOf, statusWith } from './oauth-grants-stand.ts'
import { mcpClient, type OAuthStand, startOAuthStand } from './oauth-stand.ts'

const GRANT = { grant_type: 'client_credentials' }
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ROBOT = {
  ...{ id: 'robot', name: 'Robot', secret: SECRET, grants: ['client_credentials'], workspaces: ['*'] },
  scopes: ['mcp', 'refunds:read'],
}

const keys = await generateKeyPair('ES256')
const SIGNER = {
  ...{ id: 'signer', name: 'Signer', grants: ['client_credentials'], workspaces: ['*'] },
  jwks: { keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'k1' }] },
}
const PERSONAL = { id: 'personal', name: 'Personal', secret: SECRET, redirectUris: ['https://app.example/cb'] }

async function startStand(clients: readonly unknown[] = [ROBOT, SIGNER, PERSONAL]) {
  return startOAuthStand({ oauth: { clients } })
}

/** An assertion of the signer; `claims` replace those of a good one. */
function assertion({ gateway }: OAuthStand, claims: Readonly<Record<string, unknown>> = {}, key = keys.privateKey) {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const good = { iss: 'signer', sub: 'signer', aud: gateway.url, jti: crypto.randomUUID(), exp: nowSeconds + 60 }
  return new SignJWT({ ...good, iat: nowSeconds, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key)
}

function signedForm(client_assertion: string) {
  return { ...GRANT, client_assertion_type: ASSERTION_TYPE, client_assertion }
}

suite('a program with credentials of its own', () => {
  const ways = [
    { name: 'client_secret_basic', client_id: 'robot', auth: () => oauth.ClientSecretBasic(SECRET) },
    { name: 'client_secret_post', client_id: 'robot', auth: () => oauth.ClientSecretPost(SECRET) },
    {
      name: 'private_key_jwt',
      client_id: 'signer',
      auth: () => oauth.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' }),
    },
  ]
  for (const { name, client_id, auth } of ways) {
    test(`gets a token for the workspace by ${name}, and calls tools with it (SEP-1046)`, async () => {
      await using stand = await startStand()
      const server = await serverOf(stand)
      const params = new URLSearchParams({ resource: stand.endpoint })
      const answer = await oauth.clientCredentialsGrantRequest(server, { client_id }, auth(), params, insecure)
      const got = await oauth.processClientCredentialsResponse(server, { client_id }, answer)
      const claims = decodeJwt(got.access_token)
      assert.equal(claims.aud, stand.endpoint)
      assert.equal(claims.sub, client_id)
      assert.equal(claims['client_id'], client_id)
      assert.equal(claims['grant_id'], undefined)
      assert.equal(got.refresh_token, undefined)
      const called = await mcpClient(stand.endpoint, bearer(got.access_token)).call('listOrders')
      assert.equal(called.isError, false)
    })
  }

  test('gets the scopes of its settings that the workspace knows, or fewer when it asks for fewer', async () => {
    await using stand = await startStand()
    const all = givenIn(await askToken(stand, GRANT, basic('robot')))
    assert.equal(all.scope, 'mcp refunds:read')
    const fewer = givenIn(await askToken(stand, { ...GRANT, scope: 'mcp' }, basic('robot')))
    assert.equal(fewer.scope, 'mcp')
    const calls = await Promise.all(
      [all, fewer].map(({ access_token }) => mcpClient(stand.endpoint, bearer(access_token)).call('listRefunds')),
    )
    assert.deepEqual(
      calls.map(({ status }) => status),
      [200, 403],
    )
  })

  test('is nobody: userinfo knows no person, and neither does the record', async () => {
    await using stand = await startStand()
    const { access_token } = givenIn(await askToken(stand, GRANT, basic('robot')))
    const asked = await send('GET', `${stand.gateway.url}/oauth/userinfo`, { headers: bearer(access_token) })
    assert.equal(asked.status, 401)
    assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 200)
    const line = (await stand.admin.logs('limit=5')).find(({ kind }) => kind === 'request')
    assert.equal(line?.['subject'], 'robot')
  })

  test('has a token for one workspace only', async () => {
    await using stand = await startStand()
    const other = await stand.addWorkspace('Other')
    const form = { ...GRANT, resource: other }
    const { access_token } = givenIn(await askToken(stand, form, basic('robot')))
    assert.equal(await statusWith(other, bearer(access_token)), 200)
    assert.equal(await statusWith(stand.endpoint, bearer(access_token)), 401)
    const unsaid = await askToken(stand, GRANT, basic('robot'))
    assert.equal(refusalIn(unsaid), '400 invalid_target')
    assert.match(unsaid.text, /send resource with the URL of one workspace/)
  })

  test('enters those workspaces only that its settings name, and is out when they name it no more', async () => {
    await using stand = await startStand()
    const other = await stand.addWorkspace('Other')
    const only = { ...ROBOT, workspaces: [other.slice(other.lastIndexOf('/') + 1)] }
    await restartWith(stand, [only])
    const refused = await askToken(stand, { ...GRANT, resource: stand.endpoint }, basic('robot'))
    assert.equal(refusalIn(refused), '400 invalid_target')
    const { access_token } = givenIn(await askToken(stand, { ...GRANT, resource: other }, basic('robot')))
    assert.equal(await statusWith(other, bearer(access_token)), 200)
    await restartWith(stand, [{ ...only, grants: ['token_exchange'] }])
    assert.equal(await statusWith(other, bearer(access_token)), 401)
    await restartWith(stand, [PERSONAL])
    assert.equal(await statusWith(other, bearer(access_token)), 401)
  })
})

suite('client_credentials is refused', () => {
  const cases = [
    { name: 'a wrong secret', headers: basic('robot', 'wrong'), expected: '401 invalid_client' },
    { name: 'an unknown client', headers: basic('nobody'), expected: '401 invalid_client' },
    { name: 'no secret', form: { client_id: 'robot' }, headers: {}, expected: '401 invalid_client' },
    { name: 'a client without the grant', headers: basic('personal'), expected: '400 invalid_request' },
    { name: 'a scope past the client’s', form: { scope: 'mcp admin' }, expected: '400 invalid_scope' },
    { name: 'a scope that nothing knows', form: { scope: 'openid' }, expected: '400 invalid_scope' },
    {
      name: 'a workspace that is not there',
      form: { resource: 'http://127.0.0.1/none' },
      expected: '400 invalid_target',
    },
    { name: 'a scope with characters that no scope has', form: { scope: 'mcp"' }, expected: '400 invalid_scope' },
  ]
  for (const { name, form = {}, headers = basic('robot'), expected } of cases) {
    test(name, async () => {
      await using stand = await startStand()
      assert.equal(refusalIn(await askToken(stand, { ...GRANT, ...form }, headers)), expected)
    })
  }

  test('two resources at once', async () => {
    await using stand = await startStand()
    const other = await stand.addWorkspace('Other')
    const form = new URLSearchParams({ ...GRANT, resource: stand.endpoint })
    form.append('resource', other)
    assert.equal(refusalIn(await askToken(stand, form, basic('robot'))), '400 invalid_request')
  })

  test('a client that registered itself, whatever it asked for', async () => {
    await using stand = await startStand()
    const metadata = { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' }
    const { client } = await StrictClient.register(stand, { ...metadata, response_types: [], redirect_uris: [] }).catch(
      () => StrictClient.register(stand, { token_endpoint_auth_method: 'client_secret_post' }),
    )
    const form = { ...GRANT, client_id: client.client_id, client_secret: String(client['client_secret']) }
    assert.match(refusalIn(await askToken(stand, form)), /^400 (?:unauthorized_client|invalid_request)$/)
  })
})

suite('an assertion of a client (private_key_jwt) is refused', () => {
  const seconds = () => Math.floor(Date.now() / 1000)
  const cases = [
    { name: 'for somebody else', claims: () => ({ aud: 'https://other.example' }) },
    { name: 'without an end', claims: () => ({ exp: undefined }) },
    { name: 'that is over', claims: () => ({ exp: seconds() - 60 }) },
    { name: 'that lives for long', claims: () => ({ exp: seconds() + 86_400 }) },
    { name: 'without a jti', claims: () => ({ jti: undefined }) },
    { name: 'of another issuer', claims: () => ({ iss: 'robot' }) },
    { name: 'of another subject', claims: () => ({ sub: 'robot' }) },
  ]
  for (const { name, claims } of cases) {
    test(name, async () => {
      await using stand = await startStand()
      const answered = await askToken(stand, signedForm(await assertion(stand, claims())))
      assert.equal(refusalIn(answered), '401 invalid_client', answered.text)
    })
  }

  test('of another key, and the good one counts once, at the issuer or the token endpoint', async () => {
    await using stand = await startStand()
    const stranger = await generateKeyPair('ES256')
    const forged = await assertion(stand, {}, stranger.privateKey)
    assert.equal(refusalIn(await askToken(stand, signedForm(forged))), '401 invalid_client')
    for (const aud of [stand.gateway.url, `${stand.gateway.url}/oauth/token`]) {
      const good = await assertion(stand, { aud })
      givenIn(await askToken(stand, signedForm(good)))
      assert.equal(refusalIn(await askToken(stand, signedForm(good))), '401 invalid_client')
    }
  })
})

suite('the metadata', () => {
  test('name client_credentials only when a client has it', async () => {
    await using without = await startStand([PERSONAL])
    assert.deepEqual((await serverOf(without)).grant_types_supported, ['authorization_code', 'refresh_token'])
    await using stand = await startStand()
    const server = await serverOf(stand)
    assert.deepEqual(server.grant_types_supported, ['authorization_code', 'refresh_token', 'client_credentials'])
    assert.deepEqual(server.token_endpoint_auth_methods_supported?.toSorted(), [
      ...['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
    ])
    assert.equal(refusalIn(await askToken(without, GRANT, basic('personal'))), '400 unsupported_grant_type')
  })
})

suite('a client in the settings is refused', () => {
  const cases = [
    { name: 'that is public and has a grant without a person', client: { ...ROBOT, secret: undefined } },
    { name: 'that may enter no workspace', client: { ...ROBOT, workspaces: [] } },
    { name: 'without a scope', client: { ...ROBOT, scopes: [] } },
    { name: 'with codes and nowhere to send them', client: { ...PERSONAL, redirectUris: [] } },
    { name: 'with two proofs', client: { ...ROBOT, jwks: SIGNER.jwks } },
    { name: 'with a private key', client: { ...SIGNER, jwks: { keys: [{ kty: 'EC', d: 'x' }] } } },
    { name: 'with a grant that there is not', client: { ...ROBOT, grants: ['password'] } },
  ]
  for (const { name, client } of cases) {
    test(name, () => assert.equal(oauthSettings.safeParse({ clients: [client] }).success, false))
  }
})

/** Writes other clients into the configuration and starts the gateway again. */
async function restartWith({ gateway }: OAuthStand, clients: readonly unknown[]): Promise<void> {
  const file = join(gateway.folder, 'gatehouse.yaml')
  const config = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...config, oauth: { ...config.oauth, clients } }))
  await gateway.restart()
}

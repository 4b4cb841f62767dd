import assert from 'node:assert/strict'
import https from 'node:https'
import { after, before, suite, test } from 'node:test'
import tls from 'node:tls'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { close, listen } from '../../src/test-api/wire.ts'
import { makeCertificate } from './certificate.ts'
import { send } from './http.ts'
import { REDIRECT } from './oauth-client.ts'
import { askToken, refusalIn, SECRET } from './oauth-grants-stand.ts'
import { type OAuthStand, startOAuthStand } from './oauth-stand.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** So that everything is on. */
const KNOWN = {
  ...{ id: 'known', name: 'Known', secret: SECRET, workspaces: ['*'] },
  grants: ['client_credentials', 'device_code', 'token_exchange', 'jwt_bearer'],
}

const certificate = makeCertificate({ names: ['127.0.0.1'] })
const trustedBefore = tls.getCACertificates()
const keys = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'k1' }

before(() => tls.setDefaultCACertificates([...trustedBefore, certificate.cert]))
after(() => tls.setDefaultCACertificates(trustedBefore))

/** A stranger's client, that says of itself that it may everything. */
async function startSite() {
  const server = https.createServer(certificate, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        ...{ client_id: id, client_name: 'Stranger', redirect_uris: [REDIRECT], jwks: { keys: [jwk] } },
        ...{ token_endpoint_auth_method: 'private_key_jwt', response_types: ['code'] },
        grant_types: ['authorization_code', 'client_credentials', DEVICE, EXCHANGE, BEARER],
      }),
    )
  })
  const port: number = await listen(server, { host: '127.0.0.1', port: 0 })
  const id = `https://127.0.0.1:${port}/client.json`
  return { id, host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => close(server) }
}

async function proofOf(id: string, { gateway }: OAuthStand) {
  const claims = { iss: id, sub: id, aud: gateway.url, jti: crypto.randomUUID() }
  const assertion = new SignJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 60 })
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await assertion.setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(keys.privateKey),
  }
}

suite('a client that is its own metadata document', () => {
  test('has none of the grants that it gives itself, whatever key it has', async () => {
    await using site = await startSite()
    await using stand = await startOAuthStand({ oauth: { clients: [KNOWN] }, egress: { allowedHosts: [site.host] } })
    const forms: readonly Readonly<Record<string, string>>[] = [
      { grant_type: 'client_credentials', resource: stand.endpoint },
      { grant_type: EXCHANGE, subject_token: 'a.b.c', resource: stand.endpoint },
      { grant_type: BEARER, assertion: 'a.b.c' },
    ]
    for (const form of forms) {
      const answered = await askToken(stand, { ...form, ...(await proofOf(site.id, stand)) })
      assert.equal(refusalIn(answered), '400 unauthorized_client', answered.text)
    }
    const asked = await send('POST', `${stand.gateway.url}/oauth/device-authorization`, {
      body: new URLSearchParams({ resource: stand.endpoint, ...(await proofOf(site.id, stand)) }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    assert.equal(refusalIn(asked), '400 unauthorized_client', asked.text)
  })
})

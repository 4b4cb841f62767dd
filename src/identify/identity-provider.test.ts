import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { decodeProtectedHeader, exportJWK } from 'jose'
import { AUDIENCE, bearer, Clock, identityOf, listen, newKeyPair, outcome, refusals } from './identify.test-support.ts'

const CLIENT = { id: 'agent', secret: 'agent-secret-agent-secret-agent-secret' }

/** A real identity provider: `oidc-provider`, which gives JWT access tokens (RFC 9068) for a resource (RFC 8707). */
async function startProvider() {
  let answer: RequestListener = (_request: IncomingMessage, response: ServerResponse) => response.end()
  const server = await listen((request, response) => answer(request, response))
  const { privateKey } = await newKeyPair('RS256')
  // The package has no types, so it is imported without any.
  const { default: Provider } = await import(import.meta.resolve('oidc-provider'))
  const getResourceServerInfo = (_context: unknown, resource: string) => ({
    scope: 'mcp mcp:call',
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
  })
  const provider = new Provider(server.url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: 'idp-1' }] },
    cookies: { keys: ['a cookie key of this test'] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo },
    },
  })
  answer = provider.callback()
  return Object.assign(server, { jwksUrl: `${server.url}/jwks` })
}

async function tokenFor(issuer: string, resource: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'mcp mcp:call' }),
  })
  const answer: unknown = await response.json()
  assert.ok(typeof answer === 'object' && answer !== null && 'access_token' in answer, JSON.stringify(answer))
  assert.ok(typeof answer.access_token === 'string')
  return answer.access_token
}

suite('with a real identity provider', () => {
  test('a client credentials token for this resource opens it, one for another does not', async () => {
    await using provider = await startProvider()
    const clock = new Clock()
    clock.ms = Date.now()
    const jwt = { jwksUrl: provider.jwksUrl, issuer: provider.url, audience: AUDIENCE }
    const identity = identityOf({ authType: 'jwt', jwt }, { clock })
    assert.deepEqual(await identity.start(), [])

    const token = await tokenFor(provider.url, AUDIENCE)
    assert.equal(decodeProtectedHeader(token).typ, 'at+jwt')
    const caller = await identity.identify(bearer(token), 'a')
    assert.equal(caller.issuer, provider.url)
    assert.equal(caller.subject, CLIENT.id)
    assert.deepEqual([...caller.scopes], ['mcp', 'mcp:call'])
    assert.equal(caller.claims['client_id'], CLIENT.id)

    assert.equal(await outcome(identity, await tokenFor(provider.url, 'https://other.example/')), refusals.audience)
    clock.ms += 601_000
    assert.equal(await outcome(identity, token), refusals.expired)
  })
})

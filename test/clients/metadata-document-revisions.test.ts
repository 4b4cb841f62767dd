import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { at, send, textAt } from '../flows/http.ts'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'
import { startClientSite } from './metadata-document.ts'

const REDIRECT = 'http://127.0.0.1:7777/callback'

/** How a client of a revision finds the authorization server, and whether it names the workspace. */
interface Revision {
  readonly revision: string
  /** Gives the metadata of the server, all of whose addresses are read from there. */
  readonly discover: (stand: OAuthStand) => Promise<unknown>
  readonly namesResource: boolean
}

const REVISIONS: readonly Revision[] = [
  {
    // Authorization §2.3.2: at the origin of the MCP server, its path cut off. RFC 8707 and 9728 are not known yet.
    revision: '2025-03-26',
    discover: async ({ endpoint }) => {
      const url = `${new URL(endpoint).origin}/.well-known/oauth-authorization-server`
      return (await send('GET', url, { headers: { 'mcp-protocol-version': '2025-03-26' } })).body
    },
    namesResource: false,
  },
  {
    // Authorization §2.3: from the challenge to the resource's metadata, and from there to the issuer's (RFC 9728, RFC 8414).
    revision: '2025-06-18',
    discover: async ({ endpoint }) => {
      const headers = { 'mcp-protocol-version': '2025-06-18' }
      const refused = await send('POST', endpoint, { headers, body: initialize('2025-06-18') })
      assert.equal(refused.status, 401)
      const [, url = ''] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      const resource = await send('GET', url, { headers })
      assert.equal(textAt(resource.body, 'resource'), endpoint)
      const issuer = textAt(resource.body, 'authorization_servers', 0)
      const server = await send('GET', `${issuer}/.well-known/oauth-authorization-server`, { headers })
      assert.equal(textAt(server.body, 'issuer'), issuer)
      return server.body
    },
    namesResource: true,
  },
]

suite('a client that is a metadata document, of a revision that has none yet, gets its tools (C15):', () => {
  for (const { revision, discover, namesResource } of REVISIONS) {
    test(`${revision}, from discovery to a call`, async () => {
      const described = { redirect_uris: [REDIRECT], client_name: 'Older', token_endpoint_auth_method: 'none' }
      await using site = await startClientSite(described)
      await using stand = await startOAuthStand({ config: site.config })
      const server = await discover(stand)
      assert.equal(at(server, 'client_id_metadata_document_supported'), true)
      const resource: Readonly<Record<string, string>> = namesResource ? { resource: stand.endpoint } : {}
      const token = await signInAs(site.clientId, server, { stand, resource })
      assert.equal(decodeJwt(token).aud, stand.endpoint)
      assert.ok(site.asked() > 0)

      const headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' }
      const begun = await send('POST', stand.endpoint, { headers, body: initialize(revision) })
      assert.equal(textAt(begun.body, 'result', 'protocolVersion'), revision)
      const session = begun.headers.get('mcp-session-id')
      const later = {
        ...headers,
        ...(session === null ? {} : { 'mcp-session-id': session }),
        ...(revision === '2025-03-26' ? {} : { 'mcp-protocol-version': revision }),
      }
      const ready = { jsonrpc: '2.0', method: 'notifications/initialized' }
      assert.equal((await send('POST', stand.endpoint, { headers: later, body: ready })).status, 202)
      const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'listOrders', arguments: {} } }
      const called = await send('POST', stand.endpoint, { headers: later, body: call })
      assert.equal(called.status, 200, called.text)
      assert.notEqual(at(called.body, 'result', 'isError'), true, called.text)
      assert.equal(stand.api.seen.length, 1)
    })
  }
})

/** The whole way of a person who is asked in the browser; the client sends what its revision knows, and no more. */
async function signInAs(
  clientId: string,
  server: unknown,
  { stand, resource }: { readonly stand: OAuthStand; readonly resource: Readonly<Record<string, string>> },
): Promise<string> {
  const verifier = oauth.generateRandomCodeVerifier()
  const url = new URL(textAt(server, 'authorization_endpoint'))
  url.search = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: REDIRECT, response_type: 'code', state: 's', ...resource },
    ...{ code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
  }).toString()
  const back = await signInAndAllow(new Browser(stand.gateway.url), url.href)
  const form = {
    ...{ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '', client_id: clientId },
    ...{ redirect_uri: REDIRECT, code_verifier: verifier, ...resource },
  }
  const answered = await send('POST', textAt(server, 'token_endpoint'), {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  })
  assert.equal(answered.status, 200, answered.text)
  return textAt(answered.body, 'access_token')
}

function initialize(protocolVersion: string): unknown {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'older', version: '1' } }
  return { jsonrpc: '2.0', id: 1, method: 'initialize', params }
}

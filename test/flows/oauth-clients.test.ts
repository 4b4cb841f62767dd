import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as v2 from '@modelcontextprotocol/client'
import * as v1auth from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as V1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from './oauth-stand.ts'

const REDIRECT = 'http://localhost:7777/callback'

/** What an official client remembers of its sign-in; both of their versions take it. */
class Memory {
  readonly clientMetadata = { client_name: 'Official client', redirect_uris: [REDIRECT] }
  readonly redirectUrl = REDIRECT
  sentTo: URL | undefined
  client: { client_id: string } | undefined
  kept: { access_token: string; token_type: string } | undefined
  verifier = ''

  clientInformation() {
    return this.client
  }
  saveClientInformation(client: { client_id: string }) {
    this.client = client
  }
  tokens() {
    return this.kept
  }
  saveTokens(tokens: { access_token: string; token_type: string }) {
    this.kept = tokens
  }
  redirectToAuthorization(url: URL) {
    this.sentTo = url
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
}

suite('a client that is given nothing but the URL signs a person in and calls tools:', () => {
  test('the official client 1.32', async () => {
    await using stand = await startOAuthStand()
    const memory = new Memory()
    const client = new V1Client({ name: 'v1', version: '1' })
    const transport = () => new V1Transport(new URL(stand.endpoint), { authProvider: memory })
    const first = transport()
    await assert.rejects(client.connect(first), v1auth.UnauthorizedError)
    await first.finishAuth(await codeOf(stand, memory))
    await client.connect(transport())
    assert.deepEqual(
      (await client.listTools()).tools.map(({ name }) => name),
      ['listOrders', 'listRefunds'],
    )
    const called = await client.callTool({ name: 'listOrders' })
    assert.notEqual(called.isError, true)
    await client.close()
  })

  test('the official client 2.4', async () => {
    await using stand = await startOAuthStand()
    const memory = new Memory()
    const client = new v2.Client({ name: 'v2', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    const transport = () => new v2.StreamableHTTPClientTransport(new URL(stand.endpoint), { authProvider: memory })
    const first = transport()
    await assert.rejects(client.connect(first), v2.UnauthorizedError)
    await first.finishAuth(new URLSearchParams((await answerOf(stand, memory)).search))
    await client.connect(transport())
    const called = await client.callTool({ name: 'listOrders', arguments: {} })
    assert.notEqual(called.isError, true)
    await client.close()
  })
})

async function answerOf({ gateway }: OAuthStand, { sentTo }: Memory): Promise<URL> {
  assert.ok(sentTo)
  return signInAndAllow(new Browser(gateway.url), sentTo.href)
}

async function codeOf(stand: OAuthStand, memory: Memory): Promise<string> {
  return (await answerOf(stand, memory)).searchParams.get('code') ?? ''
}

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { REDIRECT, StrictClient } from '../flows/oauth-client.ts'
import { Browser, leftOf, mcpClient, pageOf, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'

suite('T10: what was allowed for one workspace stays with it:', () => {
  test('the workspace is bound through every rotation, named or not', async () => {
    await using stand = await startOAuthStand()
    const other = await stand.addWorkspace('Other')
    const client = await StrictClient.register(stand)
    let tokens = await client.connect()
    for (const resource of [undefined, stand.endpoint, undefined, `${stand.endpoint}/mcp`]) {
      tokens = await client.refresh(tokens.refreshToken, resource === undefined ? {} : { resource })
      assert.equal(decodeJwt(tokens.accessToken).aud, stand.endpoint)
      const list = await mcpClient(other, { authorization: `Bearer ${tokens.accessToken}` }).send('tools/list')
      assert.equal(list.status, 401)
    }
  })

  test('neither a code nor a refresh token is exchanged for another workspace', async () => {
    await using stand = await startOAuthStand()
    const other = await stand.addWorkspace('Other')
    const client = await StrictClient.register(stand)
    const { url, verifier } = await client.request()
    const code = (await signInAndAllow(new Browser(stand.gateway.url), url)).searchParams.get('code') ?? ''
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier }
    const refusedCode = await client.token({ ...form, resource: other })
    assert.deepEqual([refusedCode.status, Object(refusedCode.body).error], [400, 'invalid_target'])
    const { refreshToken } = await client.connect()
    const { pathname } = new URL(stand.endpoint)
    const elsewhere = `https://elsewhere.example${pathname}`
    for (const resource of [other, elsewhere, `${stand.endpoint}?a=b`, stand.gateway.url, 'nonsense']) {
      const refused = await client.token({ grant_type: 'refresh_token', refresh_token: refreshToken, resource })
      assert.equal(refused.status, 400, resource)
      assert.equal(Object(refused.body).error, 'invalid_target', resource)
    }
  })

  test('two workspaces in one request, or none of ours, get no code', async () => {
    await using stand = await startOAuthStand()
    const other = await stand.addWorkspace('Other')
    const client = await StrictClient.register(stand)
    const { url } = await client.request()
    for (const resources of [[stand.endpoint, other], ['https://elsewhere.example'], [`${stand.endpoint}x`]]) {
      const asked = new URL(url)
      asked.searchParams.delete('resource')
      for (const resource of resources) asked.searchParams.append('resource', resource)
      const browser = new Browser(stand.gateway.url)
      const result = await browser.open(asked.href)
      if ('left' in result) assert.equal(result.left.searchParams.get('error'), 'invalid_target')
      else assert.equal(result.forms.length, 0, result.html)
    }
  })
})

suite('T10: a client knows which server has answered (RFC 9207):', () => {
  test('iss stands in answers and in errors, exactly as in the metadata; a client that is told another one stops', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const asked = await client.request()
    const good = await signInAndAllow(browser, asked.url)
    assert.equal(good.searchParams.get('iss'), client.server.issuer)
    oauth.validateAuthResponse(client.server, client.client, good, asked.state)
    const forged = new URL(good)
    forged.searchParams.set('iss', `${client.server.issuer}/`)
    assert.throws(() => oauth.validateAuthResponse(client.server, client.client, forged, asked.state), /iss/)
    const denied = leftOf(await browser.submit(pageOf(await browser.open((await client.request()).url)), 'deny'))
    const broken = leftOf(await browser.open((await client.request({ params: { prompt: 'nonsense' } })).url))
    for (const answer of [denied, broken]) assert.equal(answer.searchParams.get('iss'), client.server.issuer)
  })
})

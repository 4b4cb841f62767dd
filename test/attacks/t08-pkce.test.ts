import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { REDIRECT, StrictClient } from '../flows/oauth-client.ts'
import { Browser, leftOf, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'

const SECRET = 'a secret of forty characters, more or less'
const CONFIDENTIAL = { id: 'app', name: 'App', secret: SECRET, redirectUris: [REDIRECT] }

const WRONG_VERIFIERS: readonly Readonly<Record<string, string>>[] = [
  ...[{}, { code_verifier: '' }, { code_verifier: 'x'.repeat(43) }],
]

/** The request without some parameters, with others. */
function changed(url: string, without: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  const asked = new URL(url)
  for (const name of without) asked.searchParams.delete(name)
  for (const [name, value] of Object.entries(more)) asked.searchParams.set(name, value)
  return asked.href
}

suite('T8: PKCE with S256 is asked of every client and cannot be talked down:', () => {
  const downgrades = [
    { name: 'no challenge', without: ['code_challenge', 'code_challenge_method'], more: {} },
    { name: 'a method without a challenge', without: ['code_challenge'], more: {} },
    { name: 'a challenge without a method, which would mean plain', without: ['code_challenge_method'], more: {} },
    { name: 'plain', without: [], more: { code_challenge_method: 'plain' } },
    { name: 's256 in another spelling', without: [], more: { code_challenge_method: 's256' } },
    { name: 'a challenge that is too short', without: [], more: { code_challenge: 'short' } },
    { name: 'an empty challenge', without: [], more: { code_challenge: '' } },
  ] as const

  for (const id of ['a public client', 'a client with a secret']) {
    test(`${id} gets no code without it (C6)`, async () => {
      await using stand = await startOAuthStand({ oauth: { clients: [CONFIDENTIAL] } })
      const client = await StrictClient.register(stand)
      const client_id = id === 'a public client' ? client.client.client_id : CONFIDENTIAL.id
      for (const { name, without, more } of downgrades) {
        const { url } = await client.request()
        const back = leftOf(await new Browser(stand.gateway.url).open(changed(url, without, { ...more, client_id })))
        assert.equal(back.searchParams.get('error'), 'invalid_request', name)
        assert.equal(back.searchParams.get('code'), null, name)
      }
    })
  }

  test('a code is worth nothing without the verifier, or with another one', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    for (const verifier of WRONG_VERIFIERS) {
      const code = (await signInAndAllow(browser, (await client.request()).url)).searchParams.get('code') ?? ''
      const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...verifier }
      const refused = await client.token(form)
      assert.equal(refused.status, 400)
      assert.equal(Object(refused.body).error, 'invalid_grant')
    }
  })

  test('the challenge itself is no verifier', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const { url } = await client.request()
    const code = (await signInAndAllow(new Browser(stand.gateway.url), url)).searchParams.get('code') ?? ''
    const code_verifier = new URL(url).searchParams.get('code_challenge') ?? ''
    const refused = await client.token({
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT,
      code_verifier,
    })
    assert.equal(refused.status, 400)
  })

  test('a code is for its client and its redirect, and works once', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand, { redirect_uris: [REDIRECT, 'https://app.example/cb'] })
    const stranger = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const redeem = async (more: Readonly<Record<string, string>>) => {
      const { url, verifier } = await client.request()
      const code = (await signInAndAllow(browser, url)).searchParams.get('code') ?? ''
      const good = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier }
      return { good, first: await client.token({ ...good, ...more }) }
    }
    assert.equal((await redeem({ client_id: stranger.client.client_id })).first.status, 400)
    assert.equal((await redeem({ redirect_uri: 'https://app.example/cb' })).first.status, 400)
    const { good, first } = await redeem({})
    assert.equal(first.status, 200)
    assert.equal((await client.token(good)).status, 400)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type IdentityProvider, startIdentityProvider } from '../../testing/identity-provider.ts'
import { CLIENT, CLIENT_ID, CLIENT_SECRET, failureOf, standOf, visit } from './federation.test-support.ts'

const BASE = 'http://127.0.0.1:9/oauth/callback'
const SHARED = [BASE, `${BASE}/honest`, `${BASE}/other`]

function at(id: string, { url: issuer }: IdentityProvider) {
  return standOf({ type: 'oidc', id, issuer, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow: 'anyone' })
}

const start = () => startIdentityProvider({ clients: [{ ...CLIENT, redirect_uris: SHARED }] })

suite('of two providers (T10)', () => {
  test('a response of one at the callback of the other is refused, and its code goes nowhere', async () => {
    await using honest = await start()
    await using other = await start()
    await using honestStand = at('honest', honest)
    await using otherStand = at('other', other)
    const [ownUri, otherUri] = [`${BASE}/honest`, `${BASE}/other`]
    const { callbackUrl, memory } = await visit(honestStand.provider, ownUri)
    const moved = callbackUrl.replace(ownUri, otherUri)
    const tries = [
      // The browser was led to the other one’s address, with the memory of either sign-in.
      otherStand.provider.finish({ callbackUrl: moved, redirectUri: otherUri, memory }),
      honestStand.provider.finish({ callbackUrl: moved, redirectUri: ownUri, memory }),
      honestStand.provider.finish({ callbackUrl: moved, redirectUri: otherUri, memory }),
    ]
    for (const one of tries) assert.equal((await failureOf(one)).code, 'invalid_request')
    assert.deepEqual([honest.count('/token'), other.count('/token')], [0, 0])
  })

  test('a response at an address that both share is told apart by iss (RFC 9207)', async () => {
    await using honest = await start()
    await using other = await start()
    await using otherStand = at('other', other)
    // The other provider sends the browser on to the honest one, with its own state: the code is the honest one’s.
    const { memory } = await otherStand.provider.begin({ redirectUri: BASE })
    const query = new URLSearchParams({ code: 'of-the-honest-one', state: memory.state, iss: honest.url })
    const failure = await failureOf(
      otherStand.provider.finish({ callbackUrl: `${BASE}?${query}`, redirectUri: BASE, memory }),
    )
    assert.equal(failure.code, 'login_failed')
    assert.match(failure.cause, /"iss"/)
    assert.equal(other.count('/token'), 0)
  })

  test('a sign-in at one cannot be finished at the other, where both share an address', async () => {
    await using honest = await start()
    await using other = await start()
    await using honestStand = at('honest', honest)
    await using otherStand = at('other', other)
    const { callbackUrl, memory } = await visit(honestStand.provider, BASE)
    const failure = await failureOf(otherStand.provider.finish({ callbackUrl, redirectUri: BASE, memory }))
    assert.deepEqual([failure.code, failure.cause], ['invalid_request', 'the sign-in was begun at another provider'])
    assert.deepEqual([honest.count('/token'), other.count('/token')], [0, 0])
  })

  test('a response without iss is refused of a provider that says it sends one', async () => {
    await using honest = await start()
    await using stand = at('honest', honest)
    const { callbackUrl, memory } = await visit(stand.provider, BASE)
    const failure = await failureOf(
      stand.provider.finish({ callbackUrl: callbackUrl.replace(/[?&]iss=[^&]+/, ''), redirectUri: BASE, memory }),
    )
    assert.match(failure.cause, /"iss" \(issuer\) missing/)
    assert.equal(honest.count('/token'), 0)
  })
})

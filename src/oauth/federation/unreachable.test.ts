import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startIdentityProvider } from '../../testing/identity-provider.ts'
import {
  CLIENT,
  CLIENT_ID,
  CLIENT_SECRET,
  failureOf,
  REDIRECT_URI,
  signIn,
  standOf,
} from './federation.test-support.ts'

const METADATA = '/.well-known/openid-configuration'
const settingsFor = (issuer: string) => ({
  ...{ type: 'oidc', id: 'one', issuer, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow: 'anyone' },
})

suite('a provider', () => {
  test('that is down at the start is told in words, and used as soon as it is up', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    idp.misbehaviour = {
      intercept: (_request, response) => {
        response.writeHead(502).end()
        return true
      },
    }
    assert.match((await stand.provider.start()) ?? '', /status 502/)
    idp.misbehaviour = {}
    const failure = await failureOf(signIn(stand.provider))
    assert.equal(failure.code, 'identity_provider_unavailable')
    assert.match(failure.message, /cannot be reached at the moment/)
    assert.equal(idp.count(METADATA), 1)
    stand.clock.ms += 5_000
    assert.equal((await signIn(stand.provider)).subject, 'person-1')
  })

  test('is asked for its metadata once, by however many who sign in, and again after an hour', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const begin = () => stand.provider.begin({ redirectUri: REDIRECT_URI })
    await Promise.all(Array.from({ length: 20 }, begin))
    assert.equal(idp.count(METADATA), 1)
    const { promise: readAgain, resolve } = Promise.withResolvers<void>()
    idp.misbehaviour = {
      intercept: ({ url }) => {
        if (url === METADATA) resolve()
        return false
      },
    }
    stand.clock.ms += 60 * 60_000
    await begin()
    await readAgain
    assert.equal(idp.count(METADATA), 2)
  })

  test('that went down keeps its metadata for a day, and no longer', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    await stand.provider.start()
    idp.misbehaviour = {
      intercept: ({ socket }) => {
        socket.destroy()
        return true
      },
    }
    const begin = () => failureOf(stand.provider.begin({ redirectUri: REDIRECT_URI }))
    stand.clock.ms += 23 * 60 * 60_000
    assert.equal((await begin()).code, 'signed in')
    stand.clock.ms += 60 * 60_000
    assert.equal((await begin()).code, 'identity_provider_unavailable')
  })

  const at = (path: string) => (url: string | undefined) => url?.startsWith(path) === true
  for (const [name, isIt] of [
    ['metadata', at(METADATA)],
    ['token endpoint', at('/token')],
    ['key set', at('/jwks')],
  ] as const) {
    test(`whose ${name} never answers is given up at the deadline`, async () => {
      await using idp = await startIdentityProvider({ clients: [CLIENT] })
      await using stand = standOf(settingsFor(idp.url), { timeoutMs: 400 })
      idp.misbehaviour = { intercept: ({ url }) => isIt(url) }
      const failure = await failureOf(signIn(stand.provider))
      assert.equal(failure.code, 'identity_provider_unavailable')
      assert.match(failure.cause, /did not answer within 400 ms/)
    })

    test(`whose ${name} answers without end is cut off`, async () => {
      await using idp = await startIdentityProvider({ clients: [CLIENT] })
      await using stand = standOf(settingsFor(idp.url))
      idp.misbehaviour = {
        intercept: ({ url }, response) => {
          if (!isIt(url)) return false
          response.writeHead(200, { 'content-type': 'application/json' })
          response.end(`{"x":"${'x'.repeat(1_000_000)}"}`)
          return true
        },
      }
      const failure = await failureOf(signIn(stand.provider))
      assert.equal(failure.code, 'identity_provider_unavailable')
      assert.match(failure.cause, /more than the limit/)
    })
  }
})

suite('metadata are refused', () => {
  const cases = [
    { name: 'of another issuer', change: { issuer: 'https://other.example' }, cause: /issuer/ },
    { name: 'without a key set', change: { jwks_uri: undefined }, cause: /no jwks_uri/ },
    { name: 'that lead to http in public', change: { token_endpoint: 'http://93.184.216.34/token' }, cause: /https/ },
    { name: 'that lead to no URL', change: { authorization_endpoint: 'javascript:alert(1)' }, cause: /https/ },
  ]
  for (const { name, change, cause } of cases) {
    test(name, async () => {
      await using idp = await startIdentityProvider({ clients: [CLIENT] })
      await using stand = standOf(settingsFor(idp.url))
      idp.misbehaviour = { metadata: (metadata) => ({ ...metadata, ...change }) }
      assert.match((await stand.provider.start()) ?? '', cause)
      assert.equal((await failureOf(signIn(stand.provider))).code, 'login_failed')
    })
  }
})

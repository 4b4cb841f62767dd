import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { JWTPayload } from 'jose'
import { startIdentityProvider } from '../../testing/identity-provider.ts'
import {
  CLIENT,
  CLIENT_ID,
  CLIENT_SECRET,
  failureOf,
  REDIRECT_URI,
  signIn,
  standOf,
  visit,
} from './federation.test-support.ts'

const settingsFor = (issuer: string, more = {}) => ({
  ...{ type: 'oidc', id: 'one', issuer, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow: 'anyone' },
  ...more,
})

suite('signing in at an OpenID provider', () => {
  test('gives the issuer, the subject, the verified e-mail in lower case and the name', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    idp.person = { sub: 'p-7', email: 'Ada@Example.COM', email_verified: true, name: 'Ada\u202e\nLovelace' }
    assert.equal(await stand.provider.start(), undefined)
    assert.deepEqual(await signIn(stand.provider), {
      ...{ issuer: idp.url, subject: 'p-7', email: 'ada@example.com', name: 'Ada Lovelace', isAllowed: true },
    })
  })

  test('asks with PKCE S256, state and nonce, which are new each time', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const begun = await Promise.all([1, 2].map(() => stand.provider.begin({ redirectUri: REDIRECT_URI })))
    for (const { url, memory } of begun) {
      const { searchParams } = new URL(url)
      assert.equal(searchParams.get('code_challenge_method'), 'S256')
      assert.equal(searchParams.get('state'), memory.state)
      assert.equal(searchParams.get('nonce'), memory.nonce)
      assert.equal(searchParams.get('redirect_uri'), REDIRECT_URI)
      assert.ok(!url.includes(memory.codeVerifier))
    }
    const secrets = begun.flatMap(({ memory }) => [memory.state, memory.nonce, memory.codeVerifier])
    assert.equal(new Set(secrets).size, 6)
  })

  test('asks userinfo where the id_token has no e-mail', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT], claimsInIdToken: false })
    await using stand = standOf(settingsFor(idp.url, { allow: { domains: ['example.com'] } }))
    const { email, isAllowed } = await signIn(stand.provider)
    assert.deepEqual([email, isAllowed, idp.count('/me')], ['ada@example.com', true, 1])
  })

  test('proves itself by a key of its own in place of a secret', async () => {
    const { generateKeyPair, exportJWK, exportPKCS8 } = await import('jose')
    for (const alg of ['ES256', 'RS256', 'Ed25519']) {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg, use: 'sig' }] }
      const { client_secret: _, ...client } = CLIENT
      const registered = { ...client, jwks, token_endpoint_auth_method: 'private_key_jwt' }
      await using idp = await startIdentityProvider({
        clients: [{ ...registered, token_endpoint_auth_signing_alg: alg }],
      })
      const key = { clientSecret: undefined, privateKey: await exportPKCS8(privateKey), privateKeyId: 'k1' }
      await using stand = standOf(settingsFor(idp.url, key))
      assert.equal((await signIn(stand.provider)).subject, 'person-1', alg)
    }
  })
})

suite('an e-mail', () => {
  const cases = [
    { name: 'that is not verified', person: { email: 'ada@example.com', email_verified: false } },
    { name: 'of which nothing is said', person: { email: 'ada@example.com' } },
    { name: 'with a text that only looks true', person: { email: 'ada@example.com', email_verified: 'true' } },
    { name: 'of letters that turn into ours', person: { email: 'ada@\u212Bexample.com', email_verified: true } },
    { name: 'that is none', person: { email: 'ada@example.com, eve@example.com', email_verified: true } },
  ]
  for (const { name, person } of cases) {
    test(`${name} counts for nothing, and lets nobody in (T11)`, async () => {
      for (const claimsInIdToken of [true, false]) {
        await using idp = await startIdentityProvider({ clients: [CLIENT], claimsInIdToken })
        await using stand = standOf(settingsFor(idp.url, { allow: { domains: ['example.com'] } }))
        idp.person = { sub: 'p', ...person }
        const { email, isAllowed } = await signIn(stand.provider)
        assert.deepEqual([email, isAllowed], [undefined, false])
      }
    })
  }

  test('of the id_token is not verified by what userinfo says (T11)', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    idp.misbehaviour = { claims: ({ email_verified: _, ...claims }) => claims }
    assert.equal((await signIn(stand.provider)).email, undefined)
  })
})

suite('an id_token is refused', () => {
  const now = Math.floor(Date.now() / 1000)
  const cases: readonly {
    name: string
    claims?: (claims: JWTPayload) => JWTPayload
    signature?: 'unsigned' | 'foreign'
    cause: RegExp
  }[] = [
    { name: 'of another issuer', claims: (it) => ({ ...it, iss: 'https://other.example' }), cause: /iss/ },
    { name: 'for another audience', claims: (it) => ({ ...it, aud: 'somebody-else' }), cause: /aud/ },
    {
      name: 'for several audiences, without azp',
      claims: (it) => ({ ...it, aud: [CLIENT_ID, 'x'] }),
      cause: /additional untrusted audiences/,
    },
    {
      name: 'for somebody else who asked (azp)',
      claims: (it) => ({ ...it, aud: [CLIENT_ID, 'x'], azp: 'x' }),
      cause: /azp/,
    },
    { name: 'that has ended', claims: (it) => ({ ...it, iat: now - 900, exp: now - 300 }), cause: /exp/ },
    { name: 'that never ends', claims: ({ exp: _, ...it }) => it, cause: /exp/ },
    { name: 'with another nonce', claims: (it) => ({ ...it, nonce: 'another' }), cause: /nonce/ },
    { name: 'without a nonce', claims: ({ nonce: _, ...it }) => it, cause: /nonce/ },
    { name: 'without a subject', claims: ({ sub: _, ...it }) => it, cause: /sub/ },
    { name: 'with alg none', signature: 'unsigned', cause: /alg/ },
    { name: 'signed by another key', signature: 'foreign', cause: /signature/ },
  ]
  for (const { name, claims, signature, cause } of cases) {
    test(name, async () => {
      await using idp = await startIdentityProvider({ clients: [CLIENT] })
      await using stand = standOf(settingsFor(idp.url))
      idp.misbehaviour = { ...(claims && { claims }), ...(signature && { signature }) }
      const failure = await failureOf(signIn(stand.provider))
      assert.equal(failure.code, 'login_failed')
      assert.match(failure.message, /nobody was signed in/)
      assert.match(failure.cause, cause)
    })
  }

  test('with alg none also where the metadata offer it', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const metadata = (of: object) => ({ ...of, id_token_signing_alg_values_supported: ['RS256', 'none'] })
    idp.misbehaviour = { metadata, signature: 'unsigned' }
    assert.equal((await failureOf(signIn(stand.provider))).code, 'login_failed')
  })
})

suite('an answer of the provider', () => {
  test('counts once: a repeated state is refused', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const returned = { ...(await visit(stand.provider)), redirectUri: REDIRECT_URI }
    assert.equal((await stand.provider.finish(returned)).subject, 'person-1')
    const failure = await failureOf(stand.provider.finish(returned))
    assert.deepEqual([failure.code, failure.cause], ['invalid_request', 'the state was used before'])
    assert.equal(idp.count('/token'), 1)
  })

  test('of another sign-in, without a state, or with two is refused', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const one = await visit(stand.provider)
    const other = await visit(stand.provider)
    const stateless = one.callbackUrl.replace(/state=[^&]+/, '')
    for (const callbackUrl of [other.callbackUrl, stateless, `${one.callbackUrl}&state=${one.memory.state}`]) {
      const failure = await failureOf(
        stand.provider.finish({ callbackUrl, redirectUri: REDIRECT_URI, memory: one.memory }),
      )
      assert.deepEqual([failure.code, failure.cause], ['invalid_request', 'the state is not the one of this sign-in'])
    }
    assert.equal(idp.count('/token'), 0)
  })

  test('after ten minutes is refused', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const returned = { ...(await visit(stand.provider)), redirectUri: REDIRECT_URI }
    stand.clock.ms += 10 * 60_000
    const failure = await failureOf(stand.provider.finish(returned))
    assert.deepEqual([failure.code, failure.cause], ['invalid_request', 'the sign-in took more than ten minutes'])
  })

  test('that says no is told as that', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    idp.misbehaviour = { refuses: true }
    const failure = await failureOf(signIn(stand.provider))
    assert.equal(failure.code, 'forbidden')
    assert.match(failure.message, /^You were not signed in/)
    assert.match(failure.cause, /access_denied/)
  })

  test('with a code that the provider does not know is refused', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    const { callbackUrl, memory } = await visit(stand.provider)
    const forged = callbackUrl.replace(/code=[^&]+/, 'code=made-up')
    const failure = await failureOf(stand.provider.finish({ callbackUrl: forged, redirectUri: REDIRECT_URI, memory }))
    assert.equal(failure.code, 'login_failed')
    assert.match(failure.cause, /invalid_grant/)
    assert.ok(!failure.cause.includes('made-up'))
  })

  test('that repeats the secret in an error keeps it out of the record', async () => {
    await using idp = await startIdentityProvider({ clients: [CLIENT] })
    await using stand = standOf(settingsFor(idp.url))
    idp.misbehaviour = {
      intercept: ({ url }, response) => {
        if (url !== '/token') return false
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: 'invalid_client', error_description: `not ${CLIENT_SECRET}!` }))
        return true
      },
    }
    const failure = await failureOf(signIn(stand.provider))
    assert.match(failure.cause, /invalid_client": "not \[removed\]!"/)
  })
})

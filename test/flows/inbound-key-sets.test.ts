import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { GatewayError } from '../../src/errors.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import {
  AUDIENCE,
  call,
  forge,
  goodClaims,
  type IdentityProvider,
  type list,
  reasonOf,
  send,
  startDoor,
  startIdentityProvider,
} from './inbound-door.ts'

const UNKNOWN_KEY = '401 JWT verification failed: unknown key id (kid)'

test('the keys of an identity provider', async (t) => {
  await t.test('are fetched at the start: one GET before the first request, and no more after it (A9)', async () => {
    await using idp = await startIdentityProvider()
    await using door = await startDoor({ config: { auth: byKeySet(idp) } })
    const endpoint = await door.open(undefined)
    assert.equal(idp.gets, 1)
    const token = await idp.token()
    for (let count = 0; count < 5; count += 1) assert.equal((await call(endpoint, token)).status, 200)
    await door.open(byKeySet(idp), 'another')
    assert.equal(idp.gets, 1, 'workspaces that name the same URL share the keys')

    await door.gateway.restart()
    assert.equal(idp.gets, 2, 'a start fetches them before it is asked anything')
    assert.equal((await call(endpoint, token)).status, 200)
    assert.equal(idp.gets, 2)
  })

  await t.test(
    'are fetched again for a new key id, so a rotated key is let in at once and the old one is not (A10)',
    async () => {
      let now = Date.now()
      await using idp = await startIdentityProvider(() => now)
      await using door = await startDoor({ now: () => now })
      const endpoint = await door.open(byKeySet(idp))
      const old = await idp.token()
      assert.equal((await call(endpoint, old)).status, 200)
      await idp.rotate()
      assert.equal((await call(endpoint, await idp.token())).status, 200)
      assert.equal(idp.gets, 2)
      // The result of the old one is remembered for a minute.
      now += 60_001
      assert.equal(reasonOf(await call(endpoint, old)), UNKNOWN_KEY)
    },
  )

  await t.test(
    'are not fetched for every key id that a stranger makes up: 100 of them, at most 2 GETs (A10)',
    async () => {
      await using idp = await startIdentityProvider()
      await using door = await startDoor()
      const endpoint = await door.open(byKeySet(idp))
      const strangers = Array.from({ length: 100 }, (_, count) => idp.token({}, { kid: `made-up-${count}` }))
      const replies = await Promise.all(strangers.map(async (token) => call(endpoint, await token)))
      for (const reply of replies) assert.equal(reasonOf(reply), UNKNOWN_KEY)
      assert.ok(idp.gets <= 2, `${idp.gets} GETs, the one of the start included`)
      assert.equal(door.calls(), 0)
      assert.equal((await call(endpoint, await idp.token())).status, 200, 'the good ones come in all the same')
    },
  )

  await t.test(
    'are chosen by kid: a token without one is refused, unless allowed where there is one key (A11)',
    async () => {
      await using idp = await startIdentityProvider()
      await using door = await startDoor()
      const endpoint = await door.open(byKeySet(idp))
      const lax = await door.open(byKeySet(idp, { allowMissingKeyId: true }))
      const token = await idp.token({}, { kid: undefined })
      const missing = '401 JWT verification failed: missing key id (kid)'
      assert.equal(reasonOf(await call(endpoint, token)), missing)
      assert.equal((await call(lax, token)).status, 200)

      await using two = await startIdentityProvider()
      two.keys.push(publicJwk('second'))
      const laxOfTwo = await door.open(byKeySet(two, { allowMissingKeyId: true }))
      assert.equal(reasonOf(await call(laxOfTwo, await two.token({}, { kid: undefined }))), missing)
    },
  )

  await t.test('work beside odd ones in the same set, which are skipped (A12)', async () => {
    await using idp = await startIdentityProvider()
    const odd = [
      null,
      'a text',
      { kty: 'unheard-of', kid: 'odd' },
      { kty: 'RSA', kid: 'broken', n: '!!', e: 'AQAB' },
      { kty: 'oct', kid: 'symmetric', k: Buffer.from('a shared secret that everybody can read').toString('base64url') },
      { ...publicJwk('for-encryption'), use: 'enc' },
    ]
    idp.keys.unshift(...odd)
    await using door = await startDoor()
    const endpoint = await door.open(byKeySet(idp))
    assert.equal((await call(endpoint, await idp.token())).status, 200)
    for (const kid of ['odd', 'broken', 'symmetric', 'for-encryption']) {
      assert.equal(reasonOf(await call(endpoint, await idp.token({}, { kid }))), UNKNOWN_KEY)
    }
  })

  await t.test('are never taken from the token: jwk, jku and x5u in its header are not looked at (A13)', async () => {
    await using idp = await startIdentityProvider()
    await using evil = await startIdentityProvider()
    await using door = await startDoor()
    const endpoint = await door.open(byKeySet(idp))
    const [jwk] = evil.keys
    const kid = 'key-0'
    for (const header of [{ jwk }, { jku: evil.jwksUrl }, { x5u: evil.jwksUrl }, { jwk, kid: 'other' }]) {
      const reply = await call(endpoint, await evil.token({ iss: idp.issuer }, { kid, ...header }))
      assert.equal(reply.status, 401)
    }
    assert.equal(evil.gets, 0)
    assert.equal(door.calls(), 0)
  })
})

test('an identity provider that stops', async (t) => {
  await t.test('locks nobody out whose key is known, and lets nobody else in (A24)', async () => {
    let now = Date.now()
    await using idp = await startIdentityProvider(() => now)
    await using door = await startDoor({ now: () => now })
    const endpoint = await door.open(byKeySet(idp))
    await idp.stop()
    assert.equal((await call(endpoint, await idp.token())).status, 200)
    now += 2 * 3_600_000
    assert.equal((await call(endpoint, await idp.token())).status, 200, 'after two hours too')
    const calls = door.calls()
    assert.equal(reasonOf(await call(endpoint, await idp.token({}, { kid: 'new' }))), UNKNOWN_KEY)
    const forged = forge({ alg: 'ES256', kid: 'key-0' }, { ...goodClaims(now), iss: idp.issuer }, 'AAAA')
    assert.equal(reasonOf(await call(endpoint, forged)), '401 JWT verification failed: invalid signature')
    now += 24 * 3_600_000
    await assertUnavailable(await call(endpoint, await idp.token()))
    assert.equal(door.calls(), calls, 'nothing reached the API')
  })

  await t.test(
    'before its keys were ever fetched: 503, and no call reaches the API; once it is there, 200 (A24)',
    async () => {
      let now = Date.now()
      await using idp = await startIdentityProvider(() => now)
      const keys = [...idp.keys]
      idp.keys.splice(0)
      await using dead = await startIdentityProvider()
      await dead.stop()
      await using door = await startDoor({ now: () => now })
      const endpoint = await door.open(byKeySet(dead))
      assert.match(door.gateway.log.join(''), /the key set of .* could not be fetched/)
      for (let count = 0; count < 3; count += 1) await assertUnavailable(await call(endpoint, await dead.token()))
      assert.equal(door.calls(), 0)

      const empty = await door.open(byKeySet(idp), 'empty')
      assert.equal(reasonOf(await call(empty, await idp.token())), UNKNOWN_KEY, 'no key at all is no way in')
      idp.keys.push(...keys)
      now += 30_001
      assert.equal((await call(empty, await idp.token())).status, 200)
    },
  )
})

test('an audience', async (t) => {
  await t.test('is needed with a key set: without one a workspace is refused, saying what to set (A16)', async () => {
    await using idp = await startIdentityProvider()
    await using door = await startDoor()
    const auth = byKeySet(idp, { audience: undefined })
    await assert.rejects(door.open(auth), (error) => {
      assert.ok(error instanceof GatewayError)
      assert.match(error.message, /jwksUrl needs an audience\. .*JWT_AUDIENCE.*--allow-any-audience/)
      return error.code === 'config_invalid'
    })
    assert.equal(idp.gets, 0)
  })

  await t.test('is needed with a key set: without one the gateway does not start (A16)', async () => {
    const env = { JWKS_URL: 'https://issuer.example/jwks' }
    const started = startGateway({ env }).then((gateway) => gateway[Symbol.asyncDispose]())
    await assert.rejects(started, /jwksUrl needs an audience/)
  })

  await t.test('is not looked at with allowAnyAudience, and the log warns, naming the workspace (A16)', async () => {
    await using idp = await startIdentityProvider()
    await using door = await startDoor()
    const endpoint = await door.open(byKeySet(idp, { audience: undefined, allowAnyAudience: true }), 'wide-open')
    assert.equal((await call(endpoint, await idp.token({ aud: 'https://another.example' }))).status, 200)
    assert.match(door.gateway.log.join(''), /WARN.*wide-open.*(allowAnyAudience|audience)/i)
  })
})

test('two issuers', async (t) => {
  await using left = await startIdentityProvider()
  await using right = await startIdentityProvider()
  await using door = await startDoor()
  const entry = ({ jwksUrl, issuer }: IdentityProvider) => ({ jwksUrl, issuer, audience: AUDIENCE })
  const endpoint = await door.open({ authType: 'jwt', jwt: [entry(left), entry(right)] })

  await t.test('open one workspace, each with its own keys (A36)', async () => {
    for (const idp of [left, right]) assert.equal((await call(endpoint, await idp.token())).status, 200)
    assert.deepEqual([left.gets, right.gets], [1, 1])
  })

  await t.test(
    'do not vouch for each other: which keys count is decided by iss, never by trying all (A36)',
    async () => {
      const before = door.calls()
      const crossed = await left.token({ iss: right.issuer })
      assert.equal(reasonOf(await call(endpoint, crossed)), '401 JWT verification failed: invalid signature')
      const third = await left.token({ iss: 'https://third.example' })
      assert.equal(
        reasonOf(await call(endpoint, third)),
        '401 JWT verification failed: the issuer (iss) is not accepted',
      )
      assert.equal(door.calls(), before)
    },
  )

  await t.test('are both named as authorization servers (A36)', async () => {
    const { origin, pathname } = new URL(endpoint)
    const { json } = await send(`${origin}/.well-known/oauth-protected-resource${pathname}`, { method: 'GET' })
    assert.match(JSON.stringify(json), new RegExp(`"authorization_servers":\\["${left.issuer}","${right.issuer}"\\]`))
  })

  await t.test('of the same name do not start: nobody could say whose keys count (A36)', async () => {
    await assert.rejects(
      door.open({ authType: 'jwt', jwt: [entry(left), { ...entry(right), issuer: left.issuer }] }),
      /Two jwt entries have the issuer/,
    )
  })
})

/** No way in, and no secret of the provider in the answer. */
async function assertUnavailable(reply: Awaited<ReturnType<typeof list>>): Promise<void> {
  assert.equal(reply.status, 503, reply.text)
  assert.ok(Number(reply.headers.get('retry-after')) > 0)
  assert.match(reply.text, /The keys of the identity provider cannot be fetched at the moment/)
}

function byKeySet({ jwksUrl, issuer }: IdentityProvider, more: Readonly<Record<string, unknown>> = {}) {
  return { authType: 'jwt', jwt: { jwksUrl, issuer, audience: AUDIENCE, ...more } }
}

/** A key that nobody here signs with. */
function publicJwk(kid: string) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...publicKey.export({ format: 'jwk' }), kid }
}

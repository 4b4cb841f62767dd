import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { exportJWK } from 'jose'
import {
  AUDIENCE,
  Clock,
  claims,
  ISSUER,
  identityOf,
  listen,
  listenKeySet,
  mint,
  newKeyPair,
  outcome,
  refusals,
  type SigningKey,
  TestEgress,
} from './identify.test-support.ts'
import { KeySet } from './key-set.ts'
import { parseKeySetUrl } from './key-set-url.ts'
import { KeySets } from './key-sets.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A signing key with its public JWK. */
async function newKey(kid: string | undefined, alg = 'ES256') {
  const { publicKey, privateKey } = await newKeyPair(alg)
  const jwk = { ...(await exportJWK(publicKey)), ...(kid === undefined ? {} : { kid }) }
  const header = { alg, ...(kid === undefined ? {} : { kid }) }
  return { jwk, privateKey, token: (payload = claims) => mint(payload, header, privateKey) }
}

const first = await newKey('first')
const second = await newKey('second')

function tokenWithKid(kid: string, key: SigningKey = first.privateKey): Promise<string> {
  return mint(claims, { alg: 'ES256', kid }, key)
}

/** An identity that trusts one key set, without a result cache so that every call asks for the key. */
function trusting(url: string, more: { allowMissingKeyId?: boolean } = {}) {
  const jwt = { jwksUrl: url, issuer: ISSUER, audience: AUDIENCE, cacheResults: false, ...more }
  return identityOf({ authType: 'jwt', jwt })
}

suite('a key set is fetched', () => {
  test('once at the start, before the first request', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    assert.deepEqual(await identity.start(), [])
    assert.equal(provider.gets, 1)
    assert.equal(await outcome(identity, await first.token()), 'ok')
    assert.equal(provider.gets, 1)
  })

  test('once for many requests that come at the same time', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    const token = await first.token()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(identity, token)))
    assert.deepEqual(new Set(outcomes), new Set(['ok']))
    assert.equal(provider.gets, 1)
  })

  test('again at once when a key was rotated', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    provider.keys = [second.jwk]
    assert.equal(await outcome(identity, await second.token()), 'ok')
    assert.equal(await outcome(identity, await first.token()), refusals.keyId)
    assert.equal(provider.gets, 2)
  })

  test('at most twice for a hundred random key ids, and again after the cool-down', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, index) => tokenWithKid(`random-${index}`)))
    for (const token of tokens.slice(0, 50)) assert.equal(await outcome(identity, token), refusals.keyId)
    const outcomes = await Promise.all(tokens.slice(50).map((token) => outcome(identity, token)))
    assert.deepEqual(new Set(outcomes), new Set([refusals.keyId]))
    assert.equal(provider.gets, 2)
    identity.clock.ms += 30 * SECOND
    provider.keys = [second.jwk]
    assert.equal(await outcome(identity, await second.token()), 'ok')
    assert.equal(provider.gets, 3)
  })

  test('every ten minutes, while the old keys are used', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    const token = await first.token()
    identity.clock.ms += 10 * MINUTE - 1
    await outcome(identity, token)
    assert.equal(provider.gets, 1)
    const asked = Promise.withResolvers<ServerResponse>()
    provider.answer = (_request, response) => asked.resolve(response)
    identity.clock.ms += 1
    // The provider holds its answer back: nobody waits for it.
    assert.equal(await outcome(identity, token), 'ok')
    const held = await asked.promise
    assert.equal(await outcome(identity, token), 'ok')
    assert.equal(provider.gets, 2)
    held.end(JSON.stringify({ keys: [second.jwk] }))
    assert.equal(await outcome(identity, await second.token()), 'ok')
    assert.equal(provider.gets, 2)
  })

  test('before the answer when the keys are an hour old: a key that was taken back opens nothing', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    provider.keys = [second.jwk]
    identity.clock.ms += HOUR
    const token = await mint(
      { ...claims, exp: identity.clock.ms / 1000 + 60 },
      { alg: 'ES256', kid: 'first' },
      first.privateKey,
    )
    assert.equal(await outcome(identity, token), refusals.keyId)
  })
})

suite('an identity provider that fails', () => {
  test('from the start on: nobody comes in, it is told apart from a bad token, and it recovers', async () => {
    await using provider = await listenKeySet([first.jwk])
    const works = provider.answer
    provider.answer = (_request, response) => response.writeHead(500).end()
    const identity = trusting(provider.url)
    assert.match((await identity.start()).join(), /could not be fetched: it answered 500/)
    const token = await first.token()
    assert.equal(await outcome(identity, token), 'identity_provider_unavailable')
    provider.answer = works
    assert.equal(await outcome(identity, token), 'identity_provider_unavailable')
    assert.equal(provider.gets, 1)
    identity.clock.ms += 5 * SECOND
    assert.equal(await outcome(identity, token), 'ok')
  })

  test('later on: the keys are used for 24 hours, and no longer', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    await provider[Symbol.asyncDispose]()
    const token = await first.token({ ...claims, exp: identity.clock.ms / 1000 + 48 * 3600 })
    for (const age of [11 * MINUTE, HOUR, 24 * HOUR - 1]) {
      identity.clock.ms = new Clock().ms + age
      assert.equal(await outcome(identity, token), 'ok')
    }
    identity.clock.ms = new Clock().ms + 24 * HOUR
    assert.equal(await outcome(identity, token), 'identity_provider_unavailable')
  })

  test('is asked again only every 30 seconds while its keys are used', async () => {
    await using provider = await listenKeySet([first.jwk])
    const identity = trusting(provider.url)
    await identity.start()
    provider.answer = (_request, response) => response.writeHead(503).end()
    identity.clock.ms += HOUR
    const token = await first.token({ ...claims, exp: identity.clock.ms / 1000 + 3600 })
    for (let call = 0; call < 20; call += 1) assert.equal(await outcome(identity, token), 'ok')
    assert.equal(provider.gets, 2)
  })

  const answers: { name: string; answer: (response: ServerResponse) => void }[] = [
    { name: 'HTML', answer: (response) => response.end('<html>sign in</html>') },
    { name: 'a list', answer: (response) => response.end(JSON.stringify([first.jwk])) },
    { name: 'keys that are no list', answer: (response) => response.end('{"keys":{}}') },
    { name: 'a redirect', answer: (response) => response.writeHead(302, { location: '/elsewhere' }).end() },
    { name: '204', answer: (response) => response.writeHead(204).end() },
    { name: 'an answer over 512 kB', answer: (response) => response.end(`${' '.repeat(512 * 1024)}{"keys":[]}`) },
    {
      name: 'half an answer',
      answer: (response) => response.writeHead(200, { 'content-length': 99 }).end('{', () => response.destroy()),
    },
  ]
  for (const { name, answer } of answers) {
    test(`by answering ${name}: nobody comes in, and it is asked once`, async () => {
      await using provider = await listenKeySet([])
      provider.answer = (_request, response) => answer(response)
      const identity = trusting(provider.url)
      assert.equal((await identity.start()).length, 1)
      assert.equal(await outcome(identity, await first.token()), 'identity_provider_unavailable')
      assert.equal(provider.gets, 1)
    })
  }

  test('by not answering: the fetch has a deadline and a size, and closing ends it', async () => {
    await using silent = await listen(() => {})
    const egress = new TestEgress()
    const keySets = new KeySets({ egress, now: new Clock().now })
    const asked = once(silent.server, 'request')
    const started = keySets.open(silent.url, 'operator').start()
    await asked
    keySets.close()
    assert.match((await started) ?? '', /could not be fetched/)
    assert.deepEqual(
      egress.requests.map(({ timeoutMs, responseBytesMax, reach }) => ({ timeoutMs, responseBytesMax, reach })),
      [{ timeoutMs: 5_000, responseBytesMax: 524_288, reach: 'operator' }],
    )
  })
})

suite('of a key set', () => {
  test('keys that cannot be used are skipped, and the others work', async () => {
    const rsa = await newKeyPair('RS256')
    const rsaJwk = await exportJWK(rsa.publicKey)
    const shortModulus = Buffer.alloc(128, 0xff).toString('base64url')
    const odd = [
      null,
      'key',
      7,
      {},
      { kty: 'odd', kid: 'odd' },
      { kty: 'oct', k: 'c2VjcmV0', kid: 'oct' },
      { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'broken' },
      { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA', kid: 'curve' },
      { ...rsaJwk, n: shortModulus, kid: 'short' },
      { ...rsaJwk, use: 'enc', kid: 'enc' },
      { ...rsaJwk, alg: 'RSA-OAEP', kid: 'oaep' },
      { ...rsaJwk, key_ops: ['encrypt'], kid: 'ops' },
      { ...(await exportJWK(rsa.privateKey)), kid: 'private' },
      { ...(await exportJWK(second.privateKey)), kid: 'private-ec' },
    ]
    await using provider = await listenKeySet([...odd, first.jwk])
    const identity = trusting(provider.url)
    assert.deepEqual(await identity.start(), [])
    assert.equal(await outcome(identity, await first.token()), 'ok')
    assert.equal(await outcome(identity, await tokenWithKid('private-ec', second.privateKey)), refusals.keyId)
    for (const kid of ['enc', 'oaep', 'ops', 'private', 'short']) {
      const token = await mint(claims, { alg: 'RS256', kid }, rsa.privateKey)
      assert.equal(await outcome(identity, token), refusals.keyId, kid)
    }
  })

  test('no more than a hundred keys are read', async () => {
    const filler = Array.from({ length: 100 }, () => ({ kty: 'odd' }))
    await using provider = await listenKeySet([...filler, first.jwk])
    assert.equal(await outcome(trusting(provider.url), await first.token()), refusals.keyId)
  })

  test('an empty one is believed: the provider took every key back', async () => {
    await using provider = await listenKeySet([])
    const identity = trusting(provider.url)
    assert.deepEqual(await identity.start(), [])
    assert.equal(await outcome(identity, await first.token()), refusals.keyId)
  })

  test('a key id that two keys have is refused', async () => {
    const twin = await newKey('first')
    const other = await newKey('first', 'EdDSA')
    for (const keys of [
      [first.jwk, twin.jwk],
      [first.jwk, other.jwk],
      [first.jwk, first.jwk],
    ]) {
      await using provider = await listenKeySet([...keys, second.jwk])
      const identity = trusting(provider.url)
      assert.equal(await outcome(identity, await first.token()), refusals.keyId)
      assert.equal(await outcome(identity, await second.token()), 'ok')
    }
  })

  test('a token without key id is refused, unless that is allowed and there is one usable key', async () => {
    const token = await mint(claims, { alg: 'ES256' }, first.privateKey)
    await using provider = await listenKeySet([first.jwk, { kty: 'oct', k: 'AA' }])
    assert.equal(await outcome(trusting(provider.url), token), refusals.noKeyId)
    assert.equal(await outcome(trusting(provider.url, { allowMissingKeyId: true }), token), 'ok')
    provider.keys = [first.jwk, second.jwk]
    const identity = trusting(provider.url, { allowMissingKeyId: true })
    assert.equal(await outcome(identity, token), refusals.noKeyId)
  })

  test('a key does not verify with the key id of another', async () => {
    await using provider = await listenKeySet([first.jwk, second.jwk])
    const identity = trusting(provider.url)
    assert.equal(await outcome(identity, await tokenWithKid('second')), refusals.signature)
    for (const kid of ['', '__proto__', 'constructor', '../first', "first' OR '1'='1", 'FIRST']) {
      assert.equal(await outcome(identity, await tokenWithKid(kid)), refusals.keyId)
    }
  })
})

suite('KeySets', () => {
  test('shares the set of a URL, but not between operator and person', () => {
    const keySets = new KeySets({ egress: new TestEgress(), now: new Clock().now })
    const url = 'https://issuer.example/jwks'
    assert.equal(keySets.open(url, 'operator'), keySets.open(url, 'operator'))
    assert.notEqual(keySets.open(url, 'operator'), keySets.open(url, 'person'))
  })

  test('forgets the oldest of a thousand and one', () => {
    const keySets = new KeySets({ egress: new TestEgress(), now: new Clock().now })
    const open = (index: number) => keySets.open(`https://issuer.example/${index}`, 'person')
    const sets = Array.from({ length: 1_001 }, (_, index) => open(index))
    assert.equal(open(1_000), sets[1_000])
    assert.notEqual(open(0), sets[0])
  })
})

suite('the URL of a key set', () => {
  const allowed = [
    'https://issuer.example/jwks',
    'http://localhost:8080/jwks',
    'http://127.0.0.1/jwks',
    'http://[::1]:8080/jwks',
    'http://10.0.0.7/jwks',
    'http://192.168.1.1/jwks',
    'http://[fd00::1]/jwks',
    'http://keycloak:8080/realms/mcp/protocol/openid-connect/certs',
    'http://keycloak.internal/jwks',
    'http://keycloak.default.svc.cluster.local/jwks',
  ]
  const refused = [
    'http://issuer.example/jwks',
    'http://8.8.8.8/jwks',
    'http://169.254.169.254/jwks',
    'http://[::ffff:8.8.8.8]/jwks',
    'http://127.0.0.1.example.com/jwks',
    'http://localhost.example.com/jwks',
    'ftp://127.0.0.1/jwks',
    'data:application/json,{}',
    'https://user@issuer.example/jwks',
    'no URL',
  ]
  test('may be https, or http where nobody is on the way', () => {
    for (const url of allowed) assert.equal(parseKeySetUrl(url, 'operator').href, new URL(url).href)
  })
  test('may be nothing else', () => {
    for (const url of refused) assert.throws(() => parseKeySetUrl(url, 'operator'), /jwksUrl/, url)
  })
  test('must be https for a person', () => {
    for (const url of allowed.slice(1)) assert.throws(() => parseKeySetUrl(url, 'person'), /operator/)
    assert.ok(new KeySet({ url: 'https://a.example/', reach: 'person', egress: new TestEgress(), now: () => 0 }))
  })
})

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { exportJWK, exportPKCS8, exportSPKI, importJWK } from 'jose'
import { GatewayError } from '../errors.ts'
import {
  AUDIENCE,
  bearer,
  claims,
  forge,
  IN_AN_HOUR,
  ISSUER,
  identityOf,
  listenKeySet,
  mint,
  mintHs256,
  newKeyPair,
  outcome,
  refusals,
  SECRET,
  type SigningKey,
  secretBytes,
} from './identify.test-support.ts'

const hmac = ['HS256', 'HS384', 'HS512']
const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const eddsa = ['EdDSA', 'Ed25519']
const every = [...hmac, ...rsa, 'ES256', 'ES384', 'ES512', ...eddsa]

/** One key of each kind, the algorithms that fit it, and the PEM of its public half. */
const kinds = await Promise.all(
  [
    { kind: 'RSA', algorithms: rsa },
    { kind: 'P-256', algorithms: ['ES256'] },
    { kind: 'P-384', algorithms: ['ES384'] },
    { kind: 'P-521', algorithms: ['ES512'] },
    { kind: 'Ed25519', algorithms: eddsa },
  ].map(async ({ kind, algorithms }) => {
    const { publicKey, privateKey } = await newKeyPair(algorithms[0] ?? '')
    const jwk = await exportJWK(privateKey)
    return { kind, algorithms, privateJwk: jwk, publicKey, pem: await exportSPKI(publicKey) }
  }),
)

const checks = { issuer: ISSUER, audience: AUDIENCE }
const withSecret = identityOf({ authType: 'jwt', jwt: { secret: SECRET, ...checks } })

/** A self-signed certificate, and a token that its key signed; the key itself is gone. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUD6hpUESeHhD3Jt8wcT44DpQV+ccwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOaXNzdWVyLmV4YW1wbGUwHhcNMjYxMTIwMjIzOTA5WhcNMzYx
MTE3MjIzOTA5WjAZMRcwFQYDVQQDDA5pc3N1ZXIuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABBffXQsSqCc97BiRM4awLbXfeNH/POkQhXIJgJzjXG9u
fXzV1JNXjtV6Itbke+woro5zRxSMlOmZuis4GC8PiuqjUzBRMB0GA1UdDgQWBBSL
bIllBD8Ky4QKzyYD2VroGcKFuDAfBgNVHSMEGDAWgBSLbIllBD8Ky4QKzyYD2Vro
GcKFuDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHoMC71Di+Qa
Xs4ZUGPqd5nxYWM1kv2I+verWIDQAm0LAiEA75AWKklsf5aka9TL765+g90wKi/P
QBkZ8Nk4BVO++Jk=
-----END CERTIFICATE-----`
const tokenOfCertificate = [
  'eyJhbGciOiJFUzI1NiJ9',
  'eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoiaHR0cHM6Ly9nYXRld2F5LmV4YW1wbGUvbWNwIiwic3ViIjoiYWRhIiwiZXhwIjoxODAwMDAzNjAwfQ',
  'ZiVTwi63_QOkKkgzseINXvf4seKgwZC7F0OFEF0Oy3RB5WA7-8pTs7hCTwuLfHDJeB5tSeq6dBhJ2jGli38tfA',
].join('.')

/** A token of that algorithm, truly signed with a key that fits it. */
async function tokenOf(alg: string, header: Record<string, unknown> = {}): Promise<string> {
  if (hmac.includes(alg)) return mint(claims, { alg, ...header }, secretBytes)
  const kind = kinds.find(({ algorithms }) => algorithms.includes(alg))
  assert.ok(kind)
  return mint(claims, { alg, ...header }, await signingKey(kind.privateJwk, alg))
}

/** WebCrypto binds an RSA key to one hash, so the same key is imported for each algorithm. */
async function signingKey(jwk: Awaited<ReturnType<typeof exportJWK>>, alg: string): Promise<SigningKey> {
  const key = await importJWK({ ...jwk, alg }, alg)
  assert.ok(!(key instanceof Uint8Array))
  return key
}

async function refusesToStart(inbound: Parameters<typeof identityOf>[0], text: RegExp, isDevelopment = false) {
  const isConfigError = (error: unknown) =>
    error instanceof GatewayError && error.code === 'config_invalid' && text.test(error.message)
  assert.throws(() => identityOf(inbound, { isDevelopment }), isConfigError)
}

suite('a verifier accepts the algorithms of its key and no other', () => {
  for (const alg of every) {
    const fitting = hmac.includes(alg) ? 'secret' : kinds.find((it) => it.algorithms.includes(alg))?.kind
    test(`${alg} with ${fitting} only`, async () => {
      const token = await tokenOf(alg)
      assert.equal(await outcome(withSecret, token), fitting === 'secret' ? 'ok' : refusals.algorithm)
      for (const { kind, pem } of kinds) {
        const identity = identityOf({ authType: 'jwt', jwt: { publicKey: pem, ...checks } })
        assert.equal(await outcome(identity, token), kind === fitting ? 'ok' : refusals.algorithm, kind)
      }
    })
  }

  test('a key set takes every asymmetric algorithm, each with its own key only, and no HS*', async () => {
    const keys = await Promise.all(kinds.map(async (it) => ({ ...(await exportJWK(it.publicKey)), kid: it.kind })))
    await using provider = await listenKeySet([...keys, { kty: 'oct', kid: 'oct', k: 'c2VjcmV0' }])
    const identity = identityOf({ authType: 'jwt', jwt: { jwksUrl: provider.url, ...checks } })
    for (const alg of every) {
      for (const kid of [...kinds.map(({ kind }) => kind), 'oct']) {
        const fits = kinds.some((it) => it.kind === kid && it.algorithms.includes(alg))
        const refusal = kid === 'oct' && !hmac.includes(alg) ? refusals.keyId : refusals.algorithm
        assert.equal(await outcome(identity, await tokenOf(alg, { kid })), fits ? 'ok' : refusal, `${alg} ${kid}`)
      }
    }
  })

  test('algorithms narrows', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: { secret: SECRET, algorithms: ['HS512'], ...checks } })
    assert.equal(await outcome(identity, await tokenOf('HS512')), 'ok')
    assert.equal(await outcome(identity, await tokenOf('HS256')), refusals.algorithm)
  })

  test('algorithms cannot widen', async () => {
    for (const alg of ['none', 'RS256', 'HS1']) {
      await refusesToStart({ authType: 'jwt', jwt: { secret: SECRET, algorithms: [alg] } }, /does not fit the key/)
    }
    const jwksUrl = 'https://issuer.example/jwks'
    await refusesToStart(
      { authType: 'jwt', jwt: { jwksUrl, ...checks, algorithms: ['HS256'] } },
      /does not fit the key/,
    )
  })

  test('an X.509 certificate counts as its public key', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: { publicKey: certificate, ...checks } })
    assert.equal(await outcome(identity, tokenOfCertificate), 'ok')
    assert.equal(await outcome(identity, await tokenOf('ES256')), refusals.signature)
  })

  test('a PEM may have its line breaks written out', async () => {
    const publicKey = kinds[1]?.pem.replaceAll('\n', '\\n') ?? ''
    const identity = identityOf({ authType: 'jwt', jwt: { publicKey, ...checks } })
    assert.equal(await outcome(identity, await tokenOf('ES256')), 'ok')
  })
})

suite('a forged token is refused', () => {
  test('alg none, however it is spelled, signed or not', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined, null, ['HS256'], 'hs256', 'HS256 ']) {
      assert.equal(await outcome(withSecret, forge({ alg }, claims)), refusals.algorithm)
      assert.equal(await outcome(withSecret, forge({ alg }, claims, 'AAAA')), refusals.algorithm)
    }
  })

  test('HMAC with the PEM of the public key as secret', async () => {
    for (const { pem } of kinds) {
      const identity = identityOf({ authType: 'jwt', jwt: { publicKey: pem, ...checks } })
      for (const secret of [pem, pem.trim(), pem.replaceAll('\n', '')]) {
        const unsigned = forge({ alg: 'HS256' }, claims)
        const signature = createHmac('sha256', secret).update(unsigned.slice(0, -1)).digest('base64url')
        assert.equal(await outcome(identity, unsigned + signature), refusals.algorithm)
      }
    }
  })

  test('without a signature, or with one over something else', async () => {
    const token = await mintHs256()
    const [header, payload, signature] = token.split('.')
    const other = forge({}, { ...claims, sub: 'root' }).split('.')[1]
    assert.equal(await outcome(withSecret, `${header}.${payload}.`), refusals.signature)
    assert.equal(await outcome(withSecret, `${header}.${other}.${signature}`), refusals.signature)
    assert.equal(
      await outcome(withSecret, await mint(claims, { alg: 'HS256' }, secretBytes.slice(1))),
      refusals.signature,
    )
  })

  test('a signature of zeros, of the wrong length, or in DER', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: { publicKey: kinds[1]?.pem ?? '', ...checks } })
    for (const length of [1, 63, 64, 65, 70, 72]) {
      const signature = Buffer.alloc(length).toString('base64url')
      assert.equal(await outcome(identity, forge({ alg: 'ES256' }, claims, signature)), refusals.signature)
    }
  })

  test('with its own key in the header, which is neither used nor fetched', async () => {
    await using provider = await listenKeySet([])
    const { publicKey, privateKey } = await newKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const identity = identityOf({ authType: 'jwt', jwt: { publicKey: kinds[1]?.pem ?? '', ...checks } })
    for (const extra of [{ jwk }, { jku: provider.url }, { x5u: provider.url }, { x5c: ['AAAA'] }]) {
      const token = await mint(claims, { alg: 'ES256', ...extra }, privateKey)
      assert.equal(await outcome(identity, token), refusals.signature)
    }
    assert.equal(provider.gets, 0)
  })

  test('with any one character changed', async () => {
    for (const alg of ['HS256', 'ES256', 'EdDSA']) {
      const pem = kinds.find((it) => it.algorithms.includes(alg))?.pem
      const key = pem === undefined ? { secret: SECRET } : { publicKey: pem }
      const identity = identityOf({ authType: 'jwt', jwt: { ...key, ...checks } })
      const token = await tokenOf(alg)
      for (let at = 0; at < token.length; at += 1) {
        const flipped = String.fromCharCode(token.charCodeAt(at) ^ 1)
        const result = await outcome(identity, token.slice(0, at) + flipped + token.slice(at + 1))
        assert.notEqual(result, 'ok', `${alg}, character ${at}`)
      }
    }
  })

  test('with anything at all changed, and nothing but a refusal comes of it', async () => {
    const token = await mintHs256()
    const place = fc.nat({ max: token.length })
    const insert = fc.oneof(fc.string(), fc.constantFrom('.', '=', 'A', '_', '\u0000', 'é'))
    await fc.assert(
      fc.asyncProperty(place, fc.nat({ max: 40 }), insert, async (at, removed, inserted) => {
        const changed = token.slice(0, at) + inserted + token.slice(at + removed)
        fc.pre(changed.trim() !== token)
        assert.notEqual(await outcome(withSecret, changed), 'ok')
      }),
      { numRuns: 300 },
    )
  })
})

suite('a header that asks for more than we understand is refused', () => {
  const cases = [
    { name: 'an unknown crit', header: { crit: ['exp2'], exp2: 1 }, refusal: refusals.critical },
    { name: 'crit b64', header: { crit: ['b64'], b64: false }, refusal: refusals.critical },
    { name: 'an empty crit', header: { crit: [] }, refusal: refusals.critical },
    { name: 'an ID-JAG', header: { typ: 'oauth-id-jag+jwt' }, refusal: refusals.type },
    { name: 'a DPoP proof', header: { typ: 'dpop+jwt' }, refusal: refusals.type },
    { name: 'a logout token', header: { typ: 'logout+jwt' }, refusal: refusals.type },
    { name: 'a type that is no text', header: { typ: ['JWT'] }, refusal: refusals.type },
    { name: 'an empty type', header: { typ: '' }, refusal: refusals.type },
    { name: 'a key id that is no text', header: { kid: { a: 1 } }, refusal: refusals.malformed },
  ]
  for (const { name, header, refusal } of cases) {
    test(name, async () => {
      const unsigned = forge({ alg: 'HS256', ...header }, claims)
      const signature = createHmac('sha256', secretBytes).update(unsigned.slice(0, -1)).digest('base64url')
      assert.equal(await outcome(withSecret, unsigned + signature), refusal)
    })
  }

  test('but every spelling of the access token types is taken', async () => {
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/JWT']) {
      assert.equal(await outcome(withSecret, await mint(claims, { alg: 'HS256', typ }, secretBytes)), 'ok')
    }
  })
})

suite('a malformed token is refused', () => {
  const cases = {
    'two parts': 'a.b',
    'four parts': 'a.b.c.d',
    'an encrypted token': 'a.b.c.d.e',
    'nothing but dots': '.'.repeat(5_000),
    'a header that is not JSON': `e30x.${Buffer.from('{}').toString('base64url')}.AA`,
    'a header that is a list': forge([], claims, 'AA'),
    'claims that are null': forge({ alg: 'HS256' }, null, 'AA'),
    'claims that are a text': forge({ alg: 'HS256' }, 'x', 'AA'),
    padding: `${forge({ alg: 'HS256' }, claims, 'AA')}==`,
    'a signature with spare bits': forge({ alg: 'HS256' }, claims, 'AB'),
    'more than 16,384 characters': forge({ alg: 'HS256' }, { ...claims, x: 'x'.repeat(16_384) }, 'AA'),
    'claims that break off': forge({ alg: 'HS256' }, 0, 'AA').replace('.MA.', '.W1tb.'),
  }
  for (const [name, token] of Object.entries(cases)) {
    test(name, async () => assert.equal(await outcome(withSecret, token), refusals.malformed))
  }

  test('an issuer or algorithm nested deep ends in a refusal, not in a crash', async () => {
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`
    const encode = (text: string) => Buffer.from(text).toString('base64url')
    for (const [header, payload] of [
      [`{"alg":${deep}}`, '{}'],
      ['{"alg":"HS256"}', `{"iss":${deep}}`],
    ] as const) {
      const result = await outcome(withSecret, `${encode(header)}.${encode(payload)}.AA`)
      assert.match(result, /^JWT verification failed: /)
    }
  })
})

suite('a refusal names its kind', () => {
  const cases = [
    { name: 'expired', change: { exp: IN_AN_HOUR - 3600 }, refusal: refusals.expired },
    { name: 'not valid yet', change: { nbf: IN_AN_HOUR }, refusal: refusals.notYetValid },
    { name: 'without exp', change: { exp: undefined }, refusal: refusals.noExpiry },
    { name: 'another issuer', change: { iss: 'https://evil.example' }, refusal: refusals.issuer },
    { name: 'another audience', change: { aud: 'https://evil.example' }, refusal: refusals.audience },
    { name: 'without a user id', change: { sub: undefined }, refusal: refusals.noUserId },
  ]
  for (const { name, change, refusal } of cases) {
    test(name, async () => assert.equal(await outcome(withSecret, await mintHs256({ ...claims, ...change })), refusal))
  }

  test('with a text of its own each', () => {
    const texts = Object.values(refusals)
    assert.equal(new Set(texts).size, texts.length)
  })

  test('and neither text nor detail holds the token, the secret or an expected value', async () => {
    const token = await mintHs256({ ...claims, iss: `https://evil.example/${'x'.repeat(500)}` })
    await assert.rejects(
      async () => withSecret.identify(bearer(token), 'a'),
      (error) => {
        assert.ok(error instanceof GatewayError && typeof error.cause === 'string')
        const shown = `${error.message} ${error.cause}`
        for (const hidden of [token, SECRET, ISSUER, AUDIENCE]) assert.ok(!shown.includes(hidden))
        assert.ok(error.cause.includes('https://evil.example/'))
        assert.ok(error.cause.length < 300)
        return true
      },
    )
  })

  test('a custom user id claim is taken, and asked for', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: { secret: SECRET, userIdClaim: 'email', ...checks } })
    assert.equal(await outcome(identity, await mintHs256({ ...claims, email: 'ada@example.org' })), 'ok')
    assert.equal(await outcome(identity, await mintHs256()), refusals.noUserId)
  })
})

suite('unsafe settings refuse to start', () => {
  const jwksUrl = 'https://issuer.example/jwks'
  const cases = [
    { name: 'a short secret', jwt: { secret: 'x1y2z3' }, text: /6 characters and needs at least 32/ },
    { name: 'an empty secret', jwt: { secret: '' }, text: /0 characters/ },
    { name: 'a repeated character', jwt: { secret: 'a'.repeat(64) }, text: /placeholder/ },
    { name: 'changeme', jwt: { secret: 'changeme-changeme-changeme-changeme' }, text: /placeholder/ },
    {
      name: 'a secret of the docs',
      jwt: { secret: 'your-secure-random-key-min-32-chars-required' },
      text: /placeholder/,
    },
    { name: 'a PEM as secret', jwt: { secret: kinds[0]?.pem ?? '' }, text: /publicKey/ },
    { name: 'a public key that is none', jwt: { publicKey: 'hello' }, text: /cannot be read/ },
    { name: 'a key set without audience', jwt: { jwksUrl }, text: /JWT_AUDIENCE.*--allow-any-audience/ },
    { name: 'a key set over http', jwt: { jwksUrl: 'http://issuer.example/jwks', ...checks }, text: /must be https/ },
    { name: 'a key set in a file', jwt: { jwksUrl: 'file:///etc/jwks', ...checks }, text: /https/ },
    { name: 'a password in the URL', jwt: { jwksUrl: 'https://u:p@issuer.example/', ...checks }, text: /password/ },
    { name: 'expired tokens allowed', jwt: { secret: SECRET, allowExpiredTokens: true }, text: /NODE_ENV/ },
    { name: 'no signature asked for', jwt: { secret: SECRET, requireValidSignature: false }, text: /NODE_ENV/ },
  ]
  for (const { name, jwt, text } of cases) {
    test(name, () => refusesToStart({ authType: 'jwt', jwt }, text))
  }

  test('a private key, whose message does not repeat it', async () => {
    const { privateKey } = await newKeyPair('ES256')
    const pem = await exportPKCS8(privateKey)
    await refusesToStart({ authType: 'jwt', jwt: { publicKey: pem } }, /^[^\n]*private key[^\n]*$/)
  })

  test('a key that no algorithm fits', async () => {
    const spki = {
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    } as const
    const short = generateKeyPairSync('rsa', { modulusLength: 1024, ...spki }).publicKey
    await refusesToStart({ authType: 'jwt', jwt: { publicKey: short } }, /1024 bits/)
    const bitcoin = generateKeyPairSync('ec', { namedCurve: 'secp256k1', ...spki }).publicKey
    await refusesToStart({ authType: 'jwt', jwt: { publicKey: bitcoin } }, /secp256k1/)
    const agreement = generateKeyPairSync('x25519', spki).publicKey
    await refusesToStart({ authType: 'jwt', jwt: { publicKey: agreement } }, /x25519/)
  })

  test('in development a short secret works, a placeholder never', async () => {
    const inbound = { authType: 'jwt', jwt: { secret: 'test-token-key', ...checks } } as const
    const identity = identityOf(inbound, { isDevelopment: true })
    const token = await mint(claims, { alg: 'HS256' }, new TextEncoder().encode('test-token-key'))
    assert.equal(await outcome(identity, token), 'ok')
    await refusesToStart({ authType: 'jwt', jwt: { secret: 'your-jwt-secret' } }, /placeholder/, true)
  })

  test('in development expired and unsigned tokens can be allowed; their other claims still count', async () => {
    const jwt = { secret: SECRET, ...checks, allowExpiredTokens: true, requireValidSignature: false }
    const identity = identityOf({ authType: 'jwt', jwt }, { isDevelopment: true })
    assert.equal(await outcome(identity, forge({ alg: 'HS256' }, { ...claims, exp: 1 }, 'AA')), 'ok')
    assert.equal(await outcome(identity, forge({ alg: 'HS256' }, { ...claims, aud: 'x' }, 'AA')), refusals.audience)
    assert.equal(await outcome(identity, forge({ alg: 'none' }, claims)), refusals.algorithm)
  })
})

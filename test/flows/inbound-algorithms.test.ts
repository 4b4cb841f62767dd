import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { suite, test } from 'node:test'
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, type JWTPayload } from 'jose'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { AUDIENCE, call, forge, goodClaims, reasonOf, sign, startDoor } from './inbound-door.ts'

const ISSUER = 'https://issuer.example'
const NOW = 1_800_000_000_000
const SECRET = 'Qm7rXc2pLw9vTz4kNf6hJd8sGy3bAe5u-and-32-more-characters-0123456789'
const good: JWTPayload = { ...goodClaims(NOW), iss: ISSUER }
const INVALID_SIGNATURE = '401 JWT verification failed: invalid signature'
const WRONG_ALGORITHM = '401 JWT verification failed: the algorithm (alg) is not accepted'
const WRONG_TYPE = '401 JWT verification failed: the token type (typ) is not accepted'
const CRITICAL = '401 JWT verification failed: unknown critical header (crit)'

const byVerifier = (jwt: object) => ({ authType: 'jwt', jwt: { issuer: ISSUER, audience: AUDIENCE, ...jwt } })

suite('algorithms with a public key', () => {
  for (const { algorithms, unfit } of [
    { algorithms: ['PS256', 'PS384', 'PS512', 'RS256'], unfit: 'ES256' },
    { algorithms: ['EdDSA', 'Ed25519'], unfit: 'ES256' },
  ]) {
    test(`${algorithms.join(', ')} are let in by PEM and by key set, and no signature of another key (A8)`, async () => {
      const [first = ''] = algorithms
      const { publicKey, privateKey } = await generateKeyPair(first, { extractable: true })
      const stranger = await generateKeyPair(first)
      const ownKind = await generateKeyPair(unfit)
      const { alg: _alg, ...jwk } = await exportJWK(publicKey)
      await using idp = await startRecordingApi(() => ({ status: 200, body: { keys: [{ ...jwk, kid: 'one' }] } }))
      await using door = await startDoor({ now: () => NOW })
      const endpoints = [
        await door.open(byVerifier({ publicKey: await exportSPKI(publicKey) })),
        await door.open(byVerifier({ jwksUrl: `${idp.url}/jwks` })),
      ]
      for (const endpoint of endpoints) {
        for (const alg of algorithms) {
          // WebCrypto binds a key to one algorithm: the same key is read again for each.
          const key = await importPKCS8(await exportPKCS8(privateKey), alg)
          assert.equal((await call(endpoint, await sign(good, { alg, kid: 'one' }, key))).status, 200, alg)
        }
        const before = door.calls()
        const forged = await sign(good, { alg: first, kid: 'one' }, stranger.privateKey)
        assert.equal(reasonOf(await call(endpoint, forged)), INVALID_SIGNATURE)
        const unfitting = await sign(good, { alg: unfit, kid: 'one' }, ownKind.privateKey)
        assert.equal(reasonOf(await call(endpoint, unfitting)), WRONG_ALGORITHM)
        assert.equal(door.calls(), before)
      }
    })
  }

  test('a PSS signature does not pass for a PKCS #1 one of the same key, nor the other way round (A8)', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
    await using door = await startDoor({ now: () => NOW })
    const endpoint = await door.open(byVerifier({ publicKey: await exportSPKI(publicKey) }))
    for (const [signed, said] of [
      ['PS256', 'RS256'],
      ['RS256', 'PS256'],
    ] as const) {
      const key = await importPKCS8(await exportPKCS8(privateKey), signed)
      const [, claims = '', signature = ''] = (await sign(good, { alg: signed }, key)).split('.')
      const header = Buffer.from(JSON.stringify({ alg: said })).toString('base64url')
      assert.equal(reasonOf(await call(endpoint, `${header}.${claims}.${signature}`)), INVALID_SIGNATURE)
    }
  })
})

suite('the header of a token', () => {
  const types: readonly { readonly typ: unknown; readonly reason?: string }[] = [
    { typ: undefined },
    { typ: 'JWT' },
    { typ: 'jwt' },
    { typ: 'at+jwt' },
    { typ: 'AT+JWT' },
    { typ: 'application/at+jwt' },
    { typ: 'Application/At+Jwt' },
    { typ: 'logout+jwt', reason: WRONG_TYPE },
    { typ: 'dpop+jwt', reason: WRONG_TYPE },
    { typ: 'secevent+jwt', reason: WRONG_TYPE },
    { typ: 'oauth-authz-req+jwt', reason: WRONG_TYPE },
    { typ: 'application/at+jwt; v=1', reason: WRONG_TYPE },
    { typ: 'at+jwt ', reason: WRONG_TYPE },
    { typ: '', reason: WRONG_TYPE },
    { typ: null, reason: WRONG_TYPE },
    { typ: ['at+jwt'], reason: WRONG_TYPE },
  ]
  for (const { typ, reason } of types) {
    test(`typ ${JSON.stringify(typ)} is ${reason === undefined ? 'let in' : 'refused'} (A8)`, async () => {
      await using door = await startDoor({ now: () => NOW })
      const endpoint = await door.open(byVerifier({ secret: SECRET }))
      const reply = await call(endpoint, signed({ alg: 'HS256', typ }))
      if (reason === undefined) assert.equal(reply.status, 200, reply.text)
      else assert.equal(reasonOf(reply), reason)
    })
  }

  const critical = [
    { crit: ['x'], x: 1 },
    { crit: ['http://example.com/UNDEFINED'], 'http://example.com/UNDEFINED': true },
    { crit: ['exp'], exp: 1 },
    { crit: ['alg'] },
    { crit: [] },
    { crit: 'x' },
    { crit: null },
    { crit: ['b64'], b64: true },
    { crit: ['b64'], b64: false },
  ]
  for (const header of critical) {
    test(`${JSON.stringify(header)} is refused: no extension is understood here (A8)`, async () => {
      await using door = await startDoor({ now: () => NOW })
      const endpoint = await door.open(byVerifier({ secret: SECRET }))
      assert.equal(reasonOf(await call(endpoint, signed({ alg: 'HS256', ...header }))), CRITICAL)
      assert.equal(door.calls(), 0)
    })
  }

  test('b64: false over an unencoded payload is refused, with crit and without (A8)', async () => {
    await using door = await startDoor({ now: () => NOW })
    const endpoint = await door.open(byVerifier({ secret: SECRET }))
    for (const { more, reason } of [
      { more: { crit: ['b64'] }, reason: CRITICAL },
      { more: {}, reason: INVALID_SIGNATURE },
    ]) {
      const header = Buffer.from(JSON.stringify({ alg: 'HS256', b64: false, ...more })).toString('base64url')
      const payload = JSON.stringify(good)
      const signature = createHmac('sha256', SECRET).update(`${header}.${payload}`).digest('base64url')
      const token = `${header}.${Buffer.from(payload).toString('base64url')}.${signature}`
      assert.equal(reasonOf(await call(endpoint, token)), reason)
    }
  })
})

/** A token with this header, rightly signed, whatever it says. */
function signed(header: Readonly<Record<string, unknown>>): string {
  const unsigned = forge(header, good).slice(0, -1)
  return `${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`
}

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { exportJWK, generateKeyPair } from 'jose'
import { GatewayError } from '../errors.ts'
import { makeDpopKey } from '../testing/dpop-key.ts'
import { checkProof } from './dpop.ts'
import { UsedProofsInMemory } from './dpop-used.ts'

const NOW = 1_800_000_000_000
const URL_OF_IT = 'https://gate.example/orders-1'
const TOKEN = 'the.access.token'
const key = await makeDpopKey(() => NOW)
const other = await generateKeyPair('ES256', { extractable: true })
const otherPublic = await exportJWK(other.publicKey)
const otherPrivate = await exportJWK(other.privateKey)
const expected = { method: 'POST', url: URL_OF_IT, accessToken: TOKEN, keyThumbprint: key.thumbprint, now: NOW }
const seconds = NOW / 1000

suite('a DPoP proof', () => {
  test('holds for its method, address, token and key (RFC 9449 §4.3)', async () => {
    const proof = await key.proof('POST', URL_OF_IT, { token: TOKEN, claims: { jti: 'one' } })
    const checked = await checkProof(proof, expected)
    const times = { madeAt: NOW, until: NOW + 60_000 }
    assert.deepEqual(checked, { ok: true, keyThumbprint: key.thumbprint, jti: 'one', ...times })
  })

  const good = [
    { name: 'a host in capitals and the default port', htu: 'https://GATE.example:443/orders-1' },
    { name: 'a query and a fragment, which do not count', htu: `${URL_OF_IT}?a=b#c` },
  ]
  for (const { name, htu } of good) {
    test(`holds for ${name}`, async () => {
      const proof = await key.proof('POST', htu, { token: TOKEN })
      assert.equal((await checkProof(proof, expected)).ok, true)
    })
  }

  const bad = [
    { name: 'another method', claims: { htm: 'GET' }, problem: 'request' },
    { name: 'a method in small letters', claims: { htm: 'post' }, problem: 'request' },
    { name: 'another path', claims: { htu: 'https://gate.example/orders-2' }, problem: 'request' },
    { name: 'another host', claims: { htu: 'https://evil.example/orders-1' }, problem: 'request' },
    { name: 'another scheme', claims: { htu: 'http://gate.example/orders-1' }, problem: 'request' },
    { name: 'no address', claims: { htu: undefined }, problem: 'request' },
    { name: 'another token', claims: { ath: 'x' }, problem: 'token' },
    { name: 'no token', claims: { ath: undefined }, problem: 'token' },
    { name: 'an old time', claims: { iat: seconds - 61 }, problem: 'time' },
    { name: 'a time of the future', claims: { iat: seconds + 31 }, problem: 'time' },
    { name: 'no time', claims: { iat: undefined }, problem: 'malformed' },
    { name: 'a time that is no number', claims: { iat: '1' }, problem: 'malformed' },
    { name: 'no jti', claims: { jti: undefined }, problem: 'malformed' },
    { name: 'a jti that is too long', claims: { jti: 'x'.repeat(501) }, problem: 'malformed' },
    { name: 'another type', header: { typ: 'JWT' }, problem: 'malformed' },
    { name: 'no key', header: { jwk: undefined }, problem: 'malformed' },
    { name: 'a private key', header: { jwk: otherPrivate }, problem: 'malformed' },
    { name: 'a symmetric key', header: { jwk: { kty: 'oct', k: 'x' } }, problem: 'malformed' },
    { name: 'a key that is no point', header: { jwk: { ...otherPublic, x: 'AA' } }, problem: 'key' },
    { name: 'the key of somebody else', header: { jwk: otherPublic }, problem: 'key' },
  ]
  for (const { name, claims = {}, header = {}, problem } of bad) {
    test(`with ${name} is refused`, async () => {
      const proof = await key.proof('POST', URL_OF_IT, { token: TOKEN, claims, header })
      assert.deepEqual(await checkProof(proof, expected), { ok: false, problem })
    })
  }

  test('of another key than the token’s is refused, as is one that its key did not sign', async () => {
    const stranger = await makeDpopKey(() => NOW)
    const proof = await stranger.proof('POST', URL_OF_IT, { token: TOKEN })
    assert.deepEqual(await checkProof(proof, expected), { ok: false, problem: 'key' })
    const swapped = await key.proof('POST', URL_OF_IT, { token: TOKEN, header: { jwk: otherPublic } })
    const { keyThumbprint: _any, ...unbound } = expected
    assert.deepEqual(await checkProof(swapped, unbound), { ok: false, problem: 'signature' })
    const unsigned = `${(await key.proof('POST', URL_OF_IT, { token: TOKEN })).split('.').slice(0, 2).join('.')}.`
    assert.deepEqual(await checkProof(unsigned, expected), { ok: false, problem: 'signature' })
  })

  test('that is missing, two, too long or no JWT is refused', async () => {
    const proof = await key.proof('POST', URL_OF_IT, { token: TOKEN })
    for (const one of [undefined, '']) {
      assert.deepEqual(await checkProof(one, expected), { ok: false, problem: 'missing' })
    }
    for (const one of [`${proof}, ${proof}`, 'nothing', 'a.b.c', 'x'.repeat(5_000)]) {
      assert.deepEqual(await checkProof(one, expected), { ok: false, problem: 'malformed' })
    }
  })
})

suite('used proofs', () => {
  test('count once, are forgotten when they are too old anyway, and are never more than so many', async () => {
    const clock = { now: NOW }
    const used = new UsedProofsInMemory({ now: () => clock.now, max: 2 })
    const times = () => ({ madeAt: clock.now, until: clock.now + 60_000 })
    assert.equal(await used.take('a', times()), true)
    assert.equal(await used.take('a', times()), false)
    assert.equal(await used.take('b', times()), true)
    const isFull = (error: unknown) => error instanceof GatewayError && error.code === 'unavailable'
    await assert.rejects(used.take('c', times()), isFull)
    clock.now += 60_001
    assert.equal(await used.take('c', times()), true)
    assert.equal(used.size, 1)
  })

  test('from before the start do not count: the process before may have seen them', async () => {
    const used = new UsedProofsInMemory({ now: () => NOW + 500 })
    assert.equal(await used.take('a', { madeAt: NOW - 1_000, until: NOW + 59_000 }), false)
    assert.equal(await used.take('b', { madeAt: NOW, until: NOW + 60_000 }), true)
  })
})

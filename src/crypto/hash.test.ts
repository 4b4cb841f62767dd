import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { equalInConstantTime, hmacSha256, sha256 } from './hash.ts'

suite('hashes', () => {
  test('sha256 is SHA-256 of the UTF-8 bytes, base64url', () => {
    // FIPS 180-2, appendix B.1.
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert.equal(sha256('abc'), Buffer.from(abc, 'hex').toString('base64url'))
  })

  test('hmacSha256 is HMAC-SHA-256, base64url', () => {
    // RFC 4231 §4.3, test case 2.
    const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
    const key = new TextEncoder().encode('Jefe')
    assert.equal(hmacSha256(key, 'what do ya want for nothing?'), Buffer.from(expected, 'hex').toString('base64url'))
  })
})

suite('equalInConstantTime', () => {
  const different = [
    { name: 'another last character', left: 'secret-a', right: 'secret-b' },
    { name: 'a prefix', left: 'secret', right: 'secret-a' },
    { name: 'an empty text', left: '', right: 'secret' },
    { name: 'another case', left: 'Secret', right: 'secret' },
    { name: 'another way to write the same letter', left: 'é', right: 'e\u0301' },
  ] as const
  for (const { name, left, right } of different) {
    test(`tells ${name} apart`, () => {
      assert.equal(equalInConstantTime(left, right), false)
      assert.equal(equalInConstantTime(right, left), false)
    })
  }

  test('agrees with === for any two texts', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 6 })
    fc.assert(
      fc.property(text, text, (left, right) => {
        assert.equal(equalInConstantTime(left, right), left === right)
        assert.equal(equalInConstantTime(left, left), true)
      }),
    )
  })
})

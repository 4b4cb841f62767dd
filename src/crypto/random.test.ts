import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { randomId, randomSecret } from './random.ts'

suite('random values', () => {
  test('an id has the asked length and only lower-case letters and the digits 2 to 7', () => {
    for (const length of [1, 8, 16, 64]) assert.match(randomId(length), new RegExp(`^[a-z2-7]{${length}}$`))
  })

  test('every character of the alphabet is used about as often as any other', () => {
    const counts = new Map<string, number>()
    for (const character of randomId(64_000)) counts.set(character, (counts.get(character) ?? 0) + 1)
    assert.equal(counts.size, 32)
    // 2,000 expected, standard deviation 44: ten of those is no accident.
    for (const [character, count] of counts) assert.ok(Math.abs(count - 2000) < 440, `${character}: ${count}`)
  })

  test('ten thousand ids are ten thousand different ones', () => {
    assert.equal(new Set(Array.from({ length: 10_000 }, () => randomId(16))).size, 10_000)
  })

  test('a secret holds the asked bytes, 32 unless told, base64url without padding', () => {
    assert.match(randomSecret(), /^[A-Za-z0-9_-]{43}$/)
    assert.equal(Buffer.from(randomSecret(12), 'base64url').length, 12)
    assert.notEqual(randomSecret(), randomSecret())
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { concealing } from './report.ts'

suite('concealing', () => {
  test('takes the token out of a text, whole and in parts, and what it was wrapped in', () => {
    const jwt = `eyJhbGciOiJFUzI1NiJ9.${'c'.repeat(40)}.${'s'.repeat(86)}`
    const file = JSON.stringify({ access_token: jwt, refresh_token: 'r'.repeat(50), token_type: 'Bearer' })
    const conceal = concealing(file)
    for (const part of [file, jwt, ...jwt.split('.'), 'r'.repeat(50)]) {
      assert.doesNotMatch(conceal(`It says ${part}!`), /eyJhb|cccc|ssss|rrrr/)
    }
  })

  test('does not keep everybody waiting for a file of thousands of words and a large answer that is full of them', () => {
    const words = Array.from({ length: 7_000 }, (_, n) => `aaaa${String(n).padStart(4, '0')}`)
    const answer = 'aaaa'.repeat(128 * 1024)
    const startedAt = performance.now()
    concealing(words.join('.').slice(0, 65_536))(answer)
    // Some 20 ms; 4 s when every word was looked for.
    assert.ok(performance.now() - startedAt < 1_500)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { readSignIn } from './sign-in-answer.ts'

const now = 1_700_000_000_000

suite('readSignIn', () => {
  test('takes the first field that has a token', () => {
    const read = readSignIn('{"accessToken":null,"access_token":"","jwt":"c","token":"b"}', {}, now)
    assert.deepEqual(read, {
      ok: true,
      answer: { accessToken: 'b', refreshToken: undefined, refreshField: 'refreshToken', lifeMs: undefined },
    })
  })

  test('reads pointers with escapes, and only what the answer itself has', () => {
    const read = readSignIn('{"a/b":{"~c":["x","y"]}}', { accessToken: '/a~1b/~0c/1' }, now)
    assert.equal(read.ok && read.answer.accessToken, 'y')
    const inherited = readSignIn('{"a":{}}', { accessToken: '/a/constructor/name' }, now)
    assert.deepEqual(inherited, { ok: false, problem: 'no_token' })
  })

  test('does not guess: no text, an object, a token nested under data', () => {
    for (const body of ['{"token":7}', '{"token":{"a":"b"}}', '{"data":{"token":"a"}}', '"a"', 'null', '[]']) {
      assert.deepEqual(readSignIn(body, {}, now), { ok: false, problem: 'no_token' }, body)
    }
    assert.deepEqual(readSignIn('', {}, now), { ok: false, problem: 'not_json' })
  })

  test('bounds a lifetime at 30 days', () => {
    const read = readSignIn('{"token":"a","expiresIn":1e300}', {}, now)
    assert.equal(read.ok && read.answer.lifeMs, 30 * 24 * 3_600_000)
  })

  test('never throws, and never gives a token that could not stand in a header', () => {
    const anyAnswer = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ token: fc.string({ unit: 'binary' }), expiresIn: fc.anything() })
        .map((it) => JSON.stringify(it) ?? ''),
    )
    fc.assert(
      fc.property(anyAnswer, (body) => {
        const read = readSignIn(body, {}, now)
        if (read.ok) assert.match(read.answer.accessToken, /^[\x21-\x7e]+$/)
      }),
    )
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { createKeyring } from './keyring.ts'

const SECRET = 'a master secret that is long enough'

suite('createKeyring', () => {
  test('the same secret gives the same keys: a restart and a replica can read what was sealed', () => {
    const [first, second] = [createKeyring(SECRET), createKeyring(SECRET)]
    assert.equal(first.keyId, second.keyId)
    assert.deepEqual(first.sealingKey, second.sealingKey)
    assert.deepEqual(first.derive('mcp session'), second.derive('mcp session'))
  })

  test('another secret or another purpose gives another key of 32 bytes', () => {
    const ring = createKeyring(SECRET)
    const other = createKeyring(`${SECRET}!`)
    const keys = [ring.sealingKey, ring.derive('a'), ring.derive('b'), other.sealingKey, other.derive('a')]
    assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, keys.length)
    for (const key of keys) assert.equal(key.length, 32)
    assert.notEqual(ring.keyId, other.keyId)
  })

  test('the key id is neither a part of a key nor of the secret', () => {
    const ring = createKeyring(SECRET)
    assert.equal(ring.keyId.length, 8)
    assert.ok(!Buffer.from(ring.sealingKey).toString('base64url').includes(ring.keyId))
  })

  for (const length of [0, 1, 31]) {
    test(`refuses a secret of ${length} characters, says the length and not the secret`, () => {
      const secret = 'Q7'.repeat(16).slice(0, length)
      assert.throws(
        () => createKeyring(secret),
        (error) =>
          error instanceof GatewayError &&
          error.code === 'config_invalid' &&
          error.message.includes(`has ${length} characters`) &&
          !error.message.includes('Q7'),
      )
    })
  }

  test('takes a secret of 32 characters', () => {
    assert.equal(createKeyring('x'.repeat(32)).sealingKey.length, 32)
  })
})

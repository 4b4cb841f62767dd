import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { REDACTED, redactText } from '../records/redact.ts'
import { apiKeyHash, looksLikeApiKey, makeApiKey } from './api-key.ts'

suite('an API key', () => {
  test('is 256 random bits with a prefix, and found by its hash alone', () => {
    const keys = new Set(Array.from({ length: 100 }, makeApiKey))
    assert.equal(keys.size, 100)
    for (const key of keys) {
      assert.match(key, /^mcp_sk_[A-Za-z0-9_-]{43}$/)
      assert.ok(looksLikeApiKey(key))
      assert.match(apiKeyHash(key) ?? '', /^[A-Za-z0-9_-]{43}$/)
      assert.ok(!apiKeyHash(key)?.includes(key.slice(7, 20)))
    }
    assert.equal(new Set([...keys].map(apiKeyHash)).size, 100)
  })

  test('is taken out of whatever text it stands in', () => {
    const key = makeApiKey()
    for (const text of [key, `key ${key}.`, `{"a":"${key}"}`]) {
      const redacted = redactText(text)
      assert.ok(redacted.includes(REDACTED) && !redacted.includes(key.slice(7)), redacted)
    }
  })

  test('of any other shape is none of ours', () => {
    const key = makeApiKey()
    for (const text of [
      '',
      'mcp_sk_',
      key.slice(1),
      `${key}a`,
      `${key}\n`,
      ` ${key}`,
      key.slice(0, -1),
      key.toUpperCase(),
    ]) {
      assert.equal(apiKeyHash(text), undefined, JSON.stringify(text))
    }
    fc.assert(fc.property(fc.string(), (text) => apiKeyHash(text) === undefined))
    assert.deepEqual(['sk_live_x', 'mcp_sk_x', 'eyJ.x.y', 'xsk_'].map(looksLikeApiKey), [true, true, false, false])
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Caller } from './caller.ts'
import { anonymous } from './caller.ts'
import { ResultCache } from './result-cache.ts'

const caller: Caller = anonymous
const owner = {}
const keyOf = (token: string) => ({ owner, workspaceId: 'w', token })
/** A token that came before: its result is kept. */
const keep = (cache: ResultCache, token: string, validUntil = 10) => {
  cache.keep(keyOf(token), caller, validUntil)
  cache.keep(keyOf(token), caller, validUntil)
}

suite('ResultCache', () => {
  test('keeps a result from the second time on: a token that never comes back takes no place', () => {
    const cache = new ResultCache({ entriesMax: 100 })
    keep(cache, 'a.b.of-somebody-who-stays')
    for (let index = 0; index < 10_000; index += 1) cache.keep(keyOf(`a.b.once-${index}-${index % 7}`), caller, 10)
    assert.equal(cache.find(keyOf('a.b.of-somebody-who-stays'), 0), caller)
    cache.keep(keyOf('a.b.once'), caller, 10)
    assert.equal(cache.find(keyOf('a.b.once'), 0), undefined)
    cache.keep(keyOf('a.b.once'), caller, 10)
    assert.equal(cache.find(keyOf('a.b.once'), 0), caller)
  })

  test('never holds more results than it may: the oldest leaves', () => {
    const cache = new ResultCache({ entriesMax: 100 })
    for (let index = 0; index < 1_000; index += 1) keep(cache, `a.b.signature-${index}`)
    assert.equal(cache.size, 100)
    assert.equal(cache.find(keyOf('a.b.signature-899'), 0), undefined)
    assert.equal(cache.find(keyOf('a.b.signature-900'), 0), caller)
  })

  test('never holds more characters than it may, however few results those are', () => {
    const cache = new ResultCache({ charactersMax: 10_000 })
    const long = 'x'.repeat(990)
    for (let index = 0; index < 100; index += 1) keep(cache, `${long}.b.${index}`)
    assert.equal(cache.size, 10)
    for (let round = 0; round < 100; round += 1) keep(cache, `${long}.b.99`)
    assert.equal(cache.size, 10, 'one that is kept again counts once')
  })

  test('keeps nothing of a token that is longer than everything it may hold', () => {
    const cache = new ResultCache({ charactersMax: 100 })
    keep(cache, 'x'.repeat(101))
    assert.equal(cache.size, 0)
  })
})

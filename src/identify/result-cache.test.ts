import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Caller } from './caller.ts'
import { anonymous } from './caller.ts'
import { ResultCache } from './result-cache.ts'

const caller: Caller = anonymous
const owner = {}
const keyOf = (token: string) => ({ owner, workspaceId: 'w', token })

suite('ResultCache', () => {
  test('never holds more results than it may: the oldest leaves', () => {
    const cache = new ResultCache({ entriesMax: 100 })
    for (let index = 0; index < 1_000; index += 1) cache.keep(keyOf(`a.b.${index}`), caller, 10)
    assert.equal(cache.size, 100)
    assert.equal(cache.find(keyOf('a.b.899'), 0), undefined)
    assert.equal(cache.find(keyOf('a.b.900'), 0), caller)
  })

  test('never holds more characters than it may, however few results those are', () => {
    const cache = new ResultCache({ charactersMax: 10_000 })
    const long = 'x'.repeat(990)
    for (let index = 0; index < 100; index += 1) cache.keep(keyOf(`${long}.b.${index}`), caller, 10)
    assert.equal(cache.size, 10)
    for (let round = 0; round < 100; round += 1) cache.keep(keyOf(`${long}.b.99`), caller, 10)
    assert.equal(cache.size, 10, 'one that is kept again counts once')
  })

  test('keeps nothing of a token that is longer than everything it may hold', () => {
    const cache = new ResultCache({ charactersMax: 100 })
    cache.keep(keyOf('x'.repeat(101)), caller, 10)
    assert.equal(cache.size, 0)
  })
})

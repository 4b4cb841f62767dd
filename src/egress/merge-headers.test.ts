import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mergeHeaders } from './merge-headers.ts'

suite('mergeHeaders', () => {
  test('keeps what only one set has', () => {
    assert.deepEqual(mergeHeaders({ A: '1' }, { B: '2' }, {}), { A: '1', B: '2' })
  })

  test('lets the last set win, whatever the case of the name', () => {
    assert.deepEqual(mergeHeaders({ authorization: 'mine', 'X-A': '1' }, { Authorization: 'theirs' }), {
      'X-A': '1',
      Authorization: 'theirs',
    })
  })
})

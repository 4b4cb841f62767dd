import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { RecordBatch, recordsIn } from './record-batch.ts'
import { recordText } from './record-text.ts'
import { exampleRecord } from './store-contract.ts'

suite('a batch of records', () => {
  test('gives back every text as it was, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const rows = texts.map((text) => exampleRecord('r', { tool: text, detail: `${text}\n` }))
        const read = [...recordsIn(RecordBatch.of(...rows).lines)]
        assert.deepEqual(
          read,
          rows.map((row) => JSON.parse(recordText(row))),
        )
      }),
    )
  })

  test('takes no record that has no room, and loses none that it has', () => {
    const batch = new RecordBatch(2000)
    let taken = 0
    while (batch.add(exampleRecord(`r${taken}`))) taken += 1
    assert.ok(taken > 0)
    assert.equal(batch.count, taken)
    const ids = [...recordsIn(batch.lines)].map(([id]) => id)
    assert.deepEqual(
      ids,
      Array.from({ length: taken }, (_, n) => `r${n}`),
    )
  })

  test('has room for the first one however long it is, and is filled again once it was emptied', () => {
    const batch = new RecordBatch(10)
    const long = exampleRecord('long', { detail: 'ü'.repeat(5000) })
    assert.equal(batch.add(long), true)
    assert.equal(batch.add(long), false)
    batch.clear()
    assert.deepEqual([batch.count, batch.lines.length], [0, 0])
    assert.equal(batch.add(exampleRecord('next')), true)
    assert.deepEqual(
      [...recordsIn(batch.lines)].map(([id]) => id),
      ['next'],
    )
  })
})

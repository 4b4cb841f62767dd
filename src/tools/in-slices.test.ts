import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inSlices } from './in-slices.ts'

function keepBusy(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('long work is done in order, and lets others go first in between', async () => {
  const done: number[] = []
  const turns: number[] = []
  const takeTurn = () => {
    turns.push(done.length)
    if (done.length < 8) setImmediate(takeTurn)
  }
  setImmediate(takeTurn)
  await inSlices([1, 2, 3, 4, 5, 6, 7, 8], (item) => {
    keepBusy(4)
    done.push(item)
  })
  assert.deepEqual(done, [1, 2, 3, 4, 5, 6, 7, 8])
  assert.ok(turns.length >= 2 && turns.every((count, index) => count - (turns[index - 1] ?? 0) <= 3), `${turns}`)
})

test('what the work throws is thrown, and ends it', async () => {
  const done: number[] = []
  await assert.rejects(
    inSlices([1, 2, 3], (item) => {
      if (item === 2) throw new Error('no more')
      done.push(item)
    }),
    /no more/,
  )
  assert.deepEqual(done, [1])
})

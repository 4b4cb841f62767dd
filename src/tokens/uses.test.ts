import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { IssuedUse } from '../store/store.ts'
import { Uses } from './uses.ts'

function recorder(fail: () => boolean = () => false) {
  const batches: (readonly IssuedUse[])[] = []
  const failures: string[] = []
  const first = Promise.withResolvers<void>()
  const use = async (uses: readonly IssuedUse[]) => {
    if (fail()) throw new GatewayError('unavailable', 'The store cannot be used at the moment.')
    batches.push(uses)
    first.resolve()
  }
  return {
    batches,
    failures,
    written: first.promise,
    uses: new Uses({ issued: { use } }, (code) => failures.push(code)),
  }
}

suite('uses of credentials', () => {
  test('are written in one batch, each credential once, with its latest time', async () => {
    const { uses, batches } = recorder()
    for (let at = 1; at <= 1000; at += 1) uses.note(at % 2 === 0 ? 'a' : 'b', at)
    assert.deepEqual(batches, [])
    await uses.flush()
    assert.deepEqual(batches, [
      [
        { id: 'b', at: 999 },
        { id: 'a', at: 1000 },
      ],
    ])
    await uses.flush()
    assert.equal(batches.length, 1)
  })

  test('are written by themselves within a second or so', async () => {
    const { uses, batches, written } = recorder()
    // The timer keeps no process alive, so something else must.
    const alive = setInterval(() => {}, 1000)
    uses.note('a', 1)
    await written
    clearInterval(alive)
    assert.deepEqual(batches, [[{ id: 'a', at: 1 }]])
  })

  test('that cannot be stored are told of, and stop nothing', async () => {
    let isBroken = true
    const { uses, batches, failures } = recorder(() => isBroken)
    uses.note('a', 1)
    await uses.flush()
    assert.deepEqual(failures, ['unavailable'])
    isBroken = false
    uses.note('a', 2)
    await uses.flush()
    assert.deepEqual(batches, [[{ id: 'a', at: 2 }]])
  })
})

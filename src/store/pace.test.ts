import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Pace } from './pace.ts'

/** A pace on a clock that each step moves on, and the rests that it took. */
function paceOf(stepMs: number) {
  let time = 0
  const rests: number[] = []
  const rest = (ms: number) => {
    rests.push(ms)
    time += ms
  }
  const pace = new Pace({ now: () => time, rest })
  const work = (steps: number) => {
    pace.begin()
    for (let step = 0; step < steps; step += 1) {
      time += stepMs
      pace.step()
    }
    return rests.splice(0)
  }
  return { work, pass: (ms: number) => (time += ms) }
}

suite('a pace', () => {
  test('rests twice as long as it worked, a millisecond or so at a time', () => {
    const { work } = paceOf(1 / 8)
    assert.deepEqual(work(32), [2, 2, 2, 2])
  })

  test('rests for four milliseconds at most, however long a step took', () => {
    assert.deepEqual(paceOf(1).work(16), [4, 4])
  })

  test('does not rest for a little work, and begins anew with each piece of it', () => {
    const { work, pass } = paceOf(1 / 64)
    assert.deepEqual(work(48), [])
    pass(1000)
    assert.deepEqual(work(48), [])
  })

  test('sleeps at least as long as it says', () => {
    const pace = new Pace()
    pace.begin()
    const beganAt = performance.now()
    while (performance.now() - beganAt < 1) void 0
    const workedAt = performance.now()
    for (let step = 0; step < 8; step += 1) pace.step()
    assert.ok(performance.now() - workedAt >= 1.9)
  })
})

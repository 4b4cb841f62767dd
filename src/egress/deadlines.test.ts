import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type Deadlined, Deadlines } from './deadlines.ts'

function item(deadlineAt: number, deadlines: Deadlines, expired: (which: Deadlined) => void): Deadlined {
  const made: Deadlined = {
    deadlineAt,
    watchedAt: -1,
    expire: () => {
      deadlines.delete(made)
      expired(made)
    },
  }
  return made
}

suite('deadlines', () => {
  test('end what is late, once, and nothing else', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const deadlines = new Deadlines(() => 100)
    const expired: Deadlined[] = []
    const items = [50, 150, 100, 90].map((at) => item(at, deadlines, (which) => expired.push(which)))
    for (const one of items) deadlines.add(one)
    context.mock.timers.tick(50)
    assert.deepEqual(new Set(expired), new Set([items[0], items[2], items[3]]))
    context.mock.timers.tick(500)
    assert.equal(expired.length, 3)
  })

  test('hold exactly what was added and not removed, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (steps) => {
        const expired = new Set<Deadlined>()
        let now = 0
        const deadlines = new Deadlines(() => now)
        const items = Array.from({ length: 21 }, () => item(1, deadlines, (which) => expired.add(which)))
        const watched = new Set<Deadlined>()
        for (const step of steps) {
          const one = items[step]
          if (one === undefined) continue
          if (watched.delete(one)) deadlines.delete(one)
          else {
            watched.add(one)
            deadlines.add(one)
          }
          deadlines.delete(item(1, deadlines, () => {}))
        }
        now = 2
        for (const one of watched) assert.ok(one.watchedAt >= 0)
        const places = [...watched].map(({ watchedAt }) => watchedAt).sort((left, right) => left - right)
        assert.deepEqual(
          places,
          Array.from(watched, (_, index) => index),
        )
        for (const one of items) if (!watched.has(one)) assert.equal(one.watchedAt, -1)
      }),
    )
  })
})

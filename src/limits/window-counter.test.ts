import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { WindowCounter } from './window-counter.ts'

const WINDOW = 60_000
const START = 1_000 * WINDOW

suite('a window counter', () => {
  test('lets through as many as the limit says, and not one more', () => {
    const counter = new WindowCounter({ windowMs: WINDOW })
    for (let count = 0; count < 5; count += 1) assert.deepEqual(counter.take('ada', 5, START), { ok: true })
    assert.equal(counter.take('ada', 5, START).ok, false)
    assert.equal(counter.take('eve', 5, START).ok, true)
  })

  test('says when one more will fit, to the millisecond', () => {
    for (const at of [0, 1, 20_000, 59_999]) {
      const counter = new WindowCounter({ windowMs: WINDOW })
      for (let count = 0; count < 7; count += 1) counter.take('ada', 7, START + at)
      const taken = counter.take('ada', 7, START + at)
      assert.ok(!taken.ok)
      assert.equal(counter.peek('ada', 7, START + at + taken.retryAfterMs).ok, true, `at ${at}`)
      assert.equal(counter.peek('ada', 7, START + at + taken.retryAfterMs - 2).ok, false, `at ${at}`)
    }
  })

  test('never lets more than the limit through in any window, wherever it begins', () => {
    const steps = fc.array(fc.integer({ min: 0, max: WINDOW / 2 }), { maxLength: 60 })
    const property = fc.property(steps, fc.integer({ min: 1, max: 6 }), (pauses, max) => {
      const counter = new WindowCounter({ windowMs: WINDOW })
      const through: number[] = []
      let now = START
      for (const pause of pauses) {
        now += pause
        if (counter.take('ada', max, now).ok) through.push(now)
      }
      // The window before is taken for evenly spread, so one window may hold up to twice the limit less one, never more.
      for (const from of through) {
        assert.ok(through.filter((at) => at >= from && at < from + WINDOW).length < 2 * max + 1)
      }
    })
    fc.assert(property, { numRuns: 300 })
  })

  test('counts a peek as nothing', () => {
    const counter = new WindowCounter({ windowMs: WINDOW })
    for (let count = 0; count < 10; count += 1) assert.equal(counter.peek('ada', 1, START).ok, true)
    assert.equal(counter.names, 0)
  })
})

suite('a flood of names', () => {
  test('stays within the bound', () => {
    const counter = new WindowCounter({ windowMs: WINDOW, namesMax: 1_000 })
    for (let name = 0; name < 50_000; name += 1) counter.take(`name ${name}`, 5, START)
    assert.ok(counter.names <= 1_000)
  })

  test('does not make anybody forgotten who has used up his share', () => {
    const counter = new WindowCounter({ windowMs: WINDOW, namesMax: 100 })
    for (let count = 0; count < 20; count += 1) counter.take('eve', 20, START)
    for (let name = 0; name < 10_000; name += 1) counter.take(`name ${name}`, 20, START + 1)
    assert.equal(counter.take('eve', 20, START + 2).ok, false)
  })

  test('of names with large shares does not make anybody forgotten who has used up a small one', () => {
    const counter = new WindowCounter({ windowMs: WINDOW, namesMax: 100 })
    assert.equal(counter.take('eve’s one transfer', 1, START).ok, true)
    for (let name = 0; name < 10_000; name += 1) counter.take(`requests of ${name}`, 1_000, START + 1)
    assert.equal(counter.take('eve’s one transfer', 1, START + 2).ok, false)
  })

  test('of names that all use much leaves one share for all newcomers', () => {
    const counter = new WindowCounter({ windowMs: WINDOW, namesMax: 10 })
    for (let name = 0; name < 10; name += 1) {
      for (let count = 0; count < 5; count += 1) counter.take(`name ${name}`, 5, START)
    }
    const newcomers = Array.from({ length: 20 }, (_, index) => counter.take(`new ${index}`, 5, START).ok)
    assert.equal(newcomers.filter((ok) => ok).length, 5)
    assert.equal(counter.names, 10)
  })

  test('is forgotten with its windows', () => {
    const counter = new WindowCounter({ windowMs: WINDOW, namesMax: 10 })
    for (let name = 0; name < 10; name += 1) {
      for (let count = 0; count < 5; count += 1) counter.take(`name ${name}`, 5, START)
    }
    const later = START + 2 * WINDOW
    for (let name = 0; name < 10; name += 1) assert.equal(counter.take(`new ${name}`, 5, later).ok, true)
    for (let count = 0; count < 5; count += 1) assert.equal(counter.take('new 9', 6, later).ok, true)
    assert.equal(counter.names, 10)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { StdioExchange } from '../http/stdio-exchange.ts'
import { RunningCalls } from './running-calls.ts'

function exchange(): StdioExchange {
  return new StdioExchange('', { path: '/', now: () => 0, write: () => undefined })
}

suite('a running call', () => {
  test('is cancelled by its session and id', () => {
    const running = new RunningCalls()
    const call = exchange()
    running.start('session', 1, call)
    running.cancel('session', 1)
    assert.equal(call.signal.aborted, true)
  })

  for (const [name, scope, id] of [
    ['another session', 'other', 1],
    ['no session', undefined, 1],
    ['another id', 'session', 2],
    ['the same id as a text', 'session', '1'],
    ['an id that is an object', 'session', { toString: () => '1' }],
    ['no id', 'session', undefined],
  ] as const) {
    test(`is not cancelled by ${name}`, () => {
      const running = new RunningCalls()
      const call = exchange()
      running.start('session', 1, call)
      running.cancel(scope, id)
      assert.equal(call.signal.aborted, false)
    })
  }

  test('is not cancelled after it finished', () => {
    const running = new RunningCalls()
    const call = exchange()
    running.start('session', 1, call)
    running.finish('session', 1)
    running.cancel('session', 1)
    assert.equal(call.signal.aborted, false)
  })

  test('without a session cannot be cancelled by message: another client may use the same id', () => {
    const running = new RunningCalls()
    const call = exchange()
    running.start(undefined, 1, call)
    running.cancel(undefined, 1)
    assert.equal(call.signal.aborted, false)
    running.finish(undefined, 1)
  })

  test('above 50,000 is served all the same, only not remembered', () => {
    const running = new RunningCalls()
    const call = exchange()
    for (let id = 0; id < 50_000; id += 1) running.start('session', id, call)
    const late = exchange()
    running.start('session', 50_000, late)
    running.cancel('session', 50_000)
    assert.equal(late.signal.aborted, false)
    running.finish('session', 0)
    running.start('session', 50_001, late)
    running.cancel('session', 50_001)
    assert.equal(late.signal.aborted, true)
  })
})

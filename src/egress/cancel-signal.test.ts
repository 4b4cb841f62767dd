import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Cancellation, type CancelSignal } from './cancel-signal.ts'

suite('a Cancellation', () => {
  test('tells each listener once, and none that was removed', () => {
    const cancellation = new Cancellation()
    const heard: string[] = []
    const listener = (name: string) => ({ handleEvent: () => void heard.push(name) })
    const removed = listener('removed')
    cancellation.addEventListener('abort', listener('first'))
    cancellation.addEventListener('abort', removed)
    cancellation.addEventListener('abort', listener('last'))
    cancellation.removeEventListener('abort', removed)
    assert.equal(cancellation.aborted, false)
    cancellation.abort()
    cancellation.abort()
    assert.equal(cancellation.aborted, true)
    assert.deepEqual(heard, ['first', 'last'])
  })

  test('can stand where an AbortSignal stands', () => {
    const signals: readonly CancelSignal[] = [new Cancellation(), new AbortController().signal]
    assert.ok(signals.every(({ aborted }) => !aborted))
  })
})

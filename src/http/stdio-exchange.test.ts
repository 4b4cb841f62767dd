import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { messageEvent } from './server-events.ts'
import { StdioExchange } from './stdio-exchange.ts'

function exchangeOf(line: string): { exchange: StdioExchange; written: string[] } {
  const written: string[] = []
  const exchange = new StdioExchange(line, { path: '/a-1', now: () => 5, write: (text) => written.push(text) })
  return { exchange, written }
}

suite('a stdio exchange', () => {
  test('is a POST without headers to the one workspace', async () => {
    const { exchange } = exchangeOf('{"jsonrpc":"2.0"}')
    const { transport, method, path, startedAt } = exchange
    assert.deepEqual(
      { transport, method, path, startedAt },
      { transport: 'stdio', method: 'POST', path: '/a-1', startedAt: 5 },
    )
    assert.equal(exchange.header(), undefined)
    assert.equal(await exchange.readBody(), '{"jsonrpc":"2.0"}')
  })

  test('writes the body of the first answer as one line', () => {
    const { exchange, written } = exchangeOf('')
    exchange.send({ status: 200, headers: { 'Mcp-Session-Id': 'x' }, body: '{"id":1}' })
    exchange.send({ status: 500, body: '{"id":2}' })
    assert.deepEqual(written, ['{"id":1}\n'])
    assert.equal(exchange.status, 200)
  })

  test('writes nothing for an answer without a body', () => {
    const { exchange, written } = exchangeOf('')
    exchange.send({ status: 202 })
    assert.deepEqual(written, [])
  })

  test('a cancelled request gets no answer', () => {
    const { exchange, written } = exchangeOf('')
    exchange.cancel()
    assert.equal(exchange.signal.aborted, true)
    exchange.send({ status: 499, body: '{"id":1}' })
    assert.deepEqual(written, [])
  })

  test('writes each event as one line, whatever its line ends', () => {
    const { exchange, written } = exchangeOf('')
    const events = exchange.openEvents()
    events.send({ raw: ': ping\n\n', data: undefined })
    events.send(messageEvent('{\r\n"a":\r1}'))
    events.end()
    events.send(messageEvent('{}'))
    assert.deepEqual(written, ['{  "a": 1}\n'])
    assert.equal(exchange.openEvents().closed.aborted, true, 'answered once')
  })

  test('writes no event after it was cancelled', () => {
    const { exchange, written } = exchangeOf('')
    const events = exchange.openEvents()
    exchange.cancel()
    assert.equal(events.closed.aborted, true)
    events.send(messageEvent('{}'))
    assert.deepEqual(written, [])
  })
})

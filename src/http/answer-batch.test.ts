import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { AnswerBatch } from './answer-batch.ts'
import { RawClient, serveExchanges } from './http.test-support.ts'

suite('answers of one turn of the loop', () => {
  test('are written together at its end, once each, in the order in which they were made', async () => {
    const batch = new AnswerBatch()
    const written: string[] = []
    const answer = (name: string) => ({ write: () => void written.push(name) })
    batch.add(answer('first'))
    await Promise.resolve()
    batch.add(answer('second'))
    assert.deepEqual(written, [])
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(written, ['first', 'second'])
    batch.add(answer('third'))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(written, ['first', 'second', 'third'])
  })

  test('do not wait for each other when there are many', async () => {
    const batch = new AnswerBatch()
    const written: number[] = []
    for (let n = 0; n < 20; n += 1) batch.add({ write: () => void written.push(n) })
    assert.equal(written.length, 16)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      written,
      Array.from({ length: 20 }, (_, n) => n),
    )
  })

  test('reach those clients that are still there, when others have gone meanwhile', async (context) => {
    const both = Promise.withResolvers<void>()
    let arrived = 0
    const server = await serveExchanges(context, async (exchange) => {
      arrived += 1
      if (arrived === 2) both.resolve()
      await both.promise
      exchange.send({ status: 200, body: `"${exchange.path}"` })
      // Between the answer and the end of the turn.
      if (exchange.path === '/gone') gone.socket.destroy()
    })
    const gone = new RawClient(server)
    const stays = new RawClient(server)
    gone.write('GET /gone HTTP/1.1', 'Host: a', '', '')
    stays.write('GET /stays HTTP/1.1', 'Host: a', '', '')
    await stays.until(/"\/stays"/)
    await gone.closed
  })
})

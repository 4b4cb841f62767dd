import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Cancellation } from '../egress/cancel-signal.ts'
import { openEvents } from '../testing/event-client.ts'
import type { Exchange } from './exchange.ts'
import { RawClient, send, serveExchanges } from './http.test-support.ts'
import { type EventSink, messageEvent } from './server-events.ts'

/** A stream that writes down what is sent on it, and counts who listens for its end. */
class Stream implements EventSink {
  readonly got: string[] = []
  listeners = 0
  readonly closed: Cancellation

  constructor() {
    const count = (by: number) => {
      this.listeners += by
    }
    this.closed = new (class extends Cancellation {
      override addEventListener(...given: Parameters<Cancellation['addEventListener']>): void {
        count(1)
        super.addEventListener(...given)
      }
      override removeEventListener(...given: Parameters<Cancellation['removeEventListener']>): void {
        count(-1)
        super.removeEventListener(...given)
      }
    })()
  }

  send({ raw }: { readonly raw: string }): boolean {
    this.got.push(raw)
    return true
  }

  async whenDrained(): Promise<void> {}

  end(): void {
    this.closed.abort()
  }

  cut(): void {
    this.closed.abort()
  }
}

/** Resolves when the signal is given. */
function given(signal: { addEventListener(type: 'abort', listener: { handleEvent(): void }): void }): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', { handleEvent: resolve }))
}

suite('an answer as a stream of events', () => {
  test('is sent as it comes, and no proxy on the way collects it', async (t) => {
    const opened = Promise.withResolvers<EventSink>()
    const { url } = await serveExchanges(t, (exchange) =>
      opened.resolve(exchange.openEvents({ 'Mcp-Session-Id': 's' })),
    )
    await using client = await openEvents(url)
    assert.equal(client.status, 200)
    const { 'content-type': type, 'x-accel-buffering': buffering, 'mcp-session-id': session } = client.headers
    assert.deepEqual([type, buffering, session], ['text/event-stream', 'no', 's'])
    const sink = await opened.promise
    sink.send(messageEvent('{"a":1}'))
    assert.deepEqual(await client.nextJson(), { a: 1 })
    sink.send(messageEvent('{"a":2}'))
    sink.end()
    sink.send(messageEvent('{"a":3}'))
    assert.deepEqual(await client.nextJson(), { a: 2 })
    assert.equal(await client.next(), undefined)
  })

  test('tells when its client has left', async (t) => {
    const opened = Promise.withResolvers<{ exchange: Exchange; sink: EventSink }>()
    const { url } = await serveExchanges(t, (exchange) => opened.resolve({ exchange, sink: exchange.openEvents() }))
    const client = await openEvents(url)
    const { exchange, sink } = await opened.promise
    const left = Promise.all([given(exchange.signal), given(sink.closed)])
    client.close()
    await left
    assert.equal(sink.send(messageEvent('{}')), true, 'goes nowhere')
    await sink.whenDrained()
  })

  test('is the first answer or none', async (t) => {
    const { url } = await serveExchanges(t, (exchange) => {
      exchange.send({ status: 202 })
      const late = exchange.openEvents()
      assert.equal(late.closed.aborted, true)
      late.send(messageEvent('{}'))
    })
    assert.equal((await fetch(url, { method: 'POST' })).status, 202)
  })

  test('says when its reader lags behind, and when he has caught up', async (t) => {
    const opened = Promise.withResolvers<EventSink>()
    const { url } = await serveExchanges(t, (exchange) => opened.resolve(exchange.openEvents()))
    const response = await fetch(url)
    const sink = await opened.promise
    const event = messageEvent(JSON.stringify('x'.repeat(1_000_000)))
    let sent = 1
    while (sink.send(event)) sent += 1
    const drained = sink.whenDrained()
    const reader = response.body?.getReader()
    for (let bytes = 0; bytes < sent * event.raw.length; bytes += (await reader?.read())?.value?.length ?? 1e9);
    await drained
    sink.end()
  })

  test('that is cut closes the connection at once', async (t) => {
    const opened = Promise.withResolvers<EventSink>()
    const { url } = await serveExchanges(t, (exchange) => opened.resolve(exchange.openEvents()))
    await using client = await openEvents(url)
    const sink = await opened.promise
    while (sink.send(messageEvent(JSON.stringify('x'.repeat(1_000_000)))));
    sink.cut()
    assert.equal(sink.closed.aborted, true)
    while ((await client.next()) !== undefined);
  })
})

suite('an answer on another exchange’s stream', () => {
  test('is accepted with 202, goes there as a message, and only once', async (t) => {
    const stream = new Stream()
    const { url } = await serveExchanges(t, (exchange) => {
      exchange.answerOn(stream)
      exchange.answerOn(new Stream())
      exchange.send({ status: 200, body: '{\n"a": 1}' })
      exchange.send({ status: 200, body: '{"a":2}' })
      exchange.openEvents().send(messageEvent('{"a":3}'))
    })
    assert.equal((await fetch(url, { method: 'POST' })).status, 202)
    assert.deepEqual(stream.got, ['event: message\ndata: {\ndata: "a": 1}\n\n'])
    assert.equal(stream.closed.aborted, false)
  })

  test('of several events goes there as messages alone, and leaves the stream open', async (t) => {
    const stream = new Stream()
    const { url } = await serveExchanges(t, (exchange) => {
      exchange.answerOn(stream)
      const events = exchange.openEvents({ 'Mcp-Session-Id': 's' })
      events.send({ raw: ': note\n\n', data: undefined })
      events.send({ raw: 'event: endpoint\nid: 7\ndata: {}\n\n', data: '{}' })
      events.end()
      events.send(messageEvent('{"late":true}'))
    })
    assert.equal((await fetch(url, { method: 'POST' })).headers.get('mcp-session-id'), null)
    assert.deepEqual(stream.got, [messageEvent('{}').raw])
    assert.equal(stream.closed.aborted, false)
  })

  test('is no longer wanted when that stream closes, and not when the POST’s connection does', async (t) => {
    const stream = new Stream()
    const accepted = Promise.withResolvers<Exchange>()
    const server = await serveExchanges(t, (exchange) => {
      exchange.answerOn(stream)
      accepted.resolve(exchange)
    })
    await send(server, {})
    const { signal } = await accepted.promise
    assert.equal(signal.aborted, false)
    stream.end()
    assert.equal(signal.aborted, true)
  })

  for (const [name, answer] of [
    ['answered', (exchange: Exchange) => exchange.send({ status: 200, body: '{}' })],
    ['answered with events', (exchange: Exchange) => exchange.openEvents().end()],
    ['cancelled', (exchange: Exchange) => exchange.cancel()],
  ] as const) {
    test(`leaves nothing behind on a long stream when it is ${name}`, async (t) => {
      const stream = new Stream()
      const { url } = await serveExchanges(t, (exchange) => {
        exchange.answerOn(stream)
        answer(exchange)
      })
      for (let count = 0; count < 5; count += 1) await fetch(url, { method: 'POST' })
      assert.equal(stream.listeners, 0)
    })
  }
})

suite('a client who takes nothing of an answer that has ended', () => {
  const large = 'x'.repeat(40_000_000) // More than any network takes by itself.
  const ends = [
    { name: 'of one piece', answer: (exchange: Exchange) => exchange.send({ status: 200, body: large }) },
    {
      name: 'of events',
      answer: (exchange: Exchange) => {
        const events = exchange.openEvents()
        events.send(messageEvent(large))
        events.end()
      },
    },
  ]
  for (const { name, answer } of ends) {
    test(`is cut off, ${name}`, { timeout: 30_000 }, async (t) => {
      const server = await serveExchanges(t, answer, { stallMsMax: 20 })
      const client = new RawClient(server)
      client.socket.pause()
      client.write('GET / HTTP/1.1', 'Host: a', '', '')
      await server.closed
      client.socket.resume()
      await client.closed
      assert.match(client.received, /^HTTP\/1\.1 200 /)
      assert.ok(client.received.length < large.length)
    })

    test(`is not, when he takes it in the end, ${name}`, async (t) => {
      const server = await serveExchanges(t, answer, { stallMsMax: 20_000 })
      assert.ok((await send(server, { method: 'GET' })).text.length >= large.length)
    })
  }
})

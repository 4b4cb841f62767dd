import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { Cancellation } from '../egress/cancel-signal.ts'
import { GatewayError } from '../errors.ts'
import { OpenStreams, type OpenStreamsOptions, type StreamTerms } from './open-streams.ts'
import { type EventSink, messageEvent, PING } from './server-events.ts'

/** A reader that writes down what it got. */
class Reader implements EventSink {
  readonly got: string[] = []
  readonly closed = new Cancellation()
  isKeepingUp = true
  wasCut = false
  #drained = Promise.withResolvers<void>()

  send({ raw }: { readonly raw: string }): boolean {
    this.got.push(raw)
    return this.isKeepingUp
  }

  whenDrained(): Promise<void> {
    return this.#drained.promise
  }

  async catchUp(): Promise<void> {
    this.isKeepingUp = true
    this.#drained.resolve()
    await this.#drained.promise
    this.#drained = Promise.withResolvers()
  }

  end(): void {
    this.closed.abort()
  }

  cut(): void {
    this.wasCut = true
    this.closed.abort()
  }
}

const FOREVER = { endsAt: Number.POSITIVE_INFINITY }

/** Streams on a clock of the test's own; `pass` lets time go by and the timer look. */
function start(t: TestContext, options: Partial<OpenStreamsOptions> = {}) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 1_000_000
  const streams = new OpenStreams({ now: () => now, ...options })
  const open = (owner = 'ada', terms: StreamTerms = FOREVER) => {
    const reader = new Reader()
    return { reader, sink: streams.enter(owner).watch(reader, terms) }
  }
  const pass = (ms: number) => {
    now += ms
    t.mock.timers.tick(1000)
  }
  return { streams, open, pass, now: () => now }
}

const isUnavailable = (error: unknown) => error instanceof GatewayError && error.code === 'unavailable'

suite('OpenStreams', () => {
  test('pings a stream that was silent for 15 seconds, and no other (F16)', (t) => {
    const { open, pass } = start(t)
    const silent = open()
    const lively = open()
    pass(10_000)
    lively.sink.send(messageEvent('{}'))
    pass(5_000)
    assert.deepEqual(silent.reader.got, [PING.raw])
    assert.deepEqual(lively.reader.got, [messageEvent('{}').raw])
    pass(14_999)
    assert.deepEqual(silent.reader.got, [PING.raw])
    pass(1)
    assert.deepEqual(silent.reader.got, [PING.raw, PING.raw])
  })

  test('ends each stream with the credential that opened it, with its farewell', (t) => {
    const { open, pass, now } = start(t)
    const farewell = messageEvent('"bye"')
    const short = open('ada', { endsAt: now() + 5_000, farewell })
    const long = open('bob', { endsAt: now() + 6_000 })
    pass(5_000)
    assert.equal(short.reader.closed.aborted, true)
    assert.deepEqual(short.reader.got, [farewell.raw])
    assert.equal(long.reader.closed.aborted, false)
  })

  test('has room for so many in all and so many of one owner, and gets it back at their end', (t) => {
    const { streams, open } = start(t, { streamsMax: 3, streamsOfOneOwnerMax: 2 })
    const first = open('ada')
    open('ada')
    assert.throws(() => streams.enter('ada'), isUnavailable)
    const third = open('bob')
    assert.throws(() => streams.enter('eve'), isUnavailable)
    first.reader.end()
    third.reader.end()
    assert.equal(streams.count, 1)
    open('ada')
    assert.throws(() => streams.enter('ada'), isUnavailable)
    open('eve')
  })

  test('counts a call from its beginning, so that many at once do not slip through', (t) => {
    const { streams } = start(t, { streamsOfOneOwnerMax: 2 })
    const places = [streams.enter('ada'), streams.enter('ada')]
    assert.throws(() => streams.enter('ada'), isUnavailable)
    for (const place of places) {
      place.leave()
      place.leave()
    }
    assert.equal(streams.count, 0)
  })

  test('keeps the place of a call while its stream is open, and no longer', (t) => {
    const { streams } = start(t)
    const reader = new Reader()
    const place = streams.enter('ada')
    place.watch(reader, FOREVER)
    place.leave()
    assert.equal(streams.count, 1)
    reader.end()
    place.leave()
    assert.equal(streams.count, 0)
  })

  test('keeps no place for a reader who had left before', (t) => {
    const { streams } = start(t)
    const reader = new Reader()
    reader.end()
    streams.enter('ada').watch(reader, FOREVER)
    assert.equal(streams.count, 0)
  })

  test('waits for a reader who lags behind, and sends him no pings meanwhile', async (t) => {
    const { open, pass } = start(t, { lagMsMax: 60_000 })
    const { reader, sink } = open()
    reader.isKeepingUp = false
    assert.equal(sink.send(messageEvent('{}')), false)
    pass(59_999)
    assert.equal(reader.closed.aborted, false)
    assert.equal(reader.got.length, 1)
    await reader.catchUp()
    pass(1)
    pass(15_000)
    assert.equal(reader.closed.aborted, false)
    assert.deepEqual(reader.got.slice(1), [PING.raw, PING.raw])
  })

  test('cuts off a reader who takes nothing for too long, however much there is to say', (t) => {
    const { open, pass } = start(t, { lagMsMax: 60_000 })
    const { reader, sink } = open()
    reader.isKeepingUp = false
    for (let seconds = 0; seconds <= 60; seconds += 10) {
      sink.send(messageEvent('{}'))
      if (seconds < 60) pass(10_000)
    }
    assert.equal(reader.wasCut, true)
  })

  test('ends them all when it closes, except answers that end by themselves, and takes no more', (t) => {
    const { streams, open } = start(t)
    const farewell = messageEvent('"bye"')
    const listening = open('ada', { ...FOREVER, farewell })
    const answering = open('ada', { ...FOREVER, isAnswer: true })
    const late = streams.enter('bob')
    streams.close()
    assert.deepEqual(listening.reader.got, [farewell.raw])
    assert.equal(listening.reader.closed.aborted, true)
    assert.equal(answering.reader.closed.aborted, false)
    const reader = new Reader()
    late.watch(reader, FOREVER)
    assert.equal(reader.closed.aborted, true)
    assert.throws(() => streams.enter('bob'), isUnavailable)
    answering.reader.end()
    assert.equal(streams.count, 0)
  })
})

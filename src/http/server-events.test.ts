import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { EventReader, hasEventId, messageEvent, type ServerEvent, withData } from './server-events.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The events of these pieces; a line end that was cut in two may lose its second half, so the ends are not compared. */
function readAll(pieces: readonly Uint8Array[], charactersMax = 1_000_000): readonly ServerEvent[] {
  const reader = new EventReader(charactersMax)
  return pieces.flatMap((piece) => {
    const events = reader.read(piece)
    assert.ok(events !== undefined, 'too long')
    return events.map(({ raw, data }) => ({ raw: raw.replace(/[\r\n]+$/, ''), data }))
  })
}

function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

/** The data of a stream as the standard has it: line by line, dispatched at each empty line (WHATWG HTML §9.2.6). */
function dataByTheStandard(text: string): readonly string[] {
  const dispatched: string[] = []
  let data: string[] = []
  // What follows the last line end is no line.
  for (const line of text.split(/\r\n|\n|\r/).slice(0, -1)) {
    const [, value] = /^data(?:: ?([\s\S]*))?$/.exec(line) ?? []
    if (/^data(:|$)/.test(line)) data.push(value ?? '')
    if (line !== '' || data.length === 0) continue
    dispatched.push(data.join('\n'))
    data = []
  }
  return dispatched
}

const lineEnd = fc.constantFrom('\n', '\r', '\r\n')
const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    'data',
    'data:',
    'data: {"a":1}',
    'data:  two',
    'id: 7',
    'event: message',
    ': ping',
    'dataset: x',
  ),
  fc.string({ unit: 'binary' }).map((text) => `data: ${text.replaceAll(/[\r\n\uFEFF]/g, '')}`),
  fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n\uFEFF]/g, '')),
)
const stream = fc.array(fc.tuple(line, lineEnd)).map((lines) => lines.flat().join(''))

suite('EventReader', () => {
  test('reads the same events however the bytes are cut, characters and line ends too', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (text, places) => {
        const bytes = bytesOf(text)
        assert.deepEqual(readAll(cut(bytes, places)), readAll([bytes]))
        assert.deepEqual(readAll(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))), readAll([bytes]))
      }),
    )
  })

  test('reads the data that the standard says', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (text, places) => {
        const data = readAll(cut(bytesOf(text), places)).flatMap((event) => event.data ?? [])
        assert.deepEqual(data, dataByTheStandard(text))
      }),
    )
  })

  test('takes any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.array(fc.nat()), (bytes, places) => {
        assert.deepEqual(readAll(cut(bytes, places)), readAll([bytes]))
      }),
    )
  })

  test('keeps the block as it came', () => {
    const raw = ': note\r\nid: 7\nretry: 5\revent: x\ndata: a\ndata\ndata:b\n\n'
    assert.deepEqual(new EventReader(1000).read(bytesOf(raw)), [{ raw, data: 'a\n\nb' }])
  })

  const last = 'data: a\n\n'
  for (const [name, pieces] of [
    ['in one piece', [`${'x'.repeat(40)}\n\n${last}`]],
    ['in pieces', ['x'.repeat(20), 'x'.repeat(20), `\n\n${last}`]],
    ['that never ends', ['x'.repeat(41)]],
  ] as const) {
    test(`refuses an event that is too long, ${name}`, () => {
      const reader = new EventReader(40)
      assert.ok(pieces.map((piece) => reader.read(bytesOf(piece))).includes(undefined))
    })
  }

  test('takes many short events of more than the limit together', () => {
    assert.equal(readAll([bytesOf(last.repeat(100))], 40).length, 100)
  })

  test('looks at each byte once: a long event in small pieces costs no more than in one', () => {
    const reader = new EventReader(20_000_000)
    const piece = bytesOf('x'.repeat(100))
    const startedAt = performance.now()
    for (let count = 0; count < 100_000; count += 1) reader.read(piece)
    // Joined and searched again for each piece it took minutes.
    assert.ok(performance.now() - startedAt < 5_000)
    assert.equal(reader.read(bytesOf('\n\n'))?.[0]?.raw.length, 10_000_002)
  })
})

suite('an event', () => {
  test('of a message in several lines says each as data', () => {
    const json = '{\n  "a": 1,\r\n  "b": 2\r}'
    const { raw } = messageEvent(json)
    assert.deepEqual(readAll([bytesOf(raw)])[0]?.data, json.replaceAll(/\r\n|\r/g, '\n'))
    assert.equal(messageEvent('{}').raw, 'event: message\ndata: {}\n\n')
  })

  test('with other data keeps its other lines', () => {
    const raw = 'id: 7\r\nevent: message\r\ndata: {"a":\r\ndata: 1}\r\nretry: 5\r\n\r\n'
    assert.deepEqual(withData({ raw, data: '{"a":\n1}' }, '{}'), {
      raw: 'id: 7\nevent: message\nretry: 5\ndata: {}\n\n',
      data: '{}',
    })
  })

  test('has an id only in a line of its own', () => {
    const has = (raw: string) => hasEventId({ raw, data: undefined })
    assert.deepEqual(['id: 1\n\n', 'data: x\rid:1\r\r', 'data: x\nid: 1\n\n'].map(has), [true, true, true])
    assert.deepEqual(['data: id: 1\n\n', 'data: "\u2028id: 1"\n\n', 'ids: 1\n\n'].map(has), [false, false, false])
  })
})

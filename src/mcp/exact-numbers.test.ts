import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { parseExactly } from './exact-numbers.ts'

suite('parseExactly', () => {
  const cases = [
    { name: 'an id of 64 bits', text: '{"id":9007199254740993}', gives: { id: 9007199254740993n } },
    { name: 'a negative one', text: '[ -9223372036854775808 ]', gives: [-9223372036854775808n] },
    { name: 'one alone', text: '18446744073709551615', gives: 18446744073709551615n },
    { name: 'one that JavaScript writes as it stood', text: '[1764441600000000000]', gives: [1764441600000000000] },
    { name: 'one in a text', text: '{"a":": 9007199254740993,"}', gives: { a: ': 9007199254740993,' } },
    {
      name: 'one in a text behind a quotation mark',
      text: '["\\",9007199254740993,\\\\",9007199254740993]',
      gives: ['",9007199254740993,\\', 9007199254740993n],
    },
    { name: 'one in a name', text: '{"9007199254740993":1}', gives: { '9007199254740993': 1 } },
    { name: 'digits of a fraction', text: '[0.1234567890123456789]', gives: [0.12345678901234568] },
    { name: 'digits before a fraction', text: '[12345678901234567890.5]', gives: [12345678901234567000] },
    { name: 'digits before an exponent', text: '[12345678901234567891e1]', gives: [123456789012345680000] },
    { name: 'what is no id', text: `[${'9'.repeat(500)}]`, gives: [Number.POSITIVE_INFINITY] },
  ] as const
  for (const { name, text, gives } of cases) test(name, () => assert.deepEqual(parseExactly(text), gives))

  test('gives every JSON value as it was written', () => {
    const whole = fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n })
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        ...[whole, whole.map(String), fc.string(), fc.double(), fc.boolean(), fc.constant(null)],
        ...[fc.array(tie('tree')), fc.dictionary(fc.oneof(fc.string(), whole.map(String)), tie('tree'))],
      ),
    }))
    const written = (_name: string, value: unknown) => (typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value)
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, written, indent)
        assert.equal(JSON.stringify(parseExactly(text), written, indent), text)
      }),
    )
  })

  test('no name is more than a name', () => {
    const value = parseExactly('{"__proto__":{"a":9007199254740993},"b":{"__proto__":9007199254740993}}')
    assert.equal(Reflect.get({}, 'a'), undefined)
    assert.deepEqual(Object.entries(Object(value)), [
      ['__proto__', { a: 9007199254740993n }],
      ['b', JSON.parse('{"__proto__":0}', (name, one: unknown) => (name === '__proto__' ? 9007199254740993n : one))],
    ])
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { parseRpcMessage, rpcResult } from './json-rpc.ts'

const REQUEST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

function codeOf(text: string): string {
  try {
    return parseRpcMessage(text).kind
  } catch (error) {
    assert.ok(error instanceof GatewayError)
    assert.doesNotMatch(error.message, /CANARY/)
    return error.code
  }
}

suite('parseRpcMessage', () => {
  const texts = [
    ['nothing', '', 'parse_error'],
    ['no JSON', '{CANARY}', 'parse_error'],
    ['JSON with something behind it', '{}CANARY', 'parse_error'],
    ['two messages', '{}\n{}', 'parse_error'],
    ['a byte order mark', `\ufeff${JSON.stringify(REQUEST)}`, 'parse_error'],
    ['NaN', '{"id":NaN}', 'parse_error'],
    ['a text', '"CANARY"', 'invalid_message'],
    ['null', 'null', 'invalid_message'],
    ['an empty batch', '[]', 'invalid_message'],
    ['a batch', `[${JSON.stringify(REQUEST)}]`, 'invalid_message'],
    [
      'an id that cannot be repeated exactly',
      '{"jsonrpc":"2.0","id":12345678901234567890,"method":"a"}',
      'invalid_message',
    ],
  ] as const
  for (const [name, text, expected] of texts) test(`${name}: ${expected}`, () => assert.equal(codeOf(text), expected))

  const messages = [
    ['a request', {}, 'request'],
    ['an id that is a text', { id: 'a' }, 'request'],
    ['an id that is an empty text', { id: '' }, 'request'],
    ['an id that is zero', { id: 0 }, 'request'],
    ['an id below zero', { id: -1 }, 'request'],
    ['no id', { id: undefined }, 'notification'],
    ['an id that is null', { id: null }, 'invalid_message'],
    ['an id that is a fraction', { id: 1.5 }, 'invalid_message'],
    ['an id that is an object', { id: { a: 'CANARY' } }, 'invalid_message'],
    ['an id that is a list', { id: [1] }, 'invalid_message'],
    ['an id that is true', { id: true }, 'invalid_message'],
    ['another version', { jsonrpc: '1.0' }, 'invalid_message'],
    ['a version that is a number', { jsonrpc: 2 }, 'invalid_message'],
    ['no version', { jsonrpc: undefined }, 'invalid_message'],
    ['a method that is a number', { method: 1 }, 'invalid_message'],
    ['a method that is null', { method: null }, 'invalid_message'],
    ['params in a list', { params: ['CANARY'] }, 'invalid_message'],
    ['params that are null', { params: null }, 'invalid_message'],
    ['params that are a text', { params: 'CANARY' }, 'invalid_message'],
    ['neither method nor result', { method: undefined }, 'invalid_message'],
    ['a result', { method: undefined, result: null }, 'response'],
    ['an error', { method: undefined, error: { code: 1 } }, 'response'],
  ] as const
  for (const [name, changed, expected] of messages) {
    test(`${name}: ${expected}`, () => assert.equal(codeOf(JSON.stringify({ ...REQUEST, ...changed })), expected))
  }

  test('gives a request its params, and an empty object where there are none', () => {
    assert.deepEqual(parseRpcMessage(JSON.stringify(REQUEST)), {
      kind: 'request',
      id: 1,
      method: 'tools/list',
      params: {},
    })
  })

  test('a member named __proto__ is a member and nothing else', () => {
    const parsed = parseRpcMessage('{"jsonrpc":"2.0","id":1,"method":"a","params":{"__proto__":{"polluted":true}}}')
    assert.ok(parsed.kind === 'request')
    assert.equal(parsed.params['polluted'], undefined)
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })
})

test('rpcResult repeats any id exactly', () => {
  const id = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger())
  fc.assert(
    fc.property(id, (given) => {
      const parsed: unknown = JSON.parse(rpcResult(given, '{"a":1}'))
      assert.deepEqual(parsed, { jsonrpc: '2.0', id: Object.is(given, -0) ? 0 : given, result: { a: 1 } })
    }),
  )
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { checkUnambiguous } from './unambiguous.ts'

function isRefused(text: string): boolean {
  try {
    checkUnambiguous(text)
    return false
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'invalid_message', String(error))
    return true
  }
}

const call = (params: string, more = '') => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}${more}}`

suite('checkUnambiguous refuses', () => {
  const cases = [
    ['a name twice', call('{"name":"open","name":"hidden"}')],
    ['a name twice, with other members between', call('{"name":"open","arguments":{"name":"x"},"name":"hidden"}')],
    ['a name twice, once in escapes', call('{"name":"open","n\\u0061me":"hidden"}')],
    ['a name in capitals', call('{"NAME":"hidden"}')],
    ['a name and one in capitals', call('{"name":"open","Name":"hidden"}')],
    ['a name that ends at a NUL', call('{"name":"open","name\\u0000x":"hidden"}')],
    ['arguments twice', call('{"name":"open","arguments":{},"arguments":{"a":1}}')],
    ['arguments with a long s', call('{"name":"open","argument\u017f":{"a":1}}')],
    ['a URI twice', '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","uri":"c:d"}}'],
    ['params twice', call('{"name":"open"}', ',"params":{"name":"hidden"}')],
    ['params and Params', call('{"name":"open"}', ',"Params":{"name":"hidden"}')],
    ['a method twice', call('{"name":"open"}', ',"method":"tools/list"')],
    ['METHOD', call('{"name":"open"}', ',"METHOD":"tools/list"')],
    ['an id twice', call('{"name":"open"}', ',"id":2')],
    ['an id and ID', call('{"name":"open"}', ',"ID":2')],
    ['jsonrpc twice', call('{"name":"open"}', ',"jsonrpc":"1.0"')],
    ['a response that is a call too', '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"}'],
    ['spaces and line ends between', ' {\n "id" : 1 ,\r\n"method" : "a",\t"method"\n:"b" } '],
    ['a name after a text with a bracket and a backslash', call('{"title":"}\\\\","name":"a","b":"\\"{","name":"b"}')],
  ] as const
  for (const [name, text] of cases) {
    test(name, () => {
      JSON.parse(text)
      assert.equal(isRefused(text), true)
    })
  }
})

suite('checkUnambiguous passes', () => {
  const cases = [
    [
      'a call whose arguments have any names',
      call('{"name":"a","arguments":{"name":1,"NAME":2,"id":3,"id":4,"Method":5}}'),
    ],
    [
      'a call with the envelope of 2026-07-28',
      call('{"name":"a","arguments":{},"_meta":{"name":"x","Name":"y","id":1}}'),
    ],
    ['members that nobody decides by', call('{"name":"a","x":1,"x":2,"X":3}', ',"extra":1,"extra":2')],
    ['values that read like names', call('{"name":"name","arguments":{},"list":["name","name","NAME"]}')],
    ['a response', '{"jsonrpc":"2.0","id":1,"result":{"name":"a","Name":"b","content":[{"name":"c"}]}}'],
    ['a list of params', '{"jsonrpc":"2.0","method":"notifications/x","params":["name","name",{"name":1,"NAME":2}]}'],
    [
      'initialize',
      '{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}},"jsonrpc":"2.0","id":0}',
    ],
    [
      'a completion',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}}}',
    ],
    [
      'texts with quotes, backslashes and brackets',
      call('{"name":"a","arguments":{"t":"\\\\\\"}],{\\u007b","u":"\\\\"}}'),
    ],
  ] as const
  for (const [name, text] of cases) {
    test(name, () => {
      JSON.parse(text)
      assert.equal(isRefused(text), false)
    })
  }

  test('an argument of many megabytes', () => {
    // An expression that matched whole texts ran out of stack here.
    for (const text of ['x', '\\\\', '"', '\\"{']) {
      checkUnambiguous(call(JSON.stringify({ name: 'a', arguments: { text: text.repeat(10_000_000 / text.length) } })))
    }
  })

  test('every message that JSON.stringify writes', () => {
    const member = fc.string().filter((name) => !['jsonrpc', 'id', 'method', 'params'].includes(name.toLowerCase()))
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), fc.dictionary(member, fc.jsonValue()), (args, name, more) => {
        const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args }, ...more }
        for (const space of [0, 2]) {
          const text = JSON.stringify(message, null, space)
          assert.equal(isRefused(text), ambiguousByParsing(text), text)
        }
      }),
    )
  })

  test('nothing that another parser reads in another way', () => {
    const name = fc.constantFrom('name', 'NAME', 'nam\\u0065', 'uri', 'x', 'arguments', 'Arguments', 'params')
    const value = fc.constantFrom(
      '"a"',
      '"b"',
      '"name"',
      '{"name":"c","name":"d"}',
      '[{"name":1}]',
      '1',
      '"\\",\\"name\\":\\"e"',
    )
    const params = fc
      .array(fc.tuple(name, value))
      .map((all) => `{${all.map(([key, of]) => `"${key}":${of}`).join(',')}}`)
    const outer = fc.constantFrom('method', 'Method', 'id', 'ID', 'i\\u0064', 'params', 'PARAMS', 'x')
    const message = fc
      .array(fc.tuple(outer, fc.oneof(value, params)))
      .map((all) => `{${all.map(([key, of]) => `"${key}":${of}`).join(',')}}`)
    fc.assert(
      fc.property(message, (text) => {
        if (isRefused(text)) return
        const [last, first, folded] = [readLast(text), readFirst(text), readFolded(text)]
        assert.deepEqual(first, last, text)
        assert.deepEqual(folded, last, text)
      }),
      { numRuns: 2000 },
    )
  })
})

/** A message as a list of members, so that a parser of any manners can be made of it. */
type Members = readonly (readonly [string, unknown])[]

/** Reads objects as lists of members; nothing here uses `checkUnambiguous`'s own scanner. */
function membersOf(text: string): { readonly own: Members; readonly params: (value: unknown) => Members } {
  const objects = new Map<string, Members>()
  let rest = text
  let count = 0
  // From the inside out: each innermost object becomes a text that stands for it.
  const texts: string[] = []
  rest = rest.replace(/"(?:[^"\\]|\\.)*"/g, (found) => `"t${texts.push(found) - 1}"`)
  for (let found = /\{[^{}]*\}/.exec(rest); found !== null; found = /\{[^{}]*\}/.exec(rest)) {
    const inside = found[0].slice(1, -1)
    const members = inside === '' ? [] : splitMembers(inside, texts)
    const stand = `"o${count}"`
    count += 1
    objects.set(stand, members)
    rest = rest.slice(0, found.index) + stand + rest.slice(found.index + found[0].length)
  }
  return { own: objects.get(rest) ?? [], params: (value) => objects.get(String(value)) ?? [] }
}

function splitMembers(inside: string, texts: readonly string[]): Members {
  const parts = inside.replace(/\[[^\]]*\]/g, '"list"').split(',')
  return parts.map((part) => {
    const [, place = '', value = ''] = /^"t(\d+)":(.*)$/.exec(part) ?? []
    const text = /^"t(\d+)"$/.exec(value)
    const named: unknown = JSON.parse(texts[Number(place)] ?? '""')
    return [String(named), text === null ? value : texts[Number(text[1])]] as const
  })
}

type Pick = (members: Members, name: string) => unknown

function read(text: string, pick: Pick): unknown {
  const { own, params } = membersOf(text)
  const inside = params(pick(own, 'params'))
  return [pick(own, 'method'), pick(own, 'id'), pick(inside, 'name'), pick(inside, 'uri')]
}

const readLast = (text: string) => read(text, (members, name) => members.findLast(([key]) => key === name)?.[1])
const readFirst = (text: string) => read(text, (members, name) => members.find(([key]) => key === name)?.[1])
const readFolded = (text: string) =>
  read(text, (members, name) => members.findLast(([key]) => key.toLowerCase() === name)?.[1])

/** `JSON.stringify` writes no member twice, so only capitals are left to refuse. */
function ambiguousByParsing(text: string): boolean {
  const message: unknown = JSON.parse(text)
  const names = typeof message === 'object' && message !== null ? Object.keys(message) : []
  const fold = (name: string) =>
    name
      .replace(/\0[\s\S]*$/, '')
      .toUpperCase()
      .toLowerCase()
  return names.some((name) => ['jsonrpc', 'id', 'method', 'params'].includes(fold(name)) && name !== fold(name))
}

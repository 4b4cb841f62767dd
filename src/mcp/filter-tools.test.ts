import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { filterTools } from './filter-tools.ts'

const list = (...names: readonly unknown[]) => ({
  jsonrpc: '2.0',
  id: 1,
  result: { tools: names.map((name) => ({ name })) },
})
const isOpen = (name: string) => name.startsWith('open')
const view = { isVisible: isOpen, isToolsOnly: false } as const

suite('filterTools', () => {
  const cases = [
    ['takes out what the caller may not see', list('open_a', 'shut', 'open_b'), list('open_a', 'open_b')],
    ['takes out tools without a name', list('open', undefined, 1, null), list('open')],
    ['looks into every message of a batch', [list('shut'), list('open')], [list(), list('open')]],
    [
      'keeps everything else of the answer',
      { jsonrpc: '2.0', id: 'a', result: { nextCursor: 'n', tools: [{ name: 'shut' }], _meta: { x: 1 } } },
      { jsonrpc: '2.0', id: 'a', result: { nextCursor: 'n', tools: [], _meta: { x: 1 } } },
    ],
  ] as const
  for (const [name, given, shown] of cases) {
    test(name, () => assert.equal(filterTools(JSON.stringify(given), view), JSON.stringify(shown)))
  }

  const unchanged = [
    ['a list with nothing to hide', ' {"result" : {"tools":[{"name":"open", "max": 9223372036854775807}]}}\n'],
    ['a message without tools', '{"method":"x","params":{"tools":[{"name":"shut"}]}}'],
    ['a result whose tools are no list', '{"result":{"tools":{"name":"shut"}}}'],
    ['an error', '{"error":{"code":1,"data":{"tools":[{"name":"shut"}]}}}'],
    ['a text', '"shut"'],
  ] as const
  for (const [name, text] of unchanged)
    test(`leaves ${name} as it came`, () => assert.equal(filterTools(text, view), text))

  test('gives nothing for what is no JSON', () => assert.equal(filterTools('{"result":', view), undefined))

  suite('for whom nothing but tools is', () => {
    const toolsOnly = { ...view, isToolsOnly: true } as const
    const hello = (capabilities: object) =>
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        result: { protocolVersion: '2025-11-25', capabilities, instructions: 'x' },
      })

    test('takes out of a hello what else the server can', () => {
      const given = hello({ logging: {}, tools: { listChanged: true }, prompts: {}, tasks: { list: {} } })
      assert.equal(filterTools(given, toolsOnly), hello({ tools: { listChanged: true } }))
      assert.equal(filterTools(hello({ prompts: {} }), toolsOnly), hello({}))
      assert.equal(filterTools(given, view), given)
    })

    test('leaves a hello of tools as it came', () => {
      const given = ` ${hello({ tools: {} })}`
      assert.equal(filterTools(given, toolsOnly), given)
    })
  })

  test('rounds no number of a list that it shortens', () => {
    const schema = '{"maximum":9223372036854775807,"minimum":-0.10,"multipleOf":1e400}'
    const text = `{"result":{"tools":[{"name":"open","inputSchema":${schema}},{"name":"shut"}]}}`
    assert.equal(filterTools(text, view), `{"result":{"tools":[{"name":"open","inputSchema":${schema}}]}}`)
  })

  test('never shows a name that is not visible, whatever surrounds it', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.dictionary(fc.string(), fc.jsonValue()), (names, more) => {
        const shown: unknown = JSON.parse(filterTools(JSON.stringify({ ...more, ...list(...names) }), view) ?? '')
        assert.deepEqual(shown, JSON.parse(JSON.stringify({ ...more, ...list(...names.filter(isOpen)) })))
      }),
    )
  })
})

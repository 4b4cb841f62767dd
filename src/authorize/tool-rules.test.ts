import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ALL_TOOLS, decideTool, type ToolRules } from './tool-rules.ts'

const anybody = { kind: 'anonymous', scopes: new Set<string>() } as const
const local = { kind: 'local', scopes: new Set<string>() } as const
const caller = (...scopes: readonly string[]) => ({ kind: 'jwt', scopes: new Set(scopes) }) as const

const rules: ToolRules = {
  offered: new Set(['hello', 'read', 'write']),
  publicTools: new Set(['hello', 'gone']),
  scopes: new Map([
    ['write', ['items:write', 'items:audit']],
    ['hello', ['never']],
  ]),
}
const terms = { required: ['mcp'], isOpenToAll: false }
const allowed = { allowed: true }
const unknown = { allowed: false, reason: 'unknown' }
const missingToken = { allowed: false, reason: 'missing_token' }
const lacks = (...scopes: readonly string[]) => ({ allowed: false, reason: 'insufficient_scope', scopes })

suite('decideTool', () => {
  const cases = [
    ['a public tool is for everybody', anybody, 'hello', allowed],
    ['a public tool asks no scope of a caller either', caller(), 'hello', allowed],
    ['a tool that is public but not offered is nobody’s', anybody, 'gone', unknown],
    ['a tool that is not offered is nobody’s, whatever his scopes', caller('mcp', 'admin'), 'drop', unknown],
    ['a tool that is not offered is not the local process’s either', local, 'drop', unknown],
    ['any other tool needs a token', anybody, 'read', missingToken],
    ['a caller needs the scopes of every call', caller(), 'read', lacks('mcp')],
    ['a caller with those may call', caller('mcp'), 'read', allowed],
    [
      'a tool’s own scopes are asked for besides, all of them',
      caller('mcp'),
      'write',
      lacks('mcp', 'items:write', 'items:audit'),
    ],
    ['one of two is not enough', caller('mcp', 'items:write'), 'write', lacks('mcp', 'items:write', 'items:audit')],
    [
      'the tool’s scopes without those of every call are not enough',
      caller('items:write', 'items:audit'),
      'write',
      lacks('mcp', 'items:write', 'items:audit'),
    ],
    ['a caller with all of them may call', caller('mcp', 'items:write', 'items:audit'), 'write', allowed],
    ['the local process needs none', local, 'write', allowed],
    ['names are exact: another case', caller('mcp'), 'Write', unknown],
    ['names are exact: a space', anybody, 'hello ', unknown],
    ['names are exact: a NUL', anybody, 'hello\u0000', unknown],
    ['no name of the prototype is a tool', caller('mcp'), '__proto__', unknown],
  ] as const
  for (const [name, who, tool, decision] of cases) {
    test(name, () => assert.deepEqual(decideTool(rules, who, tool, terms), decision))
  }

  test('a scope that both ask for is named once', () => {
    const twice = { ...rules, scopes: new Map([['read', ['mcp', 'more']]]) }
    assert.deepEqual(decideTool(twice, caller(), 'read', terms), lacks('mcp', 'more'))
  })

  test('where nobody is asked who he is, every tool that is offered is for all', () => {
    const open = { required: [], isOpenToAll: true }
    assert.deepEqual(decideTool(rules, anybody, 'write', open), allowed)
    assert.deepEqual(decideTool(rules, anybody, 'drop', open), unknown)
  })

  test('without rules every tool is for every caller, and for nobody else', () => {
    assert.deepEqual(decideTool(ALL_TOOLS, caller('mcp'), 'any', terms), allowed)
    assert.deepEqual(decideTool(ALL_TOOLS, anybody, 'any', terms), missingToken)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { anonymous as anybody, localCaller as local } from '../identify/caller.ts'
import { accessSettings, GUARDED } from '../workspaces/access-settings.ts'
import { callerWith } from './access.test-support.ts'
import { compileAccess } from './compile-access.ts'
import { decideTool, type Terms } from './tool-rules.ts'

const caller = (...scopes: readonly string[]) => callerWith(scopes)
const offered = ['hello', 'read', 'write', 'both']

const rules = rulesOf({
  publicTools: ['hello', 'gone', 'both'],
  toolScopes: { write: ['items:write', 'items:audit'], both: ['more'] },
})
const terms = { required: ['mcp'], isOpenToAll: false }

function rulesOf(access: object) {
  return compileAccess(accessSettings.parse(access), { kind: 'server', offered })
}

function decide(given: Terms['rules'], who: typeof anybody, name: string, more: Omit<Terms, 'rules'>) {
  return decideTool(who, { name, args: undefined }, { rules: given, ...more })
}

const allowed = { allowed: true }
const unknown = { allowed: false, reason: 'unknown' }
const missingToken = { allowed: false, reason: 'missing_token' }
const lacks = (...scopes: readonly string[]) => ({ allowed: false, reason: 'insufficient_scope', scopes })

suite('decideTool', () => {
  const cases = [
    ['a public tool is for everybody', anybody, 'hello', allowed],
    ['a public tool asks no scope of a caller either', caller(), 'hello', allowed],
    ['a tool that is public but not offered is nobody’s', anybody, 'gone', missingToken],
    ['nor a caller’s', caller('mcp'), 'gone', unknown],
    ['a tool with scopes is not public', anybody, 'both', missingToken],
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
    ['names are exact: a space', anybody, 'hello ', missingToken],
    ['names are exact: a NUL', anybody, 'hello\u0000', missingToken],
    ['no name of the prototype is a tool', caller('mcp'), '__proto__', unknown],
  ] as const
  for (const [name, who, tool, decision] of cases) {
    test(name, () => assert.deepEqual(decide(rules, who, tool, terms), decision))
  }

  test('a scope that both ask for is named once', () => {
    const twice = rulesOf({ toolScopes: { read: ['mcp', 'more'] } })
    assert.deepEqual(decide(twice, caller(), 'read', terms), lacks('mcp', 'more'))
  })

  test('where nobody is asked who he is, every tool that is offered is for all', () => {
    const open = { required: [], isOpenToAll: true }
    assert.deepEqual(decide(rules, anybody, 'write', open), allowed)
    assert.deepEqual(decide(rules, anybody, 'drop', open), unknown)
  })

  test('without rules every tool is for every caller, and for nobody else', () => {
    const all = compileAccess(GUARDED, { kind: 'server', offered: undefined })
    assert.deepEqual(decide(all, caller('mcp'), 'any', terms), allowed)
    assert.deepEqual(decide(all, anybody, 'any', terms), missingToken)
  })
})

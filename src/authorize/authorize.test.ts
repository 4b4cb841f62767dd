import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { anonymous, type Caller, localCaller } from '../identify/caller.ts'
import { accessSettings, GUARDED } from '../workspaces/access-settings.ts'
import { authorize, toolFilter, type Wish } from './authorize.ts'
import { compileAccess } from './compile-access.ts'
import type { Terms } from './tool-rules.ts'

const caller = (...scopes: readonly string[]): Caller => ({
  ...anonymous,
  kind: 'jwt',
  subject: 'ada',
  scopes: new Set(scopes),
})
const access = accessSettings.parse({ publicTools: ['hello'], toolScopes: { write: ['w'] } })
const terms: Terms = {
  rules: compileAccess(access, { kind: 'server', offered: ['hello', 'write'] }),
  required: ['mcp'],
  isOpenToAll: false,
}
const greeting: Wish = { kind: 'greeting' }
const other: Wish = { kind: 'other' }
const tool = (name: string): Wish => ({ kind: 'tool', name, args: { value: {} } })

function outcome(who: Caller, wish: Wish, given: Terms): string {
  try {
    authorize(who, wish, given)
    return 'allowed'
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    return `${error.code} ${error.detail.scopes?.join(' ') ?? ''}`.trim()
  }
}

suite('authorize', () => {
  const cases = [
    ['lets anybody say hello where tools are public', anonymous, greeting, 'allowed'],
    ['lets anybody call those', anonymous, tool('hello'), 'allowed'],
    ['asks for a token for every other tool', anonymous, tool('write'), 'missing_token'],
    ['asks for a token for everything else', anonymous, other, 'missing_token'],
    ['tells a stranger the same of a tool that is not offered', anonymous, tool('drop'), 'missing_token'],
    ['tells a caller of none that is not offered', caller('mcp'), tool('drop'), 'invalid_params'],
    ['asks the scopes of every call for a greeting too', caller(), greeting, 'insufficient_scope mcp'],
    ['asks them for everything else', caller(), other, 'insufficient_scope mcp'],
    ['passes a caller who has them', caller('mcp'), other, 'allowed'],
    ['names every scope that the tool needs', caller('mcp'), tool('write'), 'insufficient_scope mcp w'],
    ['passes a caller who has those too', caller('mcp', 'w'), tool('write'), 'allowed'],
  ] as const
  for (const [name, who, wish, expected] of cases) test(name, () => assert.equal(outcome(who, wish, terms), expected))

  test('asks nobody where everybody may call', () => {
    const open = { ...terms, required: [], isOpenToAll: true }
    for (const wish of [greeting, other, tool('write')]) assert.equal(outcome(anonymous, wish, open), 'allowed')
    assert.equal(outcome(anonymous, tool('drop'), open), 'invalid_params')
  })

  test('says the same of a tool that is not offered and of one that never was, cut to 100 characters', () => {
    const name = 'x'.repeat(200)
    assert.throws(() => authorize(caller('mcp'), tool(name), terms), { message: `Unknown tool: ${name.slice(0, 100)}` })
  })
})

suite('toolFilter shows', () => {
  const seen = (who: Caller, given: Terms) => {
    const isVisible = toolFilter(who, given)
    return ['hello', 'write', 'drop'].filter((name) => isVisible === undefined || isVisible(name))
  }
  test('just what the caller may call', () => {
    assert.deepEqual(seen(anonymous, terms), ['hello'])
    assert.deepEqual(seen(caller('mcp'), terms), ['hello'])
    assert.deepEqual(seen(caller('mcp', 'w'), terms), ['hello', 'write'])
    assert.deepEqual(seen(localCaller, terms), ['hello', 'write'])
  })

  test('everything where nothing is hidden from anybody, without a look at the list', () => {
    const all = { ...terms, rules: compileAccess(GUARDED, { kind: 'server', offered: undefined }) }
    assert.equal(toolFilter(caller('mcp'), all), undefined)
    assert.equal(toolFilter(localCaller, all), undefined)
    assert.equal(toolFilter(anonymous, { ...all, isOpenToAll: true }), undefined)
    assert.deepEqual(seen(anonymous, all), [])
  })

  test('only the public ones to anybody, also where scopes are all that hides', () => {
    const scoped = { ...terms, rules: { ...terms.rules, offered: undefined } }
    assert.deepEqual(seen(anonymous, scoped), ['hello'])
    assert.deepEqual(seen(caller('mcp'), scoped), ['hello', 'drop'])
  })
})

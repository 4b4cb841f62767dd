import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { anonymous, localCaller } from '../identify/caller.ts'
import { accessSettings } from '../workspaces/access-settings.ts'
import { anyAccess, anyCaller, anyTools, callerWith, toolNamed } from './access.test-support.ts'
import { authorize, toolFilter } from './authorize.ts'
import { compileAccess, unknownNames } from './compile-access.ts'
import { decideTool, type Terms } from './tool-rules.ts'

const TOOLS = [
  toolNamed('ping', { isMarkedPublic: true }),
  toolNamed('billing_pay', { categories: ['money'] }),
  toolNamed('billing_list', { categories: ['money', 'open'] }),
  toolNamed('users_delete'),
]

function termsOf(access: object, { required = [] as readonly string[], isOpenToAll = false } = {}): Terms {
  return {
    rules: compileAccess(accessSettings.parse(access), { kind: 'document', tools: TOOLS }),
    required,
    isOpenToAll,
  }
}

function listedFor(caller: typeof anonymous, terms: Terms): readonly string[] {
  const isVisible = toolFilter(caller, terms) ?? (() => true)
  return TOOLS.map(({ name }) => name).filter(isVisible)
}

suite('public tools', () => {
  const cases: readonly { readonly name: string; readonly access: object; readonly open: readonly string[] }[] = [
    { name: 'are none by default', access: {}, open: [] },
    { name: 'are those that are named (G2)', access: { publicTools: ['ping'] }, open: ['ping'] },
    { name: 'are those that are marked, with default (G3)', access: { publicTools: 'default' }, open: ['ping'] },
    { name: 'a mark alone opens nothing', access: { publicTools: ['users_delete'] }, open: ['users_delete'] },
    {
      name: 'are those of a category (G3)',
      access: { publicCategories: ['money'] },
      open: ['billing_pay', 'billing_list'],
    },
    {
      name: 'are not those that are denied (G3)',
      access: { publicCategories: ['money'], denyPublicTools: ['Billing_Pay'] },
      open: ['billing_list'],
    },
    {
      name: 'are only those of a namespace, where some are listed (G3)',
      access: {
        publicTools: ['ping', 'billing_pay', 'users_delete'],
        namespaceWhitelist: ['billing', 'users_del'],
      },
      open: ['billing_pay'],
    },
    { name: 'are none by a namespace alone (G3)', access: { namespaceWhitelist: ['billing'] }, open: [] },
    {
      name: 'are not those with scopes, nor those of administrators',
      access: {
        publicTools: ['ping', 'billing_pay', 'billing_list'],
        toolScopes: { billing_pay: ['pay'] },
        adminTools: ['billing_list'],
      },
      open: ['ping'],
    },
    {
      name: 'are all but the closed ones, without requireAuthForToolsCall (G1)',
      access: { requireAuthForToolsCall: false, denyPublicTools: ['ping'], adminTools: ['users_delete'] },
      open: ['billing_pay', 'billing_list'],
    },
    {
      name: 'are closed by a rule that does not let a stranger through',
      access: {
        publicTools: ['ping', 'billing_pay'],
        rules: [{ effect: 'allow', tools: ['billing_*'], when: 'caller.claims.tier == "gold"' }],
      },
      open: ['ping'],
    },
  ]
  for (const { name, access, open } of cases) {
    test(name, () => {
      const terms = termsOf(access)
      for (const { name: tool } of TOOLS) {
        const decision = decideTool(anonymous, { name: tool, args: { value: {} } }, terms)
        const expected = open.includes(tool) ? { allowed: true } : { allowed: false, reason: 'missing_token' }
        assert.deepEqual(decision, expected, tool)
      }
    })
  }

  test('of a server are named, since it marks none', () => {
    const source = { kind: 'server', offered: undefined } as const
    for (const access of [{ publicTools: 'default' }, { publicCategories: ['money'] }]) {
      assert.throws(() => compileAccess(accessSettings.parse(access), source), /an MCP server marks no tools/)
    }
    const { isPublic } = compileAccess(accessSettings.parse({ publicTools: ['ping'] }), source)
    // Exactly as it is written: another spelling may be another tool.
    assert.deepEqual([isPublic('ping'), isPublic('Ping'), isPublic(' ping')], [true, false, false])
  })
})

suite('scopes of a tool', () => {
  const access = {
    toolScopes: {
      billing_pay: ['pay', 'write'],
      billing_list: { allOf: ['read'], anyOf: ['pay', 'audit'] },
      users_delete: ['write'],
    },
    adminTools: ['users_delete'],
  }
  const cases = [
    { tool: 'ping', scopes: [], needs: ['mcp'] },
    { tool: 'ping', scopes: ['mcp'], needs: undefined },
    { tool: 'billing_pay', scopes: ['mcp', 'pay'], needs: ['mcp', 'pay', 'write'] },
    { tool: 'billing_pay', scopes: ['mcp', 'pay', 'write'], needs: undefined },
    { tool: 'billing_list', scopes: ['mcp', 'read'], needs: ['mcp', 'read', 'pay'] },
    { tool: 'billing_list', scopes: ['audit'], needs: ['mcp', 'read', 'audit'] },
    { tool: 'billing_list', scopes: ['mcp', 'read', 'audit'], needs: undefined },
    { tool: 'users_delete', scopes: ['mcp', 'write'], needs: ['mcp', 'write', 'admin'] },
    { tool: 'USERS_DELETE ', scopes: ['mcp'], needs: ['mcp', 'write', 'admin'] },
    { tool: 'users_delete', scopes: ['mcp', 'write', 'admin'], needs: undefined },
  ]
  for (const { tool, scopes, needs } of cases) {
    test(`${tool} with ${scopes.join(' ') || 'nothing'} needs ${needs?.join(' ') ?? 'no more'} (G4)`, () => {
      const terms = termsOf(access, { required: ['mcp'] })
      const decision = decideTool(callerWith(scopes), { name: tool, args: undefined }, terms)
      const refused = { allowed: false, reason: 'insufficient_scope', scopes: needs }
      assert.deepEqual(decision, needs === undefined ? { allowed: true } : refused)
    })
  }

  test('the scope of an administrator is the one that is set', () => {
    const terms = termsOf({ adminTools: ['ping'], adminScope: 'root' })
    assert.equal(decideTool(callerWith(['admin']), { name: 'ping', args: undefined }, terms).allowed, false)
    assert.equal(decideTool(callerWith(['root']), { name: 'ping', args: undefined }, terms).allowed, true)
  })

  test('two spellings of one tool with two choices are refused, not guessed', () => {
    const toolScopes = { ping: { anyOf: ['a'] }, PING: { anyOf: ['b'] } }
    assert.throws(() => termsOf({ toolScopes }), /PING is there twice/)
  })
})

suite('the list of a stranger', () => {
  const cases = [
    { name: 'holds the public tools, and no other (G5)', access: { publicTools: ['ping'] }, sees: ['ping'] },
    {
      name: 'holds what signing in would open, where it is open to all (G1)',
      access: { requireAuthForToolsList: false, adminTools: ['users_delete'], toolScopes: { billing_pay: ['pay'] } },
      sees: ['ping', 'billing_pay', 'billing_list'],
    },
  ]
  for (const { name, access, sees } of cases) {
    test(name, () => {
      const terms = termsOf(access)
      authorize(anonymous, { kind: 'list' }, terms)
      assert.deepEqual(listedFor(anonymous, terms), sees)
    })
  }

  test('is refused where calls are open and lists are not (G1)', () => {
    const terms = termsOf({ requireAuthForToolsCall: false })
    const isChallenge = (error: unknown) => error instanceof GatewayError && error.code === 'missing_token'
    assert.throws(() => authorize(anonymous, { kind: 'list' }, terms), isChallenge)
    authorize(anonymous, { kind: 'tool', name: 'ping', args: { value: {} } }, terms)
    authorize(anonymous, { kind: 'greeting' }, terms)
    assert.throws(() => authorize(anonymous, { kind: 'other' }, terms), isChallenge)
  })
})

test('a denial by a rule says nothing of the rule, and the record does (G7)', () => {
  const terms = termsOf({ rules: [{ effect: 'deny', when: 'caller.claims.tier == "tin"' }] })
  const isForbidden = (error: unknown) => {
    assert.ok(error instanceof GatewayError)
    assert.deepEqual([error.code, error.message], ['forbidden', 'You are not allowed to call this tool.'])
    assert.equal(error.cause, 'rule 1 denies')
    return true
  }
  const wish = { kind: 'tool', name: 'ping', args: { value: {} } } as const
  assert.throws(() => authorize(callerWith([], { tier: 'tin' }), wish, terms), isForbidden)
  authorize(callerWith([], { tier: 'gold' }), wish, terms)
  authorize(localCaller, wish, terms)
})

test('rules hold for a workspace that asks nobody, too', () => {
  const terms = termsOf({ rules: [{ effect: 'deny', tools: ['users_*'], when: 'true' }] }, { isOpenToAll: true })
  assert.deepEqual(listedFor(anonymous, terms), ['ping', 'billing_pay', 'billing_list'])
  assert.throws(
    () => authorize(anonymous, { kind: 'tool', name: 'users_delete', args: { value: {} } }, terms),
    (error) => error instanceof GatewayError && error.code === 'forbidden',
  )
})

test('names in the settings that no tool has are told', () => {
  const access = accessSettings.parse({ publicTools: ['ping', 'pong'], adminTools: ['Ping'], toolScopes: { gone: [] } })
  assert.deepEqual(unknownNames(access, TOOLS), ['pong', 'gone'])
})

suite('for any settings, tools and callers', () => {
  const any = [anyAccess, anyTools, anyCaller, fc.boolean()] as const

  test('the list is exactly what can be called (G5, G6)', () => {
    fc.assert(
      fc.property(...any, fc.boolean(), (access, tools, caller, isOpenToAll, hasRequired) => {
        fc.pre(access.requireAuthForToolsList || caller.kind !== 'anonymous' || isOpenToAll)
        const rules = compileAccess(access, { kind: 'document', tools })
        const terms = { rules, required: hasRequired ? ['a'] : [], isOpenToAll }
        // Who is refused the list sees none.
        fc.pre(doesNotThrow(() => authorize(caller, { kind: 'list' }, terms)))
        const isVisible = toolFilter(caller, terms) ?? (() => true)
        for (const { name } of tools) {
          const isCallable = doesNotThrow(() => authorize(caller, { kind: 'tool', name, args: { value: {} } }, terms))
          assert.equal(isVisible(name), isCallable, name)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('whoever brings a credential can call at least what a stranger can, but for rules', () => {
    fc.assert(
      fc.property(...any, (access, tools, caller, hasRequired) => {
        const rules = { ...compileAccess(access, { kind: 'document', tools }), rules: undefined }
        const terms = { rules, required: hasRequired ? ['a'] : [], isOpenToAll: false }
        for (const { name } of tools) {
          const asked = { name, args: undefined }
          if (decideTool(anonymous, asked, terms).allowed) assert.ok(decideTool(caller, asked, terms).allowed)
        }
      }),
    )
  })

  test('a rule more never opens anything', () => {
    fc.assert(
      fc.property(...any, (access, tools, caller, isOpenToAll) => {
        const terms = (rules: typeof access.rules) => ({
          rules: compileAccess({ ...access, rules }, { kind: 'document', tools }),
          required: [],
          isOpenToAll,
        })
        for (const { name } of tools) {
          const asked = { name, args: undefined }
          const isAllowed = decideTool(caller, asked, terms(access.rules)).allowed
          if (isAllowed) assert.ok(decideTool(caller, asked, terms([])).allowed)
        }
      }),
    )
  })
})

function doesNotThrow(work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    assert.ok(error instanceof GatewayError)
    return false
  }
}

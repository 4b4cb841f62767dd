import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { checkScopes, missingScopes } from './scopes.ts'

const caller = { scopes: new Set(['mcp', 'read']) }

suite('scopes', () => {
  test('names what is missing, in the order in which it is required', () => {
    assert.deepEqual(missingScopes(['write', 'mcp', 'admin'], caller), ['write', 'admin'])
    assert.deepEqual(missingScopes([], caller), [])
  })

  test('passes a caller who has every scope, and a call that needs none', () => {
    checkScopes(caller, ['mcp', 'read'])
    checkScopes({ scopes: new Set() }, [])
  })

  test('refuses with every scope the call needs, not only the missing ones', () => {
    const isComplete = (error: unknown) => {
      assert.ok(error instanceof GatewayError)
      assert.equal(error.code, 'insufficient_scope')
      assert.deepEqual(error.detail.scopes, ['mcp', 'write'])
      return true
    }
    assert.throws(() => checkScopes(caller, ['mcp', 'write']), isComplete)
  })

  test('takes no scope for another by its prefix or its case', () => {
    assert.deepEqual(missingScopes(['mcp:call', 'MCP', 'rea'], caller), ['mcp:call', 'MCP', 'rea'])
  })
})

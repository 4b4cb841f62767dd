import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { accessFrom, authFrom } from './workspace-flags.ts'

suite('authFrom', () => {
  const cases = [
    { flags: {}, auth: undefined },
    { flags: { auth: 'none' }, auth: { authType: 'none' } },
    {
      flags: { issuer: 'https://idp.example', requiredScopes: 'read, write' },
      auth: { authType: 'jwt', jwt: { issuer: 'https://idp.example', requiredScopes: ['read', 'write'] } },
    },
    // Without a key the gateway refuses them: nobody is left to believe that a scope is asked for.
    { flags: { requiredScopes: 'read' }, auth: { authType: 'jwt', jwt: { requiredScopes: ['read'] } } },
    { flags: { requiredScopes: '' }, auth: { authType: 'jwt', jwt: { requiredScopes: [''] } } },
  ]
  for (const { flags, auth } of cases) {
    test(`of ${JSON.stringify(flags)}`, () => assert.deepEqual(authFrom(flags), auth))
  }

  for (const more of [{ requiredScopes: 'read' }, { issuer: 'me' }, { allowAnyAudience: true }]) {
    test(`refuses --auth none with ${Object.keys(more)}`, () => {
      assert.throws(() => authFrom({ auth: 'none', ...more }), /asks nobody for anything/)
    })
  }
})

test('accessFrom refuses a tool whose scopes are given twice: one of the two would be dropped', () => {
  assert.throws(() => accessFrom({ toolScopes: ['pay=a', 'see=b', 'pay=c'] }), /--tool-scopes: give pay all its scopes/)
  assert.deepEqual(accessFrom({ toolScopes: ['pay=a,c', 'see=b'] }), { toolScopes: { pay: ['a', 'c'], see: ['b'] } })
})

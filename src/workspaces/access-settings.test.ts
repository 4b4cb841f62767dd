import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { accessChange, accessSettings } from './access-settings.ts'
import { problemsOf } from './settings.ts'

suite('authEnforcement (G1)', () => {
  test('is taken as other gateways have it, and changes nothing: it always holds', () => {
    for (const authEnforcement of [
      {},
      { enabled: true },
      { enabled: true, requireAuth: true, requireValidSession: true },
    ]) {
      const { authEnforcement: _, ...rest } = accessSettings.parse({ authEnforcement })
      assert.deepEqual(rest, accessSettings.parse({}))
      assert.equal(accessChange.safeParse({ authEnforcement }).success, true)
    }
  })

  const refused = [
    {
      authEnforcement: { enabled: false },
      says: 'authEnforcement.enabled: cannot be false: write auth: { authType: none }',
    },
    { authEnforcement: { requireAuth: false }, says: 'authEnforcement.requireAuth: cannot be false: write auth' },
    {
      authEnforcement: { requireValidSession: false },
      says: 'authEnforcement.requireValidSession: cannot be false: oauth',
    },
    { authEnforcement: { enabled: 'yes' }, says: 'authEnforcement.enabled: cannot be false' },
    { authEnforcement: { enforce: true }, says: 'Unrecognized key: "enforce"' },
  ]
  for (const { authEnforcement, says } of refused) {
    test(`is not ${JSON.stringify(authEnforcement)}, and says what to write instead`, () => {
      const parsed = accessSettings.safeParse({ authEnforcement })
      assert.ok(!parsed.success)
      assert.ok(problemsOf(parsed.error).join().includes(says), problemsOf(parsed.error).join())
    })
  }
})

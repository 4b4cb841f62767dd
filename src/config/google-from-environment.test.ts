import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { signInProvidersSettings } from '../oauth/federation/settings.ts'
import { problemsOf } from '../workspaces/settings.ts'
import { ConfigFolder, refusalOf } from './config.test-support.ts'
import { withGoogleFromEnvironment } from './google-from-environment.ts'

const env = { GOOGLE_CLIENT_ID: 'id.apps.example', GOOGLE_CLIENT_SECRET: 'from the environment' }
const google = { type: 'google', allow: { domains: ['example.com'] } }

suite('GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET (L2)', () => {
  test('fill the provider of the file that has none of its own', () => {
    const filled = { ...google, clientId: 'id.apps.example', clientSecret: 'from the environment' }
    const other = { type: 'github', clientId: 'x' }
    assert.deepEqual(withGoogleFromEnvironment({ adminUsers: [], providers: [other, google] }, env), {
      ...{ adminUsers: [], providers: [other, filled] },
    })
    assert.equal(signInProvidersSettings.safeParse([filled]).success, true)
  })

  test('leave alone what the file says itself, and everything when they are not set or empty', () => {
    const own = { providers: [{ ...google, clientId: 'own', clientSecret: 'own' }] }
    assert.equal(withGoogleFromEnvironment(own, env), own)
    // The first example of docs/guide/sign-in-providers.md: `clientSecret: { $env: GOOGLE_CLIENT_SECRET }`.
    assert.equal(withGoogleFromEnvironment(own, { GOOGLE_CLIENT_SECRET: 'own' }), own)
    for (const empty of [{}, { GOOGLE_CLIENT_ID: '', GOOGLE_CLIENT_SECRET: '' }]) {
      assert.equal(withGoogleFromEnvironment(undefined, empty), undefined)
    }
  })

  test('do not start without a word on who may come in', () => {
    for (const oauth of [undefined, {}, { providers: [] }, { providers: [{ type: 'github' }] }]) {
      assert.throws(() => withGoogleFromEnvironment(oauth, env), /nobody has said who may sign in with Google/)
    }
    const parsed = signInProvidersSettings.safeParse([{ type: 'google', clientId: 'a', clientSecret: 'b' }])
    assert.ok(!parsed.success)
    assert.match(problemsOf(parsed.error).join(), /allow/)
  })

  test('reach the configuration, and its refusal repeats no secret', () => {
    const folder = new ConfigFolder()
    const auth = { authType: 'none' }
    const [provider] = folder.load({ auth, oauth: { providers: [google] } }, { env }).oauth.providers
    assert.deepEqual(
      [provider?.clientId, provider?.allow],
      ['id.apps.example', { emails: [], domains: ['example.com'] }],
    )
    const refusal = refusalOf(() => folder.load({ auth }, { env }))
    assert.match(refusal, /nobody has said who may sign in with Google/)
    assert.ok(!refusal.includes('from the environment'))
  })

  test('belong together', () => {
    for (const [name, value] of Object.entries(env)) {
      assert.throws(() => withGoogleFromEnvironment({ providers: [google] }, { [name]: value }), /belong together/)
    }
  })
})

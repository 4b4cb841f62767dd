import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { identityOf, requestWith } from './identify.test-support.ts'

const refusedAs = (code: string, says: RegExp) => (error: unknown) =>
  error instanceof GatewayError && error.code === code && says.test(error.message)

suite('authType dev (A31)', () => {
  const dev = { authType: 'dev', dev: { defaultUser: 'ada', allowedUsers: ['ada', 'bob'], scopes: ['mcp'] } } as const

  test('does not start unless NODE_ENV is test or development', () => {
    assert.throws(() => identityOf(dev), refusedAs('config_invalid', /only when NODE_ENV is test or development/))
    identityOf(dev, { isDevelopment: true })
  })

  test('says loudly what it is', async () => {
    const problems = await identityOf(dev, { isDevelopment: true }).start()
    assert.match(problems.join(), /EVERYBODY WHO REACHES THIS GATEWAY IS BELIEVED/)
  })

  const callers: readonly { readonly name: string; readonly headers: Record<string, string>; readonly user: string }[] =
    [
      { name: 'the default user', headers: {}, user: 'ada' },
      { name: 'whom X-User-ID names', headers: { 'x-user-id': ' bob ' }, user: 'bob' },
      { name: 'the default user for an empty X-User-ID', headers: { 'x-user-id': ' ' }, user: 'ada' },
      { name: 'nobody by a token: it is not looked at', headers: { authorization: 'Bearer x.y.z' }, user: 'ada' },
    ]
  for (const { name, headers, user } of callers) {
    test(`lets in ${name}`, async () => {
      const caller = await identityOf(dev, { isDevelopment: true }).identify(requestWith(headers), 'a')
      assert.deepEqual([caller.kind, caller.issuer, caller.subject], ['dev', 'gatehouse:dev', user])
      assert.deepEqual([...caller.scopes], ['mcp'])
    })
  }

  for (const user of ['eve', 'ADA', 'ada, bob', 'ada,ada', 'x'.repeat(201)]) {
    test(`refuses ${user.slice(0, 20)}, who is not on the list`, () => {
      const identity = identityOf(dev, { isDevelopment: true })
      const identify = () => identity.identify(requestWith({ 'x-user-id': user }), 'a')
      assert.throws(identify, refusedAs('invalid_token', /no user that is allowed/))
    })
  }

  test('believes everybody without a list', async () => {
    const identity = identityOf({ authType: 'dev' }, { isDevelopment: true })
    assert.equal((await identity.identify(requestWith({ 'x-user-id': 'eve' }), 'a')).subject, 'eve')
    assert.equal((await identity.identify(requestWith({}), 'a')).subject, 'dev-user')
  })
})

suite('an authType that waits for the authorization server', () => {
  for (const authType of ['oauth', 'both'] as const) {
    test(`${authType} is refused in words, whatever NODE_ENV says (A26)`, () => {
      for (const isDevelopment of [true, false]) {
        const refused = refusedAs('config_invalid', new RegExp(`authType ${authType} needs .* authorization server`))
        assert.throws(() => identityOf({ authType, jwt: [{ secret: 'x'.repeat(40) }] }, { isDevelopment }), refused)
      }
    })
  }
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { chooseCredentials, isSamePerson, type Presented } from './choose-credentials.ts'

const bearer: Presented = { kind: 'bearer', token: 'one' }
const session: Presented = { kind: 'agent-session', token: 'two' }

suite('the credentials that count (A27)', () => {
  const check = (deciding: Presented, alongside: readonly Presented[] = []) => ({ kind: 'check', deciding, alongside })
  const missing = { kind: 'missing' }
  const nobodyAsked = { kind: 'nobody-asked' }
  const matrix = [
    { authType: 'jwt', none: missing, one: check(bearer), two: check(bearer), swapped: check(session) },
    { authType: 'oauth', none: missing, one: check(bearer), two: check(bearer), swapped: check(session) },
    {
      authType: 'both',
      none: missing,
      one: check(bearer),
      two: check(bearer, [session]),
      swapped: check(session, [bearer]),
    },
    { authType: 'none', none: nobodyAsked, one: nobodyAsked, two: nobodyAsked, swapped: nobodyAsked },
    { authType: 'dev', none: nobodyAsked, one: nobodyAsked, two: nobodyAsked, swapped: nobodyAsked },
  ] as const
  for (const { authType, none, one, two, swapped } of matrix) {
    test(`with authType ${authType}`, () => {
      assert.deepEqual(chooseCredentials(authType, []), none)
      assert.deepEqual(chooseCredentials(authType, [bearer]), one)
      assert.deepEqual(chooseCredentials(authType, [bearer, session]), two)
      assert.deepEqual(chooseCredentials(authType, [session, bearer]), swapped)
    })
  }

  test('are of the same person only by issuer and subject together', () => {
    const ada = { issuer: 'https://a.example', subject: 'ada' }
    assert.ok(isSamePerson(ada, { ...ada }))
    assert.ok(!isSamePerson(ada, { ...ada, issuer: 'https://b.example' }))
    assert.ok(!isSamePerson(ada, { ...ada, subject: 'Ada' }))
  })
})

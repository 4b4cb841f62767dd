import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { findCredential } from './credential.ts'

const nothing = { kind: 'none', malformed: false } as const
const malformed = { kind: 'none', malformed: true } as const
const bearer = { kind: 'bearer', token: 'tok' } as const
const session = { kind: 'agent-session', token: 'ses' } as const

suite('findCredential', () => {
  const cases = [
    { name: 'finds nothing where nothing is', authorization: undefined, agentSession: undefined, found: nothing },
    { name: 'takes a Bearer token', authorization: 'Bearer tok', agentSession: undefined, found: bearer },
    { name: 'ignores the case of the scheme', authorization: 'bEARER tok', agentSession: undefined, found: bearer },
    { name: 'takes more than one space', authorization: '  Bearer   tok  ', agentSession: undefined, found: bearer },
    { name: 'takes an agent-session', authorization: undefined, agentSession: 'ses', found: session },
    { name: 'lets Bearer win', authorization: 'Bearer tok', agentSession: 'ses', found: bearer },
    { name: 'falls through an empty Authorization', authorization: ' ', agentSession: 'ses', found: session },
    { name: 'falls through another scheme', authorization: 'Basic eDp5', agentSession: 'ses', found: session },
    {
      name: 'falls through a scheme that begins alike',
      authorization: 'Bearers x',
      agentSession: 'ses',
      found: session,
    },
    { name: 'refuses a bare token', authorization: 'tok', agentSession: undefined, found: malformed },
    { name: 'refuses another scheme alone', authorization: 'Basic eDp5', agentSession: undefined, found: malformed },
    { name: 'refuses Bearer without a token', authorization: 'Bearer', agentSession: undefined, found: malformed },
    { name: 'refuses Bearer with two tokens', authorization: 'Bearer a b', agentSession: undefined, found: malformed },
    { name: 'does not fall through an empty Bearer', authorization: 'Bearer ', agentSession: 'ses', found: malformed },
    { name: 'does not fall through two tokens', authorization: 'Bearer a b', agentSession: 'ses', found: malformed },
    { name: 'refuses a repeated header', authorization: 'Bearer a, Bearer b', agentSession: 'ses', found: malformed },
    { name: 'refuses Basic and Bearer', authorization: 'Basic eDp5, Bearer b', agentSession: 'ses', found: malformed },
    { name: 'refuses an empty one and Bearer', authorization: ', Bearer b', agentSession: 'ses', found: malformed },
    { name: 'finds nothing in empty headers', authorization: '', agentSession: '', found: nothing },
  ] as const
  for (const { name, authorization, agentSession, found } of cases) {
    test(name, () => assert.deepEqual(findCredential({ authorization, agentSession }), found))
  }

  const apiKey = { kind: 'x-api-key', token: 'key' } as const
  const keyCases = [
    { name: 'takes an X-API-Key', apiKey: ' key ', found: apiKey },
    { name: 'lets Bearer win over X-API-Key', authorization: 'Bearer tok', apiKey: 'key', found: bearer },
    { name: 'lets X-API-Key win over agent-session', apiKey: 'key', agentSession: 'ses', found: apiKey },
    { name: 'falls through another scheme to X-API-Key', authorization: 'Basic eDp5', apiKey: 'key', found: apiKey },
    {
      name: 'does not fall through an empty Bearer to X-API-Key',
      authorization: 'Bearer ',
      apiKey: 'key',
      found: malformed,
    },
    { name: 'falls through an empty X-API-Key', apiKey: ' ', agentSession: 'ses', found: session },
    { name: 'refuses a repeated X-API-Key', apiKey: 'key, key', agentSession: 'ses', found: malformed },
    { name: 'refuses two keys in one X-API-Key', apiKey: 'key\tkey', agentSession: 'ses', found: malformed },
  ]
  for (const { name, authorization, apiKey: key, agentSession, found } of keyCases) {
    test(name, () => assert.deepEqual(findCredential({ authorization, apiKey: key, agentSession }), found))
  }

  test('never gives a token that is empty or holds white space, a comma or another scheme', () => {
    const piece = fc.constantFrom('Bearer', 'bearer', 'Basic', ' ', '\t', ',', 'a.b.c', 'x', '')
    const header = fc.array(piece).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(header, (authorization) => {
        const found = findCredential({ authorization, agentSession: undefined })
        if (found.kind === 'none') return
        assert.equal(found.kind, 'bearer')
        assert.match(found.token, /^[^\s,]+$/)
        assert.match(authorization.trim(), /^bearer[ \t]/i)
      }),
    )
  })
})

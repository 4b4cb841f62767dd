import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { callerOf, checkClaims, type ExpectedClaims } from './claims.ts'

const NOW_SECONDS = 1_000
const valid = { iss: 'https://a', aud: 'https://mcp.example/a', sub: 'ada', exp: 1_060 }
const expected: ExpectedClaims = {
  issuers: ['https://a', 'https://b'],
  audiences: ['https://mcp.example/a', 'mcp'],
  clockToleranceSeconds: 0,
  allowExpired: false,
}

function kindOf(claims: object, changed: Partial<ExpectedClaims> = {}): string {
  return checkClaims({ ...valid, ...claims }, { ...expected, ...changed }, NOW_SECONDS * 1000)?.kind ?? 'ok'
}

suite('checkClaims', () => {
  const cases = [
    { name: 'accepts what is expected', claims: {}, result: 'ok' },
    { name: 'accepts any issuer of the list', claims: { iss: 'https://b' }, result: 'ok' },
    { name: 'refuses an issuer with a slash more', claims: { iss: 'https://a/' }, result: 'issuer' },
    { name: 'refuses a missing issuer', claims: { iss: undefined }, result: 'issuer' },
    { name: 'refuses a list of issuers', claims: { iss: ['https://a'] }, result: 'issuer' },
    { name: 'accepts one audience of many', claims: { aud: ['x', 'mcp'] }, result: 'ok' },
    { name: 'refuses a sibling path', claims: { aud: 'https://mcp.example/ab' }, result: 'audience' },
    { name: 'refuses a parent path', claims: { aud: 'https://mcp.example/' }, result: 'audience' },
    { name: 'refuses another case', claims: { aud: 'MCP' }, result: 'audience' },
    { name: 'refuses a missing audience', claims: { aud: undefined }, result: 'audience' },
    { name: 'refuses an empty list of audiences', claims: { aud: [] }, result: 'audience' },
    { name: 'refuses a nested list of audiences', claims: { aud: [['mcp']] }, result: 'audience' },
    { name: 'refuses at the second of exp', claims: { exp: NOW_SECONDS }, result: 'expired' },
    { name: 'accepts just before exp', claims: { exp: NOW_SECONDS + 0.001 }, result: 'ok' },
    { name: 'refuses a missing exp', claims: { exp: undefined }, result: 'missing_claim' },
    { name: 'refuses an exp that is a text', claims: { exp: '99999' }, result: 'malformed' },
    { name: 'refuses an endless exp', claims: { exp: Number.POSITIVE_INFINITY }, result: 'malformed' },
    { name: 'refuses an exp that is null', claims: { exp: null }, result: 'malformed' },
    { name: 'refuses before nbf', claims: { nbf: NOW_SECONDS + 1 }, result: 'not_yet_valid' },
    { name: 'accepts at the second of nbf', claims: { nbf: NOW_SECONDS }, result: 'ok' },
    { name: 'refuses an nbf that is a text', claims: { nbf: '1' }, result: 'malformed' },
    { name: 'refuses a Keycloak ID token', claims: { typ: 'ID' }, result: 'type' },
    { name: 'refuses a Keycloak refresh token', claims: { typ: 'Refresh' }, result: 'type' },
    { name: 'refuses a Cognito ID token', claims: { token_use: 'id' }, result: 'type' },
    { name: 'refuses it whatever the other mark says', claims: { token_use: 'access', typ: 'ID' }, result: 'type' },
    { name: 'accepts a Keycloak access token', claims: { typ: 'Bearer' }, result: 'ok' },
  ] as const
  for (const { name, claims, result } of cases) {
    test(name, () => assert.equal(kindOf(claims), result))
  }

  test('gives exp and nbf the tolerance, and not a second more', () => {
    const tolerance = { clockToleranceSeconds: 30 }
    assert.equal(kindOf({ exp: NOW_SECONDS - 29 }, tolerance), 'ok')
    assert.equal(kindOf({ exp: NOW_SECONDS - 30 }, tolerance), 'expired')
    assert.equal(kindOf({ nbf: NOW_SECONDS + 30 }, tolerance), 'ok')
    assert.equal(kindOf({ nbf: NOW_SECONDS + 31 }, tolerance), 'not_yet_valid')
  })

  test('takes any issuer and audience where none is set, but no issuer that is not a text', () => {
    const open = { issuers: undefined, audiences: undefined }
    assert.equal(kindOf({ iss: 'x', aud: undefined }, open), 'ok')
    assert.equal(kindOf({ iss: undefined }, open), 'ok')
    assert.equal(kindOf({ iss: 7 }, open), 'issuer')
  })

  test('takes expired and endless tokens only where that is allowed', () => {
    assert.equal(kindOf({ exp: 1 }, { allowExpired: true }), 'ok')
    assert.equal(kindOf({ exp: undefined }, { allowExpired: true }), 'ok')
  })

  test('never throws and never accepts a random audience', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (aud) => {
        fc.pre(aud !== 'mcp' && !(Array.isArray(aud) && aud.includes('mcp')))
        assert.equal(kindOf({ aud }), 'audience')
      }),
    )
  })
})

suite('callerOf', () => {
  const idClaims = ['userId', 'sub']

  test('takes the first user id that is present, and the subject from sub', () => {
    const result = callerOf({ ...valid, userId: 'u1', email: 'ada@example.org' }, idClaims)
    assert.ok(result.ok)
    assert.equal(result.caller.userId, 'u1')
    assert.equal(result.caller.subject, 'ada')
    assert.equal(result.caller.issuer, 'https://a')
    assert.equal(result.caller.expiresAtSeconds, 1_060)
  })

  test('shows every claim but iss, aud, exp, iat and userId', () => {
    const result = callerOf({ ...valid, iat: 1, userId: 'u1', email: 'ada@example.org', jti: 'j' }, idClaims)
    assert.ok(result.ok)
    assert.deepEqual(result.caller.claims, { sub: 'ada', email: 'ada@example.org', jti: 'j' })
  })

  test('passes over user ids that are empty or not a text, and takes a number', () => {
    const ids = (claims: object) => {
      const result = callerOf({ ...claims }, idClaims)
      return result.ok ? result.caller.userId : result.message
    }
    assert.equal(ids({ userId: '', sub: 'ada' }), 'ada')
    assert.equal(ids({ userId: { a: 1 }, sub: 'ada' }), 'ada')
    assert.equal(ids({ userId: 42 }), '42')
    assert.equal(ids({ userId: 0 }), '0')
    assert.equal(ids({ userId: null }), 'JWT missing required userId claim')
    assert.equal(ids({}), 'JWT missing required userId claim')
  })

  test('never takes two numbers for one: what JSON cannot tell apart is no user id', () => {
    for (const id of ['9007199254740992', '9007199254740993', '1e999', '-2e999', '1.5']) {
      assert.equal(callerOf(JSON.parse(`{"userId":${id}}`), idClaims).ok, false, id)
      assert.equal(callerOf(JSON.parse(`{"sub":${id}}`), idClaims).ok, false, id)
    }
    assert.equal(callerOf(JSON.parse('{"userId":9007199254740991}'), idClaims).ok, true)
  })

  test('takes no user id from the prototype', () => {
    assert.equal(callerOf({ sub: 'ada' }, ['constructor', '__proto__', 'toString']).ok, false)
    assert.equal(callerOf(Object.create({ sub: 'root' }), idClaims).ok, false)
  })

  test('keeps a claim called __proto__ from becoming the prototype', () => {
    const result = callerOf(JSON.parse('{"sub":"ada","__proto__":{"isAdmin":true}}'), idClaims)
    assert.ok(result.ok)
    assert.equal(result.caller.claims['isAdmin'], undefined)
    assert.equal(Object.getPrototypeOf(result.caller.claims), Object.prototype)
  })

  test('unites the scopes of scope, scopes and scp, texts and lists', () => {
    const result = callerOf({ sub: 'a', scope: 'mcp  mcp:call', scopes: ['x', '', 7], scp: ['y', 'mcp'] }, idClaims)
    assert.ok(result.ok)
    assert.deepEqual([...result.caller.scopes].sort(), ['mcp', 'mcp:call', 'x', 'y'])
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { exampleIssuedRow } from '../store/issued-contract.ts'
import { apiKeyHash, makeApiKey } from '../tokens/api-key.ts'
import { IssuedIndex } from '../tokens/revocation.ts'
import { Clock, forge, mint, NOW, newKeyPair, refusals, type SigningKey } from './identify.test-support.ts'
import { createIssuedCredentials } from './issued.ts'
import { readToken } from './unverified-token.ts'

const US = 'https://gateway.example'
const AUDIENCE = `${US}/accounts/one`
const SECONDS = NOW / 1000

async function setup() {
  const clock = new Clock()
  const pair = await newKeyPair('ES256')
  const index = new IssuedIndex()
  const uses: string[] = []
  const row = (id: string, expires_at: number | null) => exampleIssuedRow(id, { expires_at })
  index.keep(row('ending', NOW + 3_600_000), ['w'])
  index.keep(row('endless', null), ['w'])
  const issued = createIssuedCredentials({
    issuer: () => US,
    audience: () => AUDIENCE,
    keys: { find: (kid) => (kid === 'k1' ? pair.publicKey : undefined) },
    index,
    noteUse: (id) => uses.push(id),
    now: clock.now,
  })
  const claims = { iss: US, sub: 'ada', aud: AUDIENCE, iat: SECONDS, exp: SECONDS + 3600, jti: 'ending' }
  const verify = async (token: string, workspaceId = 'w') => {
    const read = readToken(token)
    assert.ok(read.ok)
    return issued.verify(read, workspaceId)
  }
  const sign = (changes: object = {}, header: object = {}, key: SigningKey = pair.privateKey) =>
    mint({ ...claims, ...changes }, { alg: 'ES256', typ: 'at+jwt', kid: 'k1', ...header }, key)
  const outcome = async (token: string, workspaceId?: string) => {
    const verified = await verify(token, workspaceId)
    return verified.ok ? 'ok' : verified.message
  }
  return { clock, index, uses, issued, sign, verify, outcome }
}

const REVOKED = 'JWT verification failed: the token has been revoked'

suite('a token of ours', () => {
  test('is taken by its iss and typ alone', async () => {
    const { issued, sign } = await setup()
    const takes = async (changes: object, header: object = {}) => {
      const token = readToken(await sign(changes, header))
      return token.ok && issued.takes(token)
    }
    assert.equal(await takes({}), true)
    assert.equal(await takes({}, { typ: 'AT+JWT' }), true)
    for (const iss of [`${US}/`, US.toUpperCase(), undefined, [US]])
      assert.equal(await takes({ iss }), false, String(iss))
    for (const typ of ['JWT', undefined, 'at+jwt ']) assert.equal(await takes({}, { typ }), false, String(typ))
  })

  test('speaks for its subject, with its scopes and the id it can be revoked by', async () => {
    const { verify, sign, uses } = await setup()
    const verified = await verify(await sign({ scope: 'a b' }))
    assert.ok(verified.ok)
    const { kind, issuer, subject, scopes, issuedId, expiresAtSeconds } = verified.caller
    assert.deepEqual(
      [kind, issuer, subject, issuedId, expiresAtSeconds],
      ['issued', US, 'ada', 'ending', SECONDS + 3600],
    )
    assert.deepEqual([...scopes], ['a', 'b'])
    assert.deepEqual(uses, ['ending'])
  })

  test('is refused for whatever is wrong with it, by the same words as any other', async () => {
    const { outcome, sign, clock } = await setup()
    const other = await newKeyPair('ES256')
    assert.equal(await outcome(await sign()), 'ok')
    assert.equal(await outcome(await sign({}, {}, other.privateKey)), refusals.signature)
    assert.equal(await outcome(await sign({}, { kid: 'k2' })), refusals.keyId)
    assert.equal(await outcome(await sign({}, { kid: undefined })), refusals.keyId)
    assert.equal(await outcome(await sign({ aud: US })), refusals.audience)
    assert.equal(await outcome(await sign({ aud: `${AUDIENCE}2` })), refusals.audience)
    assert.equal(await outcome(await sign({ iss: 'https://other.example' })), refusals.issuer)
    assert.equal(await outcome(await sign({ exp: SECONDS })), refusals.expired)
    assert.equal(await outcome(await sign({ jti: undefined })), 'JWT verification failed: missing required claim')
    assert.equal(await outcome(await sign({ jti: 'never issued' })), REVOKED)
    assert.equal(await outcome(await sign({ sub: undefined })), refusals.noUserId)
    assert.equal(await outcome(await sign(), 'another workspace'), refusals.audience)
    const critical = { alg: 'ES256', typ: 'at+jwt', kid: 'k1', crit: ['exp'] }
    assert.equal(await outcome(forge(critical, { iss: US })), refusals.critical)
    const es512 = await newKeyPair('ES512')
    assert.equal(await outcome(await sign({}, { alg: 'ES512' }, es512.privateKey)), refusals.algorithm)
    clock.ms += 3_600_000
    assert.equal(await outcome(await sign({ exp: SECONDS + 99_999 })), refusals.expired)
  })

  test('may live without exp only when it was issued so (PRODUCT.md, 6)', async () => {
    const { outcome, sign } = await setup()
    assert.equal(await outcome(await sign({ exp: undefined, jti: 'endless' })), 'ok')
    assert.equal(await outcome(await sign({ exp: undefined, jti: 'ending' })), refusals.noExpiry)
    assert.equal(await outcome(await sign({ exp: undefined, jti: 'never issued' })), refusals.noExpiry)
  })

  test('that is revoked while its signature is checked is refused', async () => {
    const { verify, index, sign } = await setup()
    const verifying = verify(await sign())
    index.revoke('ending')
    assert.equal((await verifying).ok, false)
  })

  test('is asked about again each time that it is remembered', async () => {
    const { verify, issued, index, sign, uses } = await setup()
    const verified = await verify(await sign())
    assert.ok(verified.ok)
    assert.equal(issued.recheck(verified.caller, 'w').ok, true)
    assert.equal(issued.recheck(verified.caller, 'v').ok, false)
    index.revoke('ending')
    assert.equal(issued.recheck(verified.caller, 'w').ok, false)
    assert.deepEqual(uses, ['ending', 'ending'])
  })
})

suite('an API key of ours', () => {
  test('speaks for its subject where it opens the workspace, and nowhere else', async () => {
    const { issued, index, clock, uses } = await setup()
    const key = makeApiKey()
    const hash = apiKeyHash(key) ?? ''
    const row = exampleIssuedRow('id', { kind: 'key', key_hash: hash, signing_kid: null, expires_at: NOW + 10 })
    index.keep(row, ['w'])
    const found = issued.callerOfKey(key, 'w')
    assert.ok(found.ok)
    const { kind, issuer, subject, issuedId } = found.caller
    assert.deepEqual([kind, issuer, subject, issuedId], ['api-key', US, 'ada', 'id'])
    assert.deepEqual(uses, ['id'])
    const words = (text: string, workspaceId = 'w') => {
      const verified = issued.callerOfKey(text, workspaceId)
      return verified.ok ? 'ok' : verified.message
    }
    assert.equal(words(key, 'v'), 'API key is not valid for this server')
    assert.equal(words(makeApiKey()), 'Invalid API key')
    assert.equal(words(hash), 'Invalid API key format')
    clock.ms += 10
    assert.equal(words(key), 'API key has expired')
    index.revoke('id')
    assert.equal(words(key), 'API key has been revoked')
    assert.deepEqual(uses, ['id'])
  })
})

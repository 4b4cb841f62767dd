import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { exportJWK } from 'jose'
import { GatewayError } from '../errors.ts'
import { anonymous, type Caller, localCaller } from './caller.ts'
import {
  AUDIENCE,
  bearer,
  Clock,
  claims,
  forge,
  ISSUER,
  identityOf,
  listenKeySet,
  mint,
  mintHs256,
  newKeyPair,
  outcome,
  refusals,
  requestWith,
  SECRET,
} from './identify.test-support.ts'
import { ResultCache } from './result-cache.ts'

const jwt = { secret: SECRET, issuer: ISSUER, audience: AUDIENCE }
const SECOND_SECRET = 'Qz7Wx4Ec9Rv2Tb6Yn1Um8Ik3Ol5Pa0Sd'

function refuses(act: () => unknown, code: string, message: string) {
  return assert.rejects(
    async () => act(),
    (error) => error instanceof GatewayError && error.code === code && error.message === message,
  )
}

suite('identify takes a credential', () => {
  const identity = identityOf({ authType: 'jwt', jwt })
  const format = 'Invalid authorization format. Expected: Bearer <token>'

  test('from Authorization or agent-session', async () => {
    const token = await mintHs256()
    for (const request of [
      requestWith({ authorization: `bearer ${token}` }),
      requestWith({ 'agent-session': token }),
    ]) {
      const caller = await identity.identify(request, 'a')
      assert.equal(caller.kind, 'jwt')
      assert.equal(caller.issuer, ISSUER)
      assert.equal(caller.subject, 'ada')
    }
  })

  test('and says what is wrong with none', () =>
    refuses(() => identity.identify(requestWith({}), 'a'), 'missing_token', 'No authorization header provided'))

  test('and refuses a bare token, Basic, and a header that came twice', async () => {
    const token = await mintHs256()
    for (const authorization of [token, 'Basic eDp5', `Bearer ${token}, Bearer ${token}`]) {
      await refuses(() => identity.identify(requestWith({ authorization }), 'a'), 'invalid_token', format)
    }
  })

  test('and a bad Bearer is not saved by a good agent-session', async () => {
    const headers = { authorization: 'Bearer x.y.z', 'agent-session': await mintHs256() }
    await refuses(() => identity.identify(requestWith(headers), 'a'), 'invalid_token', refusals.malformed)
  })

  test('and asks for no other header than these two', async () => {
    const asked: string[] = []
    const header = (name: string) => {
      asked.push(name)
      return undefined
    }
    await assert.rejects(async () => identity.identify({ transport: 'http', clientAddress: '', header }, 'a'))
    assert.deepEqual(asked.sort(), ['agent-session', 'authorization'])
  })

  test('but over stdio asks for nothing', () => {
    const request = { transport: 'stdio', clientAddress: '', header: () => 'Bearer nonsense' } as const
    assert.equal(identity.identify(request, 'a'), localCaller)
    assert.equal(identityOf({ authType: 'none' }).identify(request, 'a'), localCaller)
  })

  test('and with authType none looks at none', () => {
    const open = identityOf({ authType: 'none' })
    assert.equal(open.identify(bearer('nonsense'), 'a'), anonymous)
    assert.deepEqual(open.requiredScopes(anonymous), [])
  })

  test('and authType jwt without an entry refuses to start', () => {
    assert.throws(() => identityOf({ authType: 'jwt' }), /nobody could come in/)
  })
})

suite('several issuers', () => {
  const other = 'https://other.example'
  const jwt2 = { secret: SECOND_SECRET, issuer: 'https://third.example', audience: AUDIENCE }

  test('are told apart by iss, each with its own key and its own scopes', async () => {
    const keyOfA = await newKeyPair('ES256')
    const keyOfB = await newKeyPair('RS256')
    await using providerA = await listenKeySet([{ ...(await exportJWK(keyOfA.publicKey)), kid: 'k' }])
    await using providerB = await listenKeySet([{ ...(await exportJWK(keyOfB.publicKey)), kid: 'k' }])
    const identity = identityOf({
      authType: 'jwt',
      jwt: [
        { jwksUrl: providerA.url, issuer: ISSUER, audience: AUDIENCE, requiredScopes: ['mcp'] },
        { jwksUrl: providerB.url, issuer: other, audience: 'b' },
        jwt2,
      ],
    })
    assert.deepEqual(await identity.start(), [])
    const ofB = { ...claims, iss: other, aud: 'b' }
    const a = await identity.identify(bearer(await mint(claims, { alg: 'ES256', kid: 'k' }, keyOfA.privateKey)), 'w')
    const b = await identity.identify(bearer(await mint(ofB, { alg: 'RS256', kid: 'k' }, keyOfB.privateKey)), 'w')
    assert.deepEqual([a.issuer, b.issuer], [ISSUER, other])
    assert.deepEqual([identity.requiredScopes(a), identity.requiredScopes(b)], [['mcp'], []])
    // The key of one issuer proves nothing about the other's callers.
    const crossed = await mint(ofB, { alg: 'ES256', kid: 'k' }, keyOfA.privateKey)
    assert.equal(await outcome(identity, crossed), refusals.algorithm)
    assert.equal(
      await outcome(identity, await mint({ ...ofB, aud: AUDIENCE }, { alg: 'RS256', kid: 'k' }, keyOfB.privateKey)),
      refusals.audience,
    )
  })

  test('an unknown one is refused', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: [jwt, jwt2] })
    for (const iss of ['https://evil.example', undefined, '__proto__']) {
      assert.equal(await outcome(identity, await mintHs256({ ...claims, iss })), refusals.issuer)
    }
  })

  test('an entry without issuer takes the tokens that no other names, and only these', async () => {
    const anyone = { secret: SECOND_SECRET, audience: AUDIENCE }
    const identity = identityOf({ authType: 'jwt', jwt: [jwt, anyone] })
    const key = new TextEncoder().encode(SECOND_SECRET)
    assert.equal(await outcome(identity, await mint({ ...claims, iss: other }, { alg: 'HS256' }, key)), 'ok')
    assert.equal(await outcome(identity, await mint({ ...claims, iss: undefined }, { alg: 'HS256' }, key)), 'ok')
    assert.equal(await outcome(identity, await mint(claims, { alg: 'HS256' }, key)), refusals.signature)
    assert.equal(await outcome(identity, await mintHs256()), 'ok')
    assert.equal(await outcome(identity, await mintHs256({ ...claims, iss: other })), refusals.signature)
  })

  test('must not overlap', () => {
    const same = { ...jwt2, issuer: ['https://x.example', ISSUER] }
    assert.throws(() => identityOf({ authType: 'jwt', jwt: [jwt, same] }), /Two jwt entries have the issuer/)
    const anyone = { secret: SECRET }
    assert.throws(() => identityOf({ authType: 'jwt', jwt: [anyone, anyone] }), /Two jwt entries have no issuer/)
  })

  test('that are URLs are named as authorization servers: https, or http on this machine', () => {
    const issuer = [
      'https://a.example',
      'http://localhost:8080/realms/mcp',
      'http://b.example',
      'my-platform',
      'https://c.example/?x=1',
    ]
    const identity = identityOf({ authType: 'jwt', jwt: { secret: SECRET, issuer } })
    assert.deepEqual(identity.authorizationServers({}), ['https://a.example', 'http://localhost:8080/realms/mcp'])
  })
})

suite('the result cache', () => {
  const isPromise = (result: Caller | Promise<Caller>) => result instanceof Promise
  /** Lets the token in twice: a result is kept from the second time on. */
  const remember = async (identity: ReturnType<typeof identityOf>, token: string) => {
    for (let time = 0; time < 2; time += 1) assert.equal(await outcome(identity, token), 'ok')
  }

  test('answers the third call at once, with the same caller and without a promise', async () => {
    const identity = identityOf({ authType: 'jwt', jwt })
    const token = await mintHs256()
    await identity.identify(bearer(token), 'a')
    const second = identity.identify(bearer(token), 'a')
    assert.ok(isPromise(second))
    const caller = await second
    assert.equal(identity.identify(bearer(token), 'a'), caller)
    // Another workspace asks for itself, also where both have the same settings.
    const ofAnother = identity.identify(bearer(token), 'b')
    assert.ok(isPromise(ofAnother))
    await ofAnother
  })

  test('never outlives exp', async () => {
    const identity = identityOf({ authType: 'jwt', jwt: { ...jwt, cacheTtlMs: 3_600_000 } })
    const token = await mintHs256({ ...claims, exp: identity.clock.ms / 1000 + 3 })
    await remember(identity, token)
    identity.clock.ms += 2_999
    assert.equal(isPromise(identity.identify(bearer(token), 'a')), false)
    identity.clock.ms += 1
    assert.equal(await outcome(identity, token), refusals.expired)
  })

  test('never outlives its time', async () => {
    const identity = identityOf({ authType: 'jwt', jwt })
    const token = await mintHs256()
    await remember(identity, token)
    identity.clock.ms += 59_999
    assert.equal(isPromise(identity.identify(bearer(token), 'a')), false)
    identity.clock.ms += 1
    const again = identity.identify(bearer(token), 'a')
    assert.ok(isPromise(again))
    await again
  })

  test('keeps nothing when it is off, when it was refused, or within the tolerance after exp', async () => {
    const off = identityOf({ authType: 'jwt', jwt: { ...jwt, cacheResults: false } })
    await remember(off, await mintHs256())
    assert.equal(off.results.size, 0)
    const on = identityOf({ authType: 'jwt', jwt: { ...jwt, clockToleranceSeconds: 30 } })
    assert.equal(await outcome(on, await mintHs256({ ...claims, aud: 'x' })), refusals.audience)
    await remember(on, await mintHs256({ ...claims, exp: on.clock.ms / 1000 - 1 }))
    assert.equal(on.results.size, 0)
  })

  test('a token for workspace A is refused by B, before and after A took it (T2)', async () => {
    const shared = { clock: new Clock(), results: new ResultCache() }
    const a = identityOf({ authType: 'jwt', jwt }, shared)
    const b = identityOf({ authType: 'jwt', jwt: { ...jwt, audience: 'https://gateway.example/b' } }, shared)
    const token = await mintHs256()
    assert.equal(await outcome(b, token, 'b'), refusals.audience)
    await remember(a, token)
    assert.equal(await outcome(b, token, 'b'), refusals.audience)
    assert.equal(await outcome(b, token, 'a'), refusals.audience)
  })

  test('is not asked for what other settings of the same workspace once allowed', async () => {
    const shared = { clock: new Clock(), results: new ResultCache() }
    const before = identityOf({ authType: 'jwt', jwt }, shared)
    const token = await mintHs256()
    await before.identify(bearer(token), 'a')
    const underWay = before.identify(bearer(token), 'a')
    const after = identityOf({ authType: 'jwt', jwt: { ...jwt, secret: SECOND_SECRET } }, shared)
    await underWay
    assert.equal(await outcome(after, token), refusals.signature)
  })

  test('compares the whole token, not only its signature', async () => {
    const identity = identityOf({ authType: 'jwt', jwt })
    const token = await mintHs256()
    await remember(identity, token)
    const [, , signature] = token.split('.')
    const forged = forge({ alg: 'HS256' }, { ...claims, sub: 'root' }, signature)
    assert.equal(await outcome(identity, forged), refusals.signature)
  })

  test('is bounded in entries and in characters, whoever fills it', () => {
    const owner = {}
    const keep = (results: ResultCache, index: number, length: number) => {
      const token = `${'x'.repeat(length)}.${index}`
      for (let time = 0; time < 2; time += 1) results.keep({ owner, workspaceId: 'a', token }, anonymous, 10)
      return results.find({ owner, workspaceId: 'a', token }, 9) !== undefined
    }
    const few = new ResultCache({ entriesMax: 100 })
    for (let index = 0; index < 100_000; index += 1) assert.ok(keep(few, index, 1))
    assert.equal(few.size, 100)
    const light = new ResultCache({ charactersMax: 10_000 })
    for (let index = 0; index < 1_000; index += 1) keep(light, index, 990)
    assert.equal(light.size, 10)
    for (let again = 0; again < 100; again += 1) keep(light, 999, 990)
    assert.equal(light.size, 10)
  })
})

suite('whatever goes wrong', () => {
  test('a failure nobody foresaw is a refusal, not an open door and not a 500', async () => {
    class BreakingClock extends Clock {
      calls = 0
      override readonly now = () => {
        this.calls += 1
        if (this.calls > 1) throw new RangeError('the clock broke')
        return this.ms
      }
    }
    const identity = identityOf({ authType: 'jwt', jwt }, { clock: new BreakingClock() })
    assert.equal(await outcome(identity, await mintHs256()), 'Authentication failed')
  })
})

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, type JWTPayload } from 'jose'
import { createEgress } from '../../src/egress/create-egress.ts'
import { GatewayError } from '../../src/errors.ts'
import { createIdentity } from '../../src/identify/identify.ts'
import { KeySets } from '../../src/identify/key-sets.ts'
import { ResultCache } from '../../src/identify/result-cache.ts'
import { inboundAuthSettings } from '../../src/workspaces/settings.ts'
import {
  AUDIENCE,
  bearer,
  call,
  challengeOf,
  forge,
  goodClaims,
  list,
  reasonOf,
  sign,
  startDoor,
} from './inbound-door.ts'

const SECRET = 'Qm7rXc2pLw9vTz4kNf6hJd8sGy3bAe5u-and-32-more-characters-0123456789'
const SECRET_BYTES = new TextEncoder().encode(SECRET)
const ISSUER = 'https://issuer.example'
const NOW = 1_800_000_000_000
const NOW_SECONDS = NOW / 1000
const good: JWTPayload = { ...goodClaims(NOW), iss: ISSUER }

const hs256 = (claims: JWTPayload, header: Readonly<Record<string, unknown>> = {}) =>
  sign(claims, { alg: 'HS256', ...header }, SECRET_BYTES)
const bySecret = (more: Readonly<Record<string, unknown>> = {}) => ({
  authType: 'jwt',
  jwt: { secret: SECRET, issuer: ISSUER, audience: AUDIENCE, ...more },
})

test('algorithms and signatures', async (t) => {
  await using door = await startDoor({ now: () => NOW })
  const endpoint = await door.open(bySecret())

  for (const alg of ['HS256', 'HS384', 'HS512']) {
    await t.test(`${alg} with the shared secret is let in (A6)`, async () => {
      assert.equal((await call(endpoint, await sign(good, { alg }, SECRET_BYTES))).status, 200)
      const other = new TextEncoder().encode(`${SECRET}x`)
      const reply = await call(endpoint, await sign(good, { alg }, other))
      assert.equal(reasonOf(reply), '401 JWT verification failed: invalid signature')
    })
  }

  for (const algorithms of [['RS256', 'RS384', 'RS512'], ['ES256'], ['ES384'], ['ES512']]) {
    await t.test(`${algorithms.join(', ')} with a PEM public key is let in (A7)`, async () => {
      const [first = ''] = algorithms
      const { publicKey, privateKey } = await generateKeyPair(first, { extractable: true })
      const own = await generateKeyPair(first)
      const keyed = await door.open(byPublicKey(await exportSPKI(publicKey)))
      for (const alg of algorithms) {
        // WebCrypto binds a key to one algorithm: the same key is read again for each.
        const key = await importPKCS8(await exportPKCS8(privateKey), alg)
        assert.equal((await call(keyed, await sign(good, { alg }, key))).status, 200, alg)
      }
      const reply = await call(keyed, await sign(good, { alg: first }, own.privateKey))
      assert.equal(reasonOf(reply), '401 JWT verification failed: invalid signature')
    })
  }

  await t.test('alg none is refused in every spelling, with and without a signature (A13)', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      for (const signature of ['', 'AAAA']) {
        const reply = await call(endpoint, forge({ alg }, good, signature))
        assert.equal(reasonOf(reply), '401 JWT verification failed: the algorithm (alg) is not accepted')
      }
    }
  })

  await t.test('a token signed with the public key as an HMAC secret is refused (A13)', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true })
    const pem = await exportSPKI(publicKey)
    const keyed = await door.open(byPublicKey(pem))
    const unsigned = forge({ alg: 'HS256' }, good).slice(0, -1)
    for (const secret of [pem, pem.trimEnd(), `${pem}\n`]) {
      const signature = createHmac('sha256', secret).update(unsigned).digest('base64url')
      const reply = await call(keyed, `${unsigned}.${signature}`)
      assert.equal(reasonOf(reply), '401 JWT verification failed: the algorithm (alg) is not accepted')
    }
  })

  await t.test('a tampered header, claim or signature is refused, and nothing is called (A14)', async () => {
    const before = door.calls()
    const [header = '', claims = '', signature = ''] = (await hs256(good)).split('.')
    const admin = Buffer.from(JSON.stringify({ ...good, sub: 'root' })).toString('base64url')
    const typed = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).toString('base64url')
    const flipped = Buffer.from(signature, 'base64url')
    flipped[0] = (flipped[0] ?? 0) ^ 1
    const tampered = [
      [header, admin, signature],
      [typed, claims, signature],
      [header, claims, flipped.toString('base64url')],
      [header, claims, signature.slice(0, -2)],
      [header, claims, ''],
    ]
    for (const parts of tampered) {
      const reply = await call(endpoint, parts.join('.'))
      assert.match(reasonOf(reply), /^401 JWT verification failed: (invalid signature|malformed token)$/)
    }
    assert.equal(door.calls(), before)
  })
})

test('claims', async (t) => {
  let now = NOW
  await using door = await startDoor({ now: () => now })
  const endpoint = await door.open(bySecret())
  const two = await door.open(bySecret({ issuer: [ISSUER, 'urn:second'], audience: [AUDIENCE, 'urn:two'] }))

  const refusedIssuers = ['https://evil.example', `${ISSUER}/`, ISSUER.toUpperCase(), '', undefined]
  for (const iss of refusedIssuers) {
    await t.test(
      `iss ${JSON.stringify(iss)} is refused, naming the check and not the expected value (A15)`,
      async () => {
        const reply = await call(endpoint, await hs256({ ...good, iss }))
        assert.equal(reasonOf(reply), '401 JWT verification failed: the issuer (iss) is not accepted')
        assert.ok(!reply.text.includes(ISSUER) && !JSON.stringify(challengeOf(reply)).includes(ISSUER))
      },
    )
  }

  await t.test('any issuer of a list is let in, and no list inside a token is (A15)', async () => {
    assert.equal((await list(two, await hs256({ ...good, iss: 'urn:second' }))).status, 200)
    const listed = forgeSigned({ ...good, iss: [ISSUER] })
    assert.equal(reasonOf(await list(two, listed)), '401 JWT verification failed: the issuer (iss) is not accepted')
  })

  const refusedAudiences = ['https://other.example', `${AUDIENCE}/mcp`, AUDIENCE.slice(0, -1), [], undefined]
  for (const aud of refusedAudiences) {
    await t.test(
      `aud ${JSON.stringify(aud)} is refused, naming the check and not the expected value (A16)`,
      async () => {
        const reply = await call(endpoint, await hs256({ ...good, aud }))
        assert.equal(reasonOf(reply), '401 JWT verification failed: the audience (aud) is not this server')
        assert.ok(!reply.text.includes(AUDIENCE))
      },
    )
  }

  await t.test('one of several audiences is enough, on either side (A16)', async () => {
    assert.equal((await list(endpoint, await hs256({ ...good, aud: ['urn:x', AUDIENCE] }))).status, 200)
    assert.equal((await list(two, await hs256({ ...good, aud: 'urn:two' }))).status, 200)
  })

  const tolerances = [
    { clockToleranceSeconds: 0, lastSecond: -1 },
    { clockToleranceSeconds: 30, lastSecond: 29 },
  ]
  for (const { clockToleranceSeconds, lastSecond } of tolerances) {
    await t.test(`exp and nbf hold to the second with a tolerance of ${clockToleranceSeconds} (A17)`, async () => {
      const strict = await door.open(bySecret({ clockToleranceSeconds }))
      const expiring = (seconds: number) => hs256({ ...good, exp: NOW_SECONDS - seconds })
      assert.equal((await call(strict, await expiring(lastSecond))).status, 200)
      assert.equal(reasonOf(await call(strict, await expiring(lastSecond + 1))), '401 JWT token has expired')
      const starting = (seconds: number) => hs256({ ...good, nbf: NOW_SECONDS + seconds })
      assert.equal((await call(strict, await starting(clockToleranceSeconds))).status, 200)
      assert.equal(
        reasonOf(await call(strict, await starting(clockToleranceSeconds + 1))),
        '401 JWT verification failed: the token is not valid yet (nbf)',
      )
    })
  }

  await t.test('a token without exp is refused, and so is one whose exp is no number (A17)', async () => {
    assert.equal(
      reasonOf(await call(endpoint, await hs256({ ...good, exp: undefined }))),
      '401 JWT verification failed: missing required exp claim',
    )
    for (const exp of ['9999999999', null, {}]) {
      assert.equal((await call(endpoint, forgeSigned({ ...good, exp }))).status, 401)
    }
  })

  await t.test('a remembered result ends with exp, however long results are kept (A22)', async () => {
    const token = await hs256({ ...good, exp: NOW_SECONDS + 3 })
    assert.equal((await call(endpoint, token)).status, 200)
    now = NOW + 2999
    assert.equal((await call(endpoint, token)).status, 200)
    now = NOW + 3000
    assert.equal(reasonOf(await call(endpoint, token)), '401 JWT token has expired')
    now = NOW + 4000
    assert.equal(reasonOf(await call(endpoint, token)), '401 JWT token has expired')
    now = NOW
  })

  await t.test(
    'a remembered result counts for its own workspace only, and not after a change of settings (A22)',
    async () => {
      const { workspace, endpoint: changing } = await door.gateway.makeWorkspace({ name: 'Changing', auth: bySecret() })
      const other = await door.open(bySecret({ audience: 'urn:elsewhere' }))
      const token = await hs256(good)
      assert.equal((await list(changing, token)).status, 200)
      assert.equal((await list(other, token)).status, 401)
      const auth = inboundAuthSettings.parse(bySecret({ issuer: 'urn:new' }))
      await door.gateway.running.gateway.manager.change(workspace.id, { auth })
      assert.equal((await list(changing, token)).status, 401)
    },
  )

  const userIds = [
    { name: 'userId', claims: { userId: 'u-1', sub: undefined } },
    { name: 'sub', claims: { sub: 's-1' } },
    { name: 'a number as userId', claims: { userId: 7, sub: undefined } },
  ]
  for (const { name, claims } of userIds) {
    await t.test(`the user id stands in ${name} (A19)`, async () => {
      assert.equal((await call(endpoint, await hs256({ ...good, ...claims }))).status, 200)
    })
  }

  await t.test('userIdClaim names other claims, and then only those count (A19)', async () => {
    const custom = await door.open(bySecret({ userIdClaim: ['uid', 'email'] }))
    assert.equal((await call(custom, await hs256({ ...good, email: 'ada@example.com' }))).status, 200)
    assert.equal(reasonOf(await call(custom, await hs256(good))), '401 JWT missing required userId claim')
  })

  for (const sub of [undefined, '']) {
    await t.test(`without a user id (sub: ${JSON.stringify(sub)}) a token is refused (A19)`, async () => {
      const reply = await call(endpoint, await hs256({ ...good, sub }))
      assert.equal(reasonOf(reply), '401 JWT missing required userId claim')
    })
  }
})

test('scopes', async (t) => {
  await using door = await startDoor({ now: () => NOW })
  const endpoint = await door.open(bySecret({ requiredScopes: ['mcp', 'mcp:call'] }))

  const enough = [
    { scope: 'mcp mcp:call other' },
    { scopes: ['mcp', 'mcp:call'] },
    { scp: ['mcp', 'mcp:call'] },
    { scp: 'mcp mcp:call' },
    { scope: 'mcp', scp: ['mcp:call'] },
  ]
  for (const claims of enough) {
    await t.test(`${JSON.stringify(claims)} is enough (A20)`, async () => {
      assert.equal((await call(endpoint, await hs256({ ...good, ...claims }))).status, 200)
    })
  }

  const tooLittle = [{}, { scope: 'mcp' }, { scope: 'mcp:call' }, { scope: 'mcp mcp:calls' }, { scope: 'MCP mcp:call' }]
  for (const claims of tooLittle) {
    await t.test(`${JSON.stringify(claims)} is 403 with every scope the call needs (A20)`, async () => {
      const before = door.calls()
      const reply = await call(endpoint, await hs256({ ...good, ...claims }))
      assert.equal(reply.status, 403)
      const challenge = challengeOf(reply)
      assert.equal(challenge?.['error'], 'insufficient_scope')
      assert.equal(challenge?.['scope'], 'mcp mcp:call')
      assert.ok(challenge?.['resource_metadata']?.endsWith(new URL(endpoint).pathname))
      const text = 'The token lacks a scope that this call needs.'
      assert.deepEqual(reply.json, {
        ...{ error: 'insufficient_scope', error_description: text, message: text, code: 'INSUFFICIENT_SCOPE' },
        scope: 'mcp mcp:call',
      })
      assert.equal(door.calls(), before)
    })
  }
})

test('unsafe settings', async (t) => {
  for (const setting of [{ allowExpiredTokens: true }, { requireValidSignature: false }]) {
    const name = JSON.stringify(setting)
    for (const NODE_ENV of ['', 'production', 'staging', 'Test']) {
      await t.test(`${name} does not start when NODE_ENV is ${JSON.stringify(NODE_ENV)} (A18)`, async () => {
        await using door = await startDoor({ env: { NODE_ENV, ENCRYPTION_KEY: SECRET } })
        await assert.rejects(door.open(bySecret(setting)), (error) => {
          assert.ok(error instanceof GatewayError)
          assert.match(error.message, /works only when NODE_ENV is test or development/)
          return error.code === 'config_invalid'
        })
      })
    }
    for (const NODE_ENV of ['test', 'development']) {
      await t.test(`${name} works when NODE_ENV is ${NODE_ENV} (A18)`, async () => {
        await using door = await startDoor({ env: { NODE_ENV }, now: () => NOW })
        const endpoint = await door.open(bySecret(setting))
        const odd =
          'allowExpiredTokens' in setting ? await hs256({ ...good, exp: 1 }) : `${(await hs256(good)).slice(0, -4)}AAAA`
        assert.equal((await call(endpoint, odd)).status, 200)
        const strict = await door.open(bySecret())
        assert.equal((await call(strict, odd)).status, 401, 'only where it was asked for')
      })
    }
  }
})

test('every kind of failure has an error_description of its own (A25)', async () => {
  await using door = await startDoor({ now: () => NOW })
  const endpoint = await door.open(bySecret({ requiredScopes: ['mcp'] }))
  const { publicKey } = await generateKeyPair('ES256', { extractable: true })
  const samples: Readonly<Record<string, string>> = {
    malformed: 'a.b.c',
    type: await hs256(good, { typ: 'logout+jwt' }),
    critical: forge({ alg: 'HS256', crit: ['exp'] }, good, 'AAAA'),
    algorithm: forge({ alg: 'none' }, good),
    signature: `${(await hs256(good)).slice(0, -4)}AAAA`,
    issuer: await hs256({ ...good, iss: 'urn:x' }),
    audience: await hs256({ ...good, aud: 'urn:x' }),
    notYetValid: await hs256({ ...good, nbf: NOW_SECONDS + 60 }),
    expired: await hs256({ ...good, exp: NOW_SECONDS - 60 }),
    noExpiry: await hs256({ ...good, exp: undefined }),
    noUserId: await hs256({ ...good, sub: undefined }),
    scope: await hs256(good),
  }
  const reasons = new Map<string, string>()
  for (const [kind, token] of Object.entries(samples)) {
    const reply = await list(endpoint, token)
    const reason = reasonOf(reply)
    assert.equal(reason.slice(0, 3), kind === 'scope' ? '403' : '401', kind)
    assert.equal(challengeOf(reply)?.['error_description'], reason.slice(4), kind)
    assert.ok(!reasons.has(reason), `${kind} reads like ${reasons.get(reason)}: ${reason}`)
    assert.ok(![SECRET, ISSUER, AUDIENCE].some((expected) => reply.text.includes(expected)), kind)
    reasons.set(reason, kind)
  }
  const keyed = await door.open(byPublicKey(await exportSPKI(publicKey)))
  assert.equal((await list(keyed, samples['signature'] ?? '')).status, 401)
})

test('the caller carries every claim but iss, aud, exp, iat and userId (A21)', async () => {
  const egress = createEgress()
  const now = () => NOW
  const keySets = new KeySets({ egress, now })
  const identity = createIdentity(inboundAuthSettings.parse(bySecret()), {
    ...{ now, isDevelopment: false, reach: 'operator', keySets, results: new ResultCache() },
  })
  const shown = { sub: 'ada', email: 'ada@example.com', nested: { team: ['x'] }, scope: 'mcp', jti: 'j' }
  const { Authorization } = bearer(await hs256({ ...good, ...shown, userId: 'u-1', iat: NOW_SECONDS }))
  const header = (name: string) => (name === 'authorization' ? Authorization : undefined)
  const caller = await identity.identify({ transport: 'http', clientAddress: '', header }, 'w')
  assert.deepEqual(caller.claims, shown)
  assert.deepEqual(
    [caller.kind, caller.issuer, caller.subject, caller.userId, caller.expiresAtSeconds, [...caller.scopes]],
    ['jwt', ISSUER, 'ada', 'u-1', good.exp, ['mcp']],
  )
  await egress.close()
})

function byPublicKey(publicKey: string) {
  return { authType: 'jwt', jwt: { publicKey, issuer: ISSUER, audience: AUDIENCE } }
}

/** Claims that jose would not sign, rightly signed. */
function forgeSigned(claims: unknown): string {
  const unsigned = forge({ alg: 'HS256' }, claims).slice(0, -1)
  return `${unsigned}.${createHmac('sha256', SECRET_BYTES).update(unsigned).digest('base64url')}`
}

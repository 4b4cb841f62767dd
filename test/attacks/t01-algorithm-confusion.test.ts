import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { at, post, type Seen, TOOLS_LIST } from './support/client.ts'
import { forge, hmacWith, signWith } from './support/jws.ts'

const HMAC = ['HS256', 'HS384', 'HS512']
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const EDDSA = ['EdDSA', 'Ed25519']
const ALL = [...HMAC, ...RSA, 'ES256', 'ES384', 'ES512', 'ES256K', ...EDDSA, 'Ed448', 'RSA-OAEP', 'dir', 'A256KW']
const NONE = ['none', 'None', 'NONE', 'nOnE', 'none ', '\u0000none', '', 'null', 'hs256', 'HS256 ', 'Hs256']
const REFUSED = 'JWT verification failed: the algorithm (alg) is not accepted'
const SECRET = 'a shared secret of this test, long enough for HS512 as well, 64+ characters'
const ISSUER = 'https://issuer.example'
const AUDIENCE = 'gatehouse-test'

interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const ed25519 = generateKeyPairSync('ed25519')
const attackers: Readonly<Record<string, Pair>> = {
  RS: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed: generateKeyPairSync('ed25519'),
}

/** A door and the only algorithms that may open it. `kid` names its key in the set. */
interface Door {
  readonly name: string
  readonly accepts: readonly string[]
  readonly pair?: Pair
  readonly kid?: string
  readonly algorithms?: readonly string[]
}

const doors: readonly Door[] = [
  { name: 'shared secret', accepts: HMAC },
  { name: 'shared secret pinned to HS512', accepts: ['HS512'], algorithms: ['HS512'] },
  { name: 'RSA key', accepts: RSA, pair: rsa },
  { name: 'RSA key pinned to RS256', accepts: ['RS256'], pair: rsa, algorithms: ['RS256'] },
  { name: 'P-256 key', accepts: ['ES256'], pair: p256 },
  { name: 'P-384 key', accepts: ['ES384'], pair: p384 },
  { name: 'P-521 key', accepts: ['ES512'], pair: p521 },
  { name: 'Ed25519 key', accepts: EDDSA, pair: ed25519 },
  { name: 'key set, RSA', accepts: RSA, pair: rsa, kid: 'rsa' },
  { name: 'key set, RSA for PS384', accepts: ['PS384'], pair: rsa, kid: 'rsa-ps384' },
  { name: 'key set, P-256', accepts: ['ES256'], pair: p256, kid: 'p256' },
  { name: 'key set, P-521', accepts: ['ES512'], pair: p521, kid: 'p521' },
  { name: 'key set, Ed25519', accepts: EDDSA, pair: ed25519, kid: 'ed25519' },
]

let gateway: TestGateway
let keySet: RecordingApi
let trap: RecordingApi
const endpoints = new Map<string, string>()

before(async () => {
  keySet = await startRecordingApi(() => ({
    status: 200,
    body: {
      keys: [
        { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa' },
        { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa-ps384', alg: 'PS384' },
        { ...p256.publicKey.export({ format: 'jwk' }), kid: 'p256' },
        { ...p521.publicKey.export({ format: 'jwk' }), kid: 'p521' },
        { ...ed25519.publicKey.export({ format: 'jwk' }), kid: 'ed25519' },
        { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'oct' },
      ],
    },
  }))
  trap = await startRecordingApi()
  gateway = await startGateway()
  for (const door of doors) {
    const jwt = { ...keyOf(door), issuer: ISSUER, audience: AUDIENCE, algorithms: door.algorithms }
    const { endpoint } = await gateway.makeWorkspace({ name: door.name, auth: { authType: 'jwt', jwt } })
    endpoints.set(door.name, endpoint)
  }
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await keySet[Symbol.asyncDispose]()
  await trap[Symbol.asyncDispose]()
})

function keyOf(door: Door): Record<string, unknown> {
  if (door.kid !== undefined) return { jwksUrl: `${keySet.url}/jwks` }
  return door.pair === undefined ? { secret: SECRET } : { publicKey: pemOf(door.pair) }
}

function pemOf({ publicKey }: Pair): string {
  return String(publicKey.export({ format: 'pem', type: 'spki' }))
}

function claims(): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return { iss: ISSUER, aud: AUDIENCE, sub: 'somebody', iat: now, exp: now + 600 }
}

function knock(door: Pick<Door, 'name'>, token: string): Promise<Seen> {
  return post(endpoints.get(door.name) ?? '', TOOLS_LIST, { token })
}

async function assertRefused(door: Pick<Door, 'name'>, token: string, why: string | RegExp = REFUSED): Promise<void> {
  const answer = await knock(door, token)
  assert.equal(answer.status, 401, `${door.name}: ${answer.text}`)
  assert.equal(at(answer.json, 'error'), 'invalid_token')
  const description = String(at(answer.json, 'error_description'))
  if (typeof why === 'string') assert.equal(description, why)
  else assert.match(description, why)
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"/)
}

/** The best forgery for an algorithm: with the door's own key where the mathematics allow it, else with the attacker's. */
function forgeriesFor(door: Door, alg: string): readonly string[] {
  const header = { alg, ...(door.kid === undefined ? {} : { kid: door.kid }) }
  if (alg.startsWith('HS')) return hmacKeysFor(door).map((key) => forge(header, claims(), hmacWith(key)))
  const own = door.pair?.privateKey
  const isSameKind = own !== undefined && familyOf(own) === alg.slice(0, 2).replace('PS', 'RS')
  const key = isSameKind ? own : (attackers[alg.slice(0, 2).replace('PS', 'RS')]?.privateKey ?? own)
  const signer = key === undefined ? hmacWith(SECRET) : signWith(key)
  return [forge(header, claims(), signer)]
}

/** Everything public that a naive library may take for the secret; for the shared secret itself, the secret. */
function hmacKeysFor(door: Door): readonly (string | Uint8Array)[] {
  if (door.pair === undefined) return [SECRET]
  const pem = pemOf(door.pair)
  const jwk = JSON.stringify(door.pair.publicKey.export({ format: 'jwk' }))
  const der = door.pair.publicKey.export({ format: 'der', type: 'spki' })
  return [pem, pem.trim(), pem.replaceAll('\n', '\\n'), pem.replaceAll('\n', '\r\n'), der, jwk, SECRET, '']
}

function familyOf(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS'
  return key.asymmetricKeyType === 'ec' ? 'ES' : 'Ed'
}

suite('T1: a token opens only with the algorithm that its key is for', () => {
  for (const door of doors) {
    for (const alg of door.accepts) {
      test(`${door.name}: lets ${alg} in`, async () => {
        const [token = ''] = forgeriesFor(door, alg)
        const answer = await knock(door, token)
        assert.equal(answer.status, 200, answer.text)
      })
    }
    const others = ALL.filter((alg) => !door.accepts.includes(alg))
    test(`${door.name}: refuses every other algorithm (${others.length}), also signed with its own key`, async () => {
      for (const alg of others) for (const token of forgeriesFor(door, alg)) await assertRefused(door, token)
    })
    test(`${door.name}: refuses "none" in every spelling, signed or not`, async () => {
      const kid = door.kid === undefined ? {} : { kid: door.kid }
      for (const alg of NONE) {
        await assertRefused(door, forge({ alg, ...kid }, claims()))
        await assertRefused(door, forge({ alg, ...kid }, claims(), hmacWith(SECRET)))
      }
      for (const alg of [undefined, null, 0, true, ['HS256'], { name: 'HS256' }]) {
        await assertRefused(door, forge({ alg, ...kid }, claims(), hmacWith(SECRET)))
      }
    })
  }

  test('a symmetric key that a key set publishes opens nothing', async () => {
    const token = forge({ alg: 'HS256', kid: 'oct' }, claims(), hmacWith(SECRET))
    await assertRefused({ name: 'key set, RSA' }, token)
  })
})

suite('T1: a header cannot bring its own rules', () => {
  const rsaDoor = { name: 'RSA key' }
  const setDoor = { name: 'key set, RSA' }
  const critical = 'JWT verification failed: unknown critical header (crit)'

  for (const crit of [['exp'], ['b64'], ['urn:example:unknown'], [], 'exp', null, {}, true]) {
    test(`refuses crit ${JSON.stringify(crit)}, whatever the signature`, async () => {
      const header = { alg: 'RS256', kid: 'rsa', crit, b64: true, 'urn:example:unknown': 1 }
      const token = forge(header, claims(), signWith(rsa.privateKey))
      await assertRefused(rsaDoor, token, critical)
      await assertRefused(setDoor, token, critical)
    })
  }

  test('ignores keys that a token carries or points to, and never fetches one', async () => {
    const attacker = attackers['RS']
    assert.ok(attacker)
    const jwk = { ...attacker.publicKey.export({ format: 'jwk' }), kid: 'mine', use: 'sig' }
    const carriers = [
      { jwk },
      { jku: `${trap.url}/jwks.json` },
      { x5u: `${trap.url}/cert.pem` },
      { x5c: [Buffer.from('not a certificate').toString('base64')] },
      { jwks: { keys: [jwk] } },
      { jwk, jku: `${trap.url}/jwks.json`, x5u: `${trap.url}/cert.pem`, iss: trap.url },
    ]
    for (const carrier of carriers) {
      for (const kid of ['mine', 'rsa', undefined]) {
        const token = forge({ alg: 'RS256', kid, ...carrier }, claims(), signWith(attacker.privateKey))
        await assertRefused(rsaDoor, token, 'JWT verification failed: invalid signature')
        await assertRefused(setDoor, token, /invalid signature|key id/)
      }
    }
    assert.equal(trap.connections(), 0, 'the attacker’s server was contacted')
  })

  test('a signature by the right key does not make a foreign jwk the caller’s', async () => {
    const header = { alg: 'RS256', kid: 'rsa', jku: `${trap.url}/jwks.json` }
    const answer = await knock(setDoor, forge(header, claims(), signWith(rsa.privateKey)))
    assert.equal(answer.status, 200, 'jku is ignored, not feared')
    assert.equal(trap.connections(), 0)
  })

  test('a key id is only ever compared: no path, query, address or name of an object gets in by it', async () => {
    const before = keySet.seen.length
    const kids = [
      '../../../../../../dev/null',
      '/dev/null',
      '/proc/sys/kernel/randomize_va_space',
      "x' UNION SELECT 'AA'; --",
      'rsa"; DROP TABLE workspaces; --',
      `${trap.url}/key`,
      `file://${process.execPath}`,
      '| curl http://example.com',
      '__proto__',
      'constructor',
      'toString',
      'RSA',
      'rsa ',
      'rsa\u0000',
      '',
      'k'.repeat(10_000),
    ]
    for (const kid of kids) {
      for (const key of ['', 'AA', '\u0000', '2\n']) {
        const hmac = forge({ alg: 'HS256', kid }, claims(), hmacWith(key))
        await assertRefused(setDoor, hmac)
        await assertRefused(rsaDoor, hmac)
      }
      const signed = forge({ alg: 'RS256', kid }, claims(), signWith(rsa.privateKey))
      await assertRefused(setDoor, signed, 'JWT verification failed: unknown key id (kid)')
    }
    assert.equal(trap.connections(), 0)
    assert.ok(keySet.seen.length - before <= 1, 'a storm of key ids asked the identity provider more than once')
  })

  test('a key id that is no text is refused, also when the signature is good', async () => {
    for (const kid of [['rsa'], { rsa: true }, null, 0, true]) {
      const token = forge({ alg: 'RS256', kid }, claims(), signWith(rsa.privateKey))
      await assertRefused(setDoor, token, 'JWT verification failed: malformed token')
      await assertRefused(rsaDoor, token, 'JWT verification failed: malformed token')
    }
  })

  test('a token without a key id does not get a key of the set', async () => {
    const token = forge({ alg: 'RS256' }, claims(), signWith(rsa.privateKey))
    await assertRefused(setDoor, token, 'JWT verification failed: missing key id (kid)')
  })

  test('what is no signed JWT is refused: cut, padded, encrypted, or in JSON form', async () => {
    const good = forge({ alg: 'RS256' }, claims(), signWith(rsa.privateKey))
    const [header, payload, signature] = good.split('.')
    const shapes = [
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}..${signature}`,
      `${good}.`,
      `${good}=`,
      `${good}==`,
      `.${good}`,
      `${good}.x.y`,
      good.replaceAll('.', '%2E'),
      Buffer.from(good).toString('base64'),
      forge({ alg: 'RS256', typ: 'JWE' }, claims(), signWith(rsa.privateKey)),
      forge('[]', claims(), signWith(rsa.privateKey)),
      forge({ alg: 'RS256' }, '"text"', signWith(rsa.privateKey)),
      forge('{"alg":"RS256","alg":"none"}', claims()),
    ]
    for (const shape of shapes) {
      const answer = await knock(rsaDoor, shape)
      assert.equal(answer.status, 401, `${shape.slice(0, 40)}… gave ${answer.status}`)
    }
    assert.equal((await knock(rsaDoor, good)).status, 200)
  })
})

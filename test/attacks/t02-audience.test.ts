import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { at, callApi, callTool, post, TOOLS_LIST } from './support/client.ts'
import { forge, hmacWith, signWith } from './support/jws.ts'

const SECRET = 'one secret for all workspaces of one identity provider'
const ISSUER = 'https://issuer.example'
const A = 'https://mcp.example/a'
const B = 'https://mcp.example/b'
const REFUSED = 'JWT verification failed: the audience (aud) is not this server'

let gateway: TestGateway
let upstream: RecordingApi
/** Two workspaces that differ in nothing but the audience. */
let a = ''
let b = ''
/** One that takes either of two audiences. */
let both = ''

before(async () => {
  upstream = await startRecordingApi()
  gateway = await startGateway()
  const document = JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    servers: [{ url: upstream.url }],
    paths: { '/things': { get: { operationId: 'listThings' } } },
  })
  const make = async (name: string, audience: string | readonly string[]) => {
    const jwt = { secret: SECRET, issuer: ISSUER, audience }
    const made = await gateway.makeWorkspace({ name, source: { document }, auth: { authType: 'jwt', jwt } })
    return made.endpoint
  }
  a = await make('a', A)
  b = await make('b', B)
  both = await make('both', [A, 'https://mcp.example/c'])
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

let tokens = 0

/** A new token each time, so that no earlier test has cached it. */
function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  const now = Math.floor(Date.now() / 1000)
  tokens += 1
  const all = { iss: ISSUER, sub: 'somebody', iat: now, exp: now + 600, jti: String(tokens), ...claims }
  return forge({ alg: 'HS256' }, all, hmacWith(SECRET))
}

async function assertRefused(endpoint: string, token: string, what: string): Promise<void> {
  const answer = await post(endpoint, TOOLS_LIST, { token })
  assert.equal(answer.status, 401, `${what}: ${answer.text}`)
  assert.equal(at(answer.json, 'error_description'), REFUSED, what)
}

suite('T2: a token opens the workspace that it was made for, and no other', () => {
  test('a token for A is refused by B before A has seen it', async () => {
    const token = tokenWith({ aud: A })
    await assertRefused(b, token, 'B first')
    assert.equal((await post(a, TOOLS_LIST, { token })).status, 200)
  })

  test('a token for A is refused by B after A has cached it, on every alias and for calls too', async () => {
    const token = tokenWith({ aud: A })
    for (let round = 0; round < 3; round += 1) {
      assert.equal((await callTool(a, token, 'listThings')).isError, false)
    }
    const before = upstream.seen.length
    for (const alias of ['', '/', '/mcp', '/sse', '/message', '/messages', '/mcp/message']) {
      await assertRefused(b + alias, token, `B at ${alias}`)
      assert.equal((await callTool(b + alias, token, 'listThings')).status, 401)
    }
    assert.equal(upstream.seen.length, before, 'the upstream was called')
  })

  test('a refusal at B is not what A answers afterwards, nor the other way round', async () => {
    const token = tokenWith({ aud: A })
    for (let round = 0; round < 3; round += 1) {
      await assertRefused(b, token, `round ${round}`)
      assert.equal((await post(a, TOOLS_LIST, { token })).status, 200)
    }
  })

  test('of fifty callers at once at both doors, only those of A come in', async () => {
    const token = tokenWith({ aud: A })
    const attempts = Array.from({ length: 50 }, (_, index) => {
      const isA = index % 2 === 0
      return post(isA ? a : b, TOOLS_LIST, { token }).then(({ status }) => ({ isA, status }))
    })
    for (const { isA, status } of await Promise.all(attempts)) assert.equal(status, isA ? 200 : 401)
  })

  test('a token without an audience is refused', async () => {
    await assertRefused(a, tokenWith({}), 'no aud')
    await assertRefused(both, tokenWith({}), 'no aud')
  })

  const notThis: readonly { readonly name: string; readonly aud: unknown }[] = [
    { name: 'a sibling that begins with it', aud: `${A}b` },
    { name: 'a path below it', aud: `${A}/b` },
    { name: 'the same with a slash', aud: `${A}/` },
    { name: 'a beginning of it', aud: 'https://mcp.example' },
    { name: 'another case', aud: A.toUpperCase() },
    { name: 'a space at the end', aud: `${A} ` },
    { name: 'a list in one text', aud: `${A} ${B}` },
    { name: 'a list with commas in one text', aud: `${A},${B}` },
    { name: 'JSON in a text', aud: JSON.stringify([A]) },
    { name: 'percent-encoding', aud: 'https://mcp.example/%61' },
    { name: 'a fragment', aud: `${A}#` },
    { name: 'a NUL and more', aud: `${A}\u0000.evil` },
    { name: 'nothing', aud: '' },
    { name: 'a wildcard', aud: '*' },
    { name: 'null', aud: null },
    { name: 'true', aud: true },
    { name: 'a number', aud: 0 },
    { name: 'an empty list', aud: [] },
    { name: 'a list in a list', aud: [[A]] },
    { name: 'an object', aud: { aud: A } },
    { name: 'an object like a list', aud: { 0: A, length: 1 } },
    { name: 'a list of others', aud: [`${A}b`, B, '*', null, 1] },
  ]
  for (const { name, aud } of notThis) {
    test(`refuses as audience: ${name}`, async () => assertRefused(a, tokenWith({ aud }), name))
  }

  test('a list that names the workspace among others opens it', async () => {
    const token = tokenWith({ aud: ['https://other.example', A] })
    assert.equal((await post(a, TOOLS_LIST, { token })).status, 200)
    await assertRefused(b, token, 'B is not in the list')
  })

  test('other claims that name the workspace do not stand in for aud', async () => {
    for (const name of ['azp', 'client_id', 'resource', 'audience', 'Aud', 'AUD', 'scope']) {
      await assertRefused(a, tokenWith({ [name]: A }), name)
    }
  })

  test('a workspace with two audiences takes each of them, and nothing between', async () => {
    assert.equal((await post(both, TOOLS_LIST, { token: tokenWith({ aud: A }) })).status, 200)
    assert.equal((await post(both, TOOLS_LIST, { token: tokenWith({ aud: 'https://mcp.example/c' }) })).status, 200)
    await assertRefused(both, tokenWith({ aud: B }), 'B')
  })

  test('the refusal tells nobody what the audience should have been', async () => {
    const answer = await post(a, TOOLS_LIST, { token: tokenWith({ aud: B }) })
    const whole = answer.text + JSON.stringify([...answer.headers])
    assert.ok(!whole.includes(A), whole)
    assert.ok(!whole.includes(ISSUER), whole)
  })
})

/** Issues a credential that opens these workspaces. */
async function issue(
  noun: 'tokens' | 'keys' | 'sessions',
  workspaces: readonly string[],
): Promise<{ id: string; value: string }> {
  const names = { tokens: { description: 'x' }, keys: { name: 'x' }, sessions: { subject: 'x' } }
  const answer = await callApi(gateway, 'POST', `/api/${noun}`, { ...names[noun], workspaces })
  assert.equal(answer.status, 201, answer.text)
  return { id: String(at(answer.json, 'id')), value: String(at(answer.json, 'value')) }
}

suite('T2: what the gateway issued opens the workspaces that it was issued for, and no other', () => {
  for (const noun of ['tokens', 'keys', 'sessions'] as const) {
    test(`${noun} of A are refused by B before A has seen them, after A has cached them, and by every alias`, async () => {
      const { value } = await issue(noun, ['a'])
      await issue(noun, ['b'])
      assert.equal((await post(b, TOOLS_LIST, { token: value })).status, 401)
      for (let round = 0; round < 3; round += 1) {
        assert.equal((await callTool(a, value, 'listThings')).isError, false)
        for (const alias of ['', '/', '/mcp', '/sse', '/message', '/messages', '/mcp/message']) {
          assert.equal((await post(b + alias, TOOLS_LIST, { token: value })).status, 401, alias)
        }
      }
      const before = upstream.seen.length
      assert.equal((await callTool(b, value, 'listThings')).status, 401)
      assert.equal(upstream.seen.length, before, 'the upstream was called')
    })

    test(`${noun} that were taken away from A are refused by A from the next call, cached or not`, async () => {
      const { id, value } = await issue(noun, ['a', 'b'])
      for (const endpoint of [a, b, a, b])
        assert.equal((await post(endpoint, TOOLS_LIST, { token: value })).status, 200)
      const gone = await callApi(gateway, 'DELETE', `/api/${noun}/${id}/workspaces/a`)
      assert.equal(gone.status, 200, gone.text)
      assert.equal((await post(a, TOOLS_LIST, { token: value })).status, 401)
      assert.equal((await post(b, TOOLS_LIST, { token: value })).status, 200)
      await callApi(gateway, 'POST', `/api/${noun}/${id}/revoke`)
      assert.equal((await post(b, TOOLS_LIST, { token: value })).status, 401)
    })
  }

  test('of fifty calls at both doors around a revocation, none is let in that began after it', async () => {
    const { id, value } = await issue('tokens', ['a'])
    const attempt = async () => (await post(a, TOOLS_LIST, { token: value })).status
    assert.deepEqual([await attempt(), await attempt()], [200, 200])
    const before = Array.from({ length: 25 }, attempt)
    await callApi(gateway, 'POST', `/api/tokens/${id}/revoke`)
    for (const status of await Promise.all(Array.from({ length: 25 }, attempt))) assert.equal(status, 401)
    await Promise.all(before)
  })

  test('claims and headers cannot be written by anybody else: neither jti, nor kid, nor iss, nor aud opens anything', async () => {
    const { value } = await issue('tokens', ['a'])
    const [header, claims] = value
      .split('.', 2)
      .map((part): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString()))
    assert.ok(header !== undefined && claims !== undefined)
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const signed = (changedHeader: object, changedClaims: object) =>
      forge({ ...header, ...changedHeader }, { ...claims, ...changedClaims }, signWith(privateKey))
    const attempts = [
      signed({}, {}),
      signed({ kid: 'other' }, {}),
      signed({ kid: undefined }, {}),
      signed({ kid: undefined, jwk: publicKey.export({ format: 'jwk' }) }, {}),
      signed({ crit: ['exp'] }, {}),
      signed({}, { exp: undefined }),
      signed({}, { jti: '__proto__' }),
      signed({ typ: 'JWT' }, {}),
      forge({ ...header, alg: 'none' }, claims),
      forge({ ...header, alg: 'HS256' }, claims, hmacWith(SECRET)),
      // What the workspace's own verifier would take, under our name: it is asked for nothing.
      forge({ alg: 'HS256', typ: 'at+jwt' }, { ...claims, aud: A }, hmacWith(SECRET)),
      `${value.slice(0, value.lastIndexOf('.'))}.${Buffer.alloc(64).toString('base64url')}`,
    ]
    for (const [index, token] of attempts.entries()) {
      assert.equal((await post(a, TOOLS_LIST, { token })).status, 401, `attempt ${index}`)
    }
    assert.equal((await post(a, TOOLS_LIST, { token: value })).status, 200)
  })
})

import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { SignJWT } from 'jose'
import { close, listen, originOf, type Reply, sendReply } from '../../src/test-api/wire.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { adminOf, at, rpc, textAt } from './http.ts'

const ISSUER = 'https://provider.example'
const ADA = { sub: 'ada', email: 'ada@example.com', email_verified: true, name: 'Ada' }
const OK: Reply = { status: 200, body: ADA }

/** A provider that can be asked whose a token is. */
interface Provider extends AsyncDisposable {
  readonly url: string
  answer: Reply | 'drop' | 'wait'
  /** The tokens it was asked about. */
  readonly asked: readonly string[]
  readonly waiting: readonly ServerResponse[]
}

async function startProvider(): Promise<Provider> {
  const asked: string[] = []
  const waiting: ServerResponse[] = []
  const state: { answer: Provider['answer'] } = { answer: OK }
  const server = createServer(({ headers, socket }, response) => {
    asked.push(headers.authorization?.replace('Bearer ', '') ?? '')
    if (state.answer === 'drop') socket.destroy()
    else if (state.answer === 'wait') waiting.push(response)
    else sendReply(response, state.answer)
  })
  const url = originOf('127.0.0.1', await listen(server, { host: '127.0.0.1', port: 0 }))
  return Object.assign(state, { url, asked, waiting, [Symbol.asyncDispose]: () => close(server) })
}

interface Stand extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly endpoint: string
  readonly clock: { now: number }
  ping(token?: string): ReturnType<typeof rpc>
}

async function open({ url }: Provider, userinfo = {}, auth = {}): Promise<Stand> {
  const clock = { now: Date.now() }
  const gateway = await startGateway({ now: () => clock.now })
  const settings = {
    ...{ userinfoUrl: `${url}/userinfo`, issuer: ISSUER, allow: { domains: ['example.com'] }, allowAnyAudience: true },
    ...userinfo,
  }
  const { endpoint } = await gateway.makeWorkspace({
    name: 'guarded',
    auth: { authType: 'jwt', userinfo: settings, ...auth },
  })
  return {
    ...{ gateway, endpoint, clock },
    ping: (token) => rpc(endpoint, 'ping', token === undefined ? {} : { token }),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

const jwtOf = (claims: Readonly<Record<string, unknown>>) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode('x'.repeat(32)))

suite('a token that only its provider can read', () => {
  test('opens a workspace for whom the provider says it is; without one, or refused there, it is 401 (A30)', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    assert.equal((await stand.ping('opaque-1')).status, 200)
    assert.equal((await stand.ping()).status, 401)
    provider.answer = { status: 401 }
    const refused = await stand.ping('opaque-2')
    assert.equal(refused.status, 401)
    assert.equal(textAt(refused.body, 'error_description'), 'The token was refused by its provider')
    const logs = await adminOf(stand.gateway.url, stand.gateway.adminKey)('GET', '/api/logs')
    const [first] = [at(logs.body, 'lines', 0)]
    assert.deepEqual([at(first, 'issuer'), at(first, 'subject')], [ISSUER, 'ada'])
    assert.ok(!logs.text.includes('opaque-'))
    assert.ok(!stand.gateway.log.join('').includes('opaque-'))
  })

  test('is asked for once in five minutes, and once by however many calls (A30)', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    const all = await Promise.all(Array.from({ length: 20 }, () => stand.ping('opaque')))
    assert.ok(all.every(({ status }) => status === 200))
    assert.equal(provider.asked.length, 1)
    stand.clock.now += 299_000
    await stand.ping('opaque')
    assert.equal(provider.asked.length, 1)
    stand.clock.now += 1_000
    provider.answer = { status: 401 }
    assert.equal((await stand.ping('opaque')).status, 401)
    assert.equal(provider.asked.length, 2)
  })

  test('is not remembered past its own end, and not asked for after it (A30)', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    const token = await jwtOf({ iss: ISSUER, exp: Math.floor(stand.clock.now / 1000) + 60 })
    assert.equal((await stand.ping(token)).status, 200)
    stand.clock.now += 60_000
    const ended = await stand.ping(token)
    assert.deepEqual([ended.status, textAt(ended.body, 'error_description')], [401, 'JWT token has expired'])
    assert.equal(provider.asked.length, 1)
  })

  test('that was refused is not asked for again for ten seconds (A30)', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    provider.answer = { status: 401 }
    for (let count = 0; count < 5; count += 1) assert.equal((await stand.ping('opaque')).status, 401)
    assert.equal(provider.asked.length, 1)
    provider.answer = OK
    stand.clock.now += 10_000
    assert.equal((await stand.ping('opaque')).status, 200)
  })

  const outages: readonly { name: string; answer: Provider['answer'] }[] = [
    { name: 'cannot be reached', answer: 'drop' },
    { name: 'answers 500', answer: { status: 500, body: ADA } },
    { name: 'answers 429', answer: { status: 429, body: ADA } },
    { name: 'answers 404', answer: { status: 404, body: ADA } },
    { name: 'sends us elsewhere', answer: { status: 302, headers: { location: '/userinfo' } } },
    { name: 'answers no JSON', answer: { status: 200, text: { content: '<html>', type: 'text/html' } } },
    { name: 'answers a list', answer: { status: 200, body: [ADA] } },
    { name: 'answers without end', answer: { status: 200, body: { ...ADA, x: 'x'.repeat(100_000) } } },
  ]
  for (const { name, answer } of outages) {
    test(`of a provider that ${name} is 503, lets nobody in, and is good as soon as it is well (A30)`, async () => {
      await using provider = await startProvider()
      await using stand = await open(provider)
      provider.answer = answer
      const failed = await stand.ping('opaque')
      assert.equal(failed.status, 503)
      assert.ok(failed.headers.get('retry-after'))
      provider.answer = OK
      assert.equal((await stand.ping('opaque')).status, 200)
    })
  }

  const persons = [
    { name: 'of another domain', person: { ...ADA, email: 'ada@a.example.com' } },
    { name: 'whose e-mail is not verified', person: { ...ADA, email_verified: false } },
    { name: 'whose e-mail only seems verified', person: { ...ADA, email_verified: 'true' } },
    { name: 'without an e-mail', person: { sub: 'ada' } },
  ]
  for (const { name, person } of persons) {
    test(`of somebody ${name} is 403 where allow names a domain (T11)`, async () => {
      await using provider = await startProvider()
      await using stand = await open(provider)
      provider.answer = { status: 200, body: person }
      for (let count = 0; count < 3; count += 1) assert.equal((await stand.ping('opaque')).status, 403)
      assert.equal(provider.asked.length, 1)
      await using anyone = await open(provider, { allow: 'anyone' })
      assert.equal((await anyone.ping('opaque')).status, 200)
    })
  }

  test('without a subject is nobody’s; subjectClaim names another, such as GitHub’s id', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider, { allow: 'anyone' })
    for (const body of [{ id: 7 }, { sub: '' }, { sub: null }, { sub: { a: 1 } }]) {
      provider.answer = { status: 200, body }
      assert.equal((await stand.ping(`opaque-${JSON.stringify(body).length}`)).status, 401)
    }
    await using github = await open(provider, { allow: 'anyone', subjectClaim: 'id' })
    provider.answer = { status: 200, body: { id: 7 } }
    assert.equal((await github.ping('opaque')).status, 200)
  })
})

suite('the provider is not sent', () => {
  test('tokens of others: a JWT of another issuer, a key of ours, what is no token', async () => {
    await using provider = await startProvider()
    const callers = testCallers()
    await using stand = await open(provider, {}, { jwt: callers.auth.jwt })
    assert.equal((await stand.ping(await callers.token())).status, 200)
    assert.equal((await stand.ping(await jwtOf({ iss: 'https://other.example' }))).status, 401)
    assert.equal((await stand.ping(await jwtOf({}))).status, 401)
    assert.equal((await stand.ping('mcp_sk_nobody-has-made-this-one')).status, 401)
    for (const odd of ['a"b', 'ä', '<x>', 'x'.repeat(9_000)]) assert.equal((await stand.ping(odd)).status, 401, odd)
    assert.deepEqual(provider.asked, [])
  })

  test('more than fifty questions at once, whoever makes up tokens', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    provider.answer = 'wait'
    const statuses: number[] = []
    const guesses = Array.from({ length: 60 }, async (_, index) => {
      statuses.push((await stand.ping(`guess-${index}`)).status)
    })
    while (provider.waiting.length < 50 || statuses.length < 10) await new Promise((resolve) => setImmediate(resolve))
    for (const response of provider.waiting) sendReply(response, { status: 401 })
    await Promise.all(guesses)
    assert.deepEqual([provider.asked.length, statuses.filter((status) => status === 503).length], [50, 10])
  })
})

suite('such tokens are taken only', () => {
  const good = {
    userinfoUrl: 'https://provider.example/userinfo',
    issuer: ISSUER,
    allow: 'anyone',
    allowAnyAudience: true,
  }
  const cases = [
    {
      name: 'with allowAnyAudience',
      userinfo: { ...good, allowAnyAudience: undefined },
      says: /for whom a token was issued/,
    },
    {
      name: 'with allowAnyAudience: true',
      userinfo: { ...good, allowAnyAudience: false },
      says: /must be written as true/,
    },
    { name: 'with allow', userinfo: { ...good, allow: undefined }, says: /userinfo.allow/ },
    {
      name: 'over https',
      userinfo: { ...good, userinfoUrl: 'http://93.184.216.34/u' },
      says: /userinfoUrl must be https/,
    },
  ]
  for (const { name, userinfo, says } of cases) {
    test(`${name}: otherwise it does not start, and says why (A30)`, async () => {
      await assert.rejects(startGateway({ config: { auth: { authType: 'jwt', userinfo } } }), says)
    })
  }

  test('with a warning in the log', async () => {
    await using provider = await startProvider()
    await using stand = await open(provider)
    assert.match(stand.gateway.log.join(''), /cannot know for whom it was issued/)
  })
})

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { adminClient } from '../../src/testing/clients.ts'
import {
  AUDIENCE,
  call,
  type Door,
  type IdentityProvider,
  reasonOf,
  startDoor,
  startIdentityProvider,
} from './inbound-door.ts'

const UNKNOWN_KEY = '401 JWT verification failed: unknown key id (kid)'
const SECONDS = 1_000

/** A provider, a gateway that asks it, and the two clocks: of tokens and keys, and of the deadlines of calls. */
async function openDoor() {
  await using parts = new AsyncDisposableStack()
  let now = Date.now()
  let egressMs = 0
  const idp = parts.use(await startIdentityProvider(() => now))
  const egress = { now: () => performance.now() + egressMs }
  const door = parts.use(await startDoor({ now: () => now, egress }))
  const held = parts.move()
  return {
    ...{ idp, door },
    open: (slug?: string) => door.open(byKeySet(idp), slug),
    wait: (milliseconds: number) => {
      now += milliseconds
    },
    passDeadline: () => {
      egressMs += 5 * SECONDS + 1
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

const text = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}, status = 200): RequestListener => {
  return (_request, response) => response.writeHead(status, headers).end(body)
}

const faults: readonly { readonly name: string; readonly answer: RequestListener; readonly says: RegExp }[] = [
  { name: 'drops the connection', answer: (_, response) => response.destroy(), says: /the connection was dropped/ },
  { name: 'answers 500', answer: text('{"keys":[]}', {}, 500), says: /it answered 500/ },
  { name: 'answers 404', answer: text('', {}, 404), says: /it answered 404/ },
  { name: 'redirects', answer: text('', { location: 'http://127.0.0.1:1/jwks' }, 302), says: /it answered 302/ },
  { name: 'answers with a page', answer: text('<html>log in</html>'), says: /the answer is not a JWK set/ },
  { name: 'answers with half a set', answer: text('{"keys":[{"kty":"EC"'), says: /the answer is not a JWK set/ },
  { name: 'answers with a list', answer: text('[]'), says: /the answer is not a JWK set/ },
  { name: 'answers with keys that are no list', answer: text('{"keys":{}}'), says: /the answer is not a JWK set/ },
  { name: 'answers with nothing', answer: text(''), says: /the answer is not a JWK set/ },
  {
    name: 'answers with ten megabytes',
    answer: text(Buffer.alloc(10_000_000, ' ')),
    says: /answered with more than the limit of 524\.3 KB/,
  },
  {
    name: 'answers with a hundred packed megabytes',
    answer: text(gzipSync(Buffer.alloc(100_000_000, ' ')), { 'content-encoding': 'gzip' }),
    says: /answered with more than the limit of 524\.3 KB/,
  },
]

suite('a key server that', () => {
  for (const { name, answer, says } of faults) {
    test(`${name} at the start lets nobody in, with 503, until it is well again (A24)`, async () => {
      await using the = await openDoor()
      the.idp.misbehave(answer)
      const endpoint = await the.open()
      assert.match(the.door.gateway.log.join(''), says)
      const token = await the.idp.token()
      for (let count = 0; count < 5; count += 1) assert.equal((await call(endpoint, token)).status, 503)
      assert.equal(the.idp.gets, 1, 'it is not asked for every call')
      the.idp.misbehave(undefined)
      assert.equal((await call(endpoint, token)).status, 503, 'nor at once')
      the.wait(5 * SECONDS)
      assert.equal((await call(endpoint, token)).status, 200)
      assert.equal(the.idp.gets, 2)
      assert.equal(the.door.calls(), 1)
    })

    test(`${name} while it rotates: the known key keeps working, the new one once it is well again (A10, A24)`, async () => {
      await using the = await openDoor()
      const endpoint = await the.open()
      const old = await the.idp.token({ exp: Math.floor(Date.now() / 1000) + 86_400 })
      await the.idp.rotate()
      the.idp.misbehave(answer)
      const next = await the.idp.token()
      assert.equal(reasonOf(await call(endpoint, next)), UNKNOWN_KEY)
      assert.equal((await call(endpoint, old)).status, 200)
      // Past the time after which keys are fetched again, and past the one after which a call waits for that.
      for (const waitMs of [11 * 60 * SECONDS, 61 * 60 * SECONDS]) {
        the.wait(waitMs)
        assert.equal((await call(endpoint, old)).status, 200)
      }
      the.idp.misbehave(undefined)
      the.wait(31 * SECONDS)
      // The last fetch behind its back may still be under way; whoever comes now waits for its end.
      await call(endpoint, await the.idp.token({}, { kid: 'nobody' }))
      assert.equal((await call(endpoint, await the.idp.token())).status, 200)
      assert.equal(reasonOf(await call(endpoint, await the.idp.token({}, { kid: 'key-0' }))), UNKNOWN_KEY)
    })
  }
})

suite('a key server that never answers', () => {
  test('is given up after 5 s; a hundred calls that wait meanwhile have asked it once (A10)', async () => {
    await using the = await openDoor()
    const asked = nextRequests(the.idp)
    const opening = the.open()
    await asked.next()
    the.passDeadline()
    const endpoint = await opening
    assert.match(the.door.gateway.log.join(''), /could not be fetched: The server did not answer within 5 s/)

    the.wait(5 * SECONDS)
    const token = await the.idp.token()
    const calls = Array.from({ length: 100 }, () => call(endpoint, token))
    await asked.next()
    the.passDeadline()
    for (const { status } of await Promise.all(calls)) assert.equal(status, 503)
    assert.equal(the.idp.gets, 2)
    assert.equal(the.door.calls(), 0)
  })

  test('holds up nobody whose key is known and fresh enough, and the others no longer than that (A10, A24)', async () => {
    await using the = await openDoor()
    const endpoint = await the.open()
    const token = await the.idp.token({ exp: Math.floor(Date.now() / 1000) + 86_400 })
    const asked = nextRequests(the.idp)

    the.wait(11 * 60 * SECONDS)
    assert.equal((await call(endpoint, token)).status, 200, 'the set is fetched again behind its back')
    await asked.next()
    assert.equal((await call(endpoint, token)).status, 200)
    const strangers = Array.from({ length: 20 }, async (_, count) =>
      call(endpoint, await the.idp.token({}, { kid: `k${count}` })),
    )
    the.passDeadline()
    for (const reply of await Promise.all(strangers)) assert.equal(reasonOf(reply), UNKNOWN_KEY)

    the.wait(61 * 60 * SECONDS)
    const waiting = call(endpoint, token)
    await asked.next()
    the.passDeadline()
    assert.equal((await waiting).status, 200)
  })
})

test('providers that never answer hold up neither each other, nor a start, nor what others change (A24)', async () => {
  await using the = await openDoor()
  const { gateway } = the.door
  const admin = adminClient(gateway)
  let all = Promise.withResolvers<void>()
  let asked = 0
  the.idp.misbehave(() => {
    asked += 1
    if (asked % 3 === 0) all.resolve()
  })
  for (const name of ['one', 'two', 'three']) {
    const jwt = { jwksUrl: `${the.idp.jwksUrl}?${name}`, issuer: the.idp.issuer, audience: AUDIENCE }
    const made = await admin.send('POST', '/api/workspaces', { name, auth: { authType: 'jwt', jwt } })
    assert.equal(made.status, 201)
  }
  await all.promise
  assert.doesNotMatch(gateway.log.join(''), /could not be fetched/, 'nobody has waited for a deadline')

  all = Promise.withResolvers()
  const from = gateway.log.length
  const restarted = gateway.restart()
  await all.promise
  assert.doesNotMatch(gateway.log.slice(from).join(''), /did not answer within/)
  the.passDeadline()
  await restarted
  assert.match(gateway.log.slice(from).join(''), /did not answer within 5 s/)
})

suite('a key set', () => {
  test('of ten thousand keys is read to the hundredth: a key there is used, one behind it is not (A12)', async () => {
    for (const { before, status } of [
      { before: 99, status: 200 },
      { before: 100, status: 401 },
    ]) {
      await using the = await openDoor()
      const junk = (length: number) => Array.from({ length }, (_, index) => ({ kty: 'x', kid: `${index}` }))
      the.idp.keys.unshift(...junk(before))
      the.idp.keys.push(...junk(10_000))
      const endpoint = await the.open()
      assert.equal((await call(endpoint, await the.idp.token())).status, status)
    }
  })

  test('with two keys of one id: neither is used, the others are (A12)', async () => {
    await using the = await openDoor()
    await using other = await startIdentityProvider()
    const [own] = the.idp.keys
    the.idp.keys.push(...other.keys.map((key) => Object.assign({}, key, { kid: 'third' })))
    const endpoint = await the.open('unique')
    assert.equal((await call(endpoint, await the.idp.token())).status, 200)
    assert.equal((await call(endpoint, await other.token({ iss: the.idp.issuer }, { kid: 'third' }))).status, 200)

    const exp = Math.floor(Date.now() / 1000) + 86_400
    the.idp.keys.splice(0, the.idp.keys.length, own, ...other.keys, ...the.idp.keys.slice(1))
    the.wait(61 * 60 * SECONDS)
    const twice = await the.idp.token()
    assert.equal(reasonOf(await call(endpoint, twice)), UNKNOWN_KEY)
    assert.equal(reasonOf(await call(endpoint, await other.token({ iss: the.idp.issuer }))), UNKNOWN_KEY)
    assert.equal((await call(endpoint, await other.token({ iss: the.idp.issuer, exp }, { kid: 'third' }))).status, 200)
  })

  const wrong: readonly { readonly name: string; readonly change: object; readonly reason: string }[] = [
    { name: 'for encryption', change: { use: 'enc' }, reason: UNKNOWN_KEY },
    { name: 'of an unknown use', change: { use: 'sign' }, reason: UNKNOWN_KEY },
    { name: 'that may only sign', change: { key_ops: ['sign'] }, reason: UNKNOWN_KEY },
    { name: 'that may do nothing', change: { key_ops: [] }, reason: UNKNOWN_KEY },
    { name: 'for another algorithm of its kind', change: { alg: 'ES384' }, reason: UNKNOWN_KEY },
    { name: 'for an algorithm of another kind', change: { alg: 'RS256' }, reason: UNKNOWN_KEY },
    { name: 'for a shared secret', change: { alg: 'HS256' }, reason: UNKNOWN_KEY },
    { name: 'for no algorithm', change: { alg: 'none' }, reason: UNKNOWN_KEY },
    { name: 'whose private half is published', change: { d: 'AAAA' }, reason: UNKNOWN_KEY },
    { name: 'on another curve', change: { crv: 'secp256k1' }, reason: UNKNOWN_KEY },
    { name: 'whose id is a number', change: { kid: 0 }, reason: UNKNOWN_KEY },
  ]
  for (const { name, change, reason } of wrong) {
    test(`with a key ${name}: a token of it is refused, and the key beside it is used (A12, A13)`, async () => {
      await using the = await openDoor()
      await using other = await startIdentityProvider()
      const [odd] = other.keys
      the.idp.keys.push(Object.assign({}, odd, { kid: 'odd' }, change))
      const endpoint = await the.open()
      assert.equal(reasonOf(await call(endpoint, await other.token({ iss: the.idp.issuer }, { kid: 'odd' }))), reason)
      assert.equal((await call(endpoint, await the.idp.token())).status, 200)
    })
  }

  test('with an RSA key under 2,048 bits: it is not used (A12)', async () => {
    await using the = await openDoor()
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    the.idp.keys.push({ ...publicKey.export({ format: 'jwk' }), kid: 'short' })
    const endpoint = await the.open()
    assert.equal(reasonOf(await call(endpoint, await the.idp.token({}, { kid: 'short' }))), UNKNOWN_KEY)
  })

  test('that lost a key which was taken back: it opens nothing an hour later, however quiet it was (A10)', async () => {
    await using the = await openDoor()
    const endpoint = await the.open()
    const stolen = await the.idp.token({ exp: Math.floor(Date.now() / 1000) + 86_400 })
    assert.equal((await call(endpoint, stolen)).status, 200)
    await the.idp.rotate()
    the.wait(61 * 60 * SECONDS)
    assert.equal(reasonOf(await call(endpoint, stolen)), UNKNOWN_KEY)
  })
})

/** From now on the provider never answers; `next` resolves when it is asked once more. */
function nextRequests(idp: IdentityProvider): { next(): Promise<void> } {
  let arrived = Promise.withResolvers<void>()
  idp.misbehave(() => arrived.resolve())
  return {
    async next() {
      await arrived.promise
      arrived = Promise.withResolvers<void>()
    },
  }
}

function byKeySet({ jwksUrl, issuer }: IdentityProvider): Parameters<Door['open']>[0] {
  return { authType: 'jwt', jwt: { jwksUrl, issuer, audience: AUDIENCE } }
}

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { close, listen } from '../../src/test-api/wire.ts'
import { documentWith, openShop, type Shop } from '../faults/support/bystander.ts'
import { type IdentityProvider, startIdentityProvider } from '../flows/inbound-door.ts'
import { at, callTool, post, TOOLS_LIST } from './support/client.ts'

/**
 * T29: whoever can send a request sends very many, very slow or very strange ones, or makes us fetch what never ends. What that
 * costs is counted: calls to the identity provider, bytes taken, connections held, memory that stays. Others are served.
 */
const AUDIENCE = 'https://gateway.example'
const STORM = 200

let shop: Shop
let now = Date.now()

before(async () => {
  shop = await openShop({ now: () => now, config: { requestTimeoutMs: 1_000 } })
})

after(() => shop[Symbol.asyncDispose]())

suite('T29: a storm of tokens asks the identity provider next to nothing', () => {
  const storms: readonly {
    readonly name: string
    readonly token: (idp: IdentityProvider, index: number) => Promise<string>
    /** GETs that the whole storm may cause, in each half minute. */
    readonly getsMax: number
  }[] = [
    { name: 'key ids that nobody has', token: (idp, index) => idp.token({}, { kid: `made-up-${index}` }), getsMax: 1 },
    {
      name: 'very long key ids',
      token: (idp, index) => idp.token({}, { kid: `${index}${'k'.repeat(8_000)}` }),
      getsMax: 1,
    },
    { name: 'no key id', token: (idp) => idp.token({}, { kid: undefined }), getsMax: 0 },
    { name: 'other issuers', token: (idp, index) => idp.token({ iss: `https://${index}.example` }), getsMax: 0 },
    {
      name: 'broken signatures',
      token: async (idp, index) => `${(await idp.token()).slice(0, -8)}${100_000_000 + index}`.slice(0, -1),
      getsMax: 0,
    },
    { name: 'other algorithms', token: (idp, index) => idp.token({}, { kid: `${index}`, typ: 'x' }), getsMax: 0 },
    {
      name: 'addresses of keys in the token',
      token: (idp, index) => idp.token({}, { jku: `${idp.jwksUrl}?${index}`, kid: 'key-0' }),
      getsMax: 0,
    },
  ]
  for (const { name, token, getsMax } of storms) {
    test(`three times ${STORM} with ${name}, at three workspaces: at most ${getsMax} GETs in half a minute`, async () => {
      await using idp = await startIdentityProvider(() => now)
      const auth = { authType: 'jwt', jwt: { jwksUrl: idp.jwksUrl, issuer: idp.issuer, audience: AUDIENCE } }
      const made = await Promise.all(['a', 'b', 'c'].map((tail) => shop.make({ name: `storm ${tail}`, auth })))
      for (const round of [1, 2, 3]) {
        const before = idp.gets
        const storm = Array.from({ length: STORM }, async (_, index) => {
          const sent = await token(idp, round * STORM + index)
          return post(made[index % 3]?.endpoint ?? '', TOOLS_LIST, { token: sent })
        })
        await shop.assertOthersAreServed()
        const statuses = new Set((await Promise.all(storm)).map(({ status }) => status))
        if (name === 'addresses of keys in the token') assert.deepEqual([...statuses], [200], 'they are not looked at')
        else assert.deepEqual([...statuses], [401])
        assert.ok(idp.gets - before <= getsMax, `${idp.gets - before} GETs in round ${round}`)
        assert.equal((await post(made[0]?.endpoint ?? '', TOOLS_LIST, { token: await idp.token() })).status, 200)
        now += 30_000
      }
    })
  }
})

suite('T29: who is slow to send is cut off, and holds up nobody', () => {
  const heads = [
    { name: 'the address', text: 'POST /', drip: 'a' },
    { name: 'its headers', text: 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n', drip: 'X-A: 1\r\n' },
    { name: 'one header', text: 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: ', drip: 'a' },
    { name: 'nothing at all', text: '', drip: '' },
  ]
  for (const { name, text, drip } of heads) {
    test(`200 connections that drip ${name}`, async () => {
      const { port } = new URL(shop.gateway.url)
      await assertCutOff(Number(port), text, drip)
    })
  }

  test('200 connections that drip a body, with a good token', async () => {
    const { endpoint } = await shop.make({ name: 'dripped' })
    const { port, host, pathname } = new URL(endpoint)
    const head = [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${shop.token}`,
      'Content-Type: application/json',
      'Content-Length: 100000',
    ]
    await assertCutOff(Number(port), `${head.join('\r\n')}\r\n\r\n{`, ' ')
  })

  test('a head without an end is refused at its limit', async () => {
    const { port } = new URL(shop.gateway.url)
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${`X-A: ${'a'.repeat(8_000)}\r\n`.repeat(10)}`
    const { text } = await dripping(Number(port), head, '')
    assert.match(text, /^HTTP\/1\.1 431 /)
    await shop.assertOthersAreServed()
  })
})

suite('T29: an answer without an end is cut off, and holds up nobody', () => {
  const upstream = (url: string, more: object) => {
    const source = { document: documentWith(url, { '/endless': { get: { operationId: 'getEndless' } } }) }
    return shop.make({ name: 'endless', source, ...more })
  }

  test('of an API, in twenty calls at once: each takes its limit and no more', async () => {
    await using endless = await startEndless()
    const { endpoint } = await upstream(endless.url, { upstream: { responseBytesMax: 1_000_000 } })
    const calls = Array.from({ length: 20 }, () => callTool(endpoint, shop.token, 'getEndless'))
    await shop.assertOthersAreServed()
    for (const called of await Promise.all(calls)) assert.match(called.result, /more than the limit of 1 MB/)
    await endless.allClosed()
    assert.ok(endless.sentBytes() < 20 * 6_000_000, `${endless.sentBytes()} bytes were taken`)
  })

  test('of a login: it is one, however many calls wait for it', async () => {
    await using endless = await startEndless()
    const params = { login_url: `${endless.url}/login`, username: 'ada', password: 'pw' }
    const { endpoint } = await upstream(endless.url, { upstream: { auth: { type: 'bearer' } }, params })
    const calls = Array.from({ length: 20 }, () => callTool(endpoint, shop.token, 'getEndless'))
    await shop.assertOthersAreServed()
    for (const called of await Promise.all(calls)) assert.match(called.result, /more than the limit of 1 MB/)
    await endless.allClosed()
    assert.equal(endless.requests(), 1)
    assert.ok(endless.sentBytes() < 8_000_000, `${endless.sentBytes()} bytes were taken`)
  })

  test('of an identity provider: nobody comes in, and it is asked once', async () => {
    await using endless = await startEndless()
    await using idp = await startIdentityProvider(() => now)
    const jwt = { jwksUrl: `${endless.url}/jwks`, issuer: idp.issuer, audience: AUDIENCE }
    const { endpoint } = await shop.make({ name: 'endless keys', auth: { authType: 'jwt', jwt } })
    for (let count = 0; count < 20; count += 1) {
      assert.equal((await post(endpoint, TOOLS_LIST, { token: await idp.token() })).status, 503)
    }
    await endless.allClosed()
    assert.equal(endless.requests(), 1)
    assert.ok(endless.sentBytes() < 8_000_000, `${endless.sentBytes()} bytes were taken`)
  })
})

suite('T29: a flood leaves nothing behind', () => {
  // What each would keep without its bound is several times the limit.
  const floods = [
    { kind: 'sessions', name: 'initialize, 3,000 times', first: 500, second: 3_000, status: '200' },
    { kind: 'tokens', name: 'long tokens, good ones, 1,000 of them', first: 1_500, second: 1_000, status: '200' },
    {
      kind: 'refused tokens',
      name: 'tokens that are refused, 2,500 of them',
      // After 300 what V8 makes of the code still grows, as much as the limit is.
      first: 3_000,
      second: 2_500,
      status: '401',
    },
    { kind: 'addresses', name: 'addresses of nothing, 1,500 of them', first: 300, second: 1_500, status: '404' },
  ]
  for (const { kind, name, first, second, status } of floods) {
    test(`${name}: memory is what it was`, async () => {
      const file = join(import.meta.dirname, 'support/measured-flood.ts')
      const args = ['--expose-gc', file, kind, String(first), String(second)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 90_000 })
      const seen = JSON.parse(stdout)
      assert.deepEqual(at(seen, 'statuses'), { [status]: first + second })
      assert.ok(Number(at(seen, 'grownMb')) < 1.5, stdout)
    })
  }
})

/** Two hundred connections send this and then drip; each is closed in a few seconds, and others are served all the while. */
async function assertCutOff(port: number, text: string, drip: string): Promise<void> {
  const startedAt = performance.now()
  let open = 200
  const slow = Array.from({ length: open }, () =>
    dripping(port, text, drip).finally(() => {
      open -= 1
    }),
  )
  while (open > 0) await shop.assertOthersAreServed()
  for (const { text: answer } of await Promise.all(slow)) assert.match(answer, /^(HTTP\/1\.1 408 |$)/)
  assert.ok(performance.now() - startedAt < 8_000, `they held on for ${performance.now() - startedAt} ms`)
}

/** Sends, then a piece every 50 ms, until the other side closes. */
function dripping(port: number, text: string, drip: string): Promise<{ readonly text: string }> {
  return new Promise((resolve) => {
    let answer = ''
    let timer: NodeJS.Timeout | undefined
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.write(text)
      timer = setInterval(() => socket.write(drip), 50)
    })
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      answer += chunk
    })
    // Cut off while it writes: that is what is asked for.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearInterval(timer)
      resolve({ text: answer })
    })
  })
}

/** A server whose answers never end. */
async function startEndless() {
  let sent = 0
  let requests = 0
  const closed: Promise<void>[] = []
  const piece = Buffer.alloc(100_000, ' ')
  const listener: RequestListener = (_request, response) => {
    requests += 1
    const end = Promise.withResolvers<void>()
    closed.push(end.promise)
    const more = () => {
      while (!response.destroyed) {
        sent += piece.length
        if (!response.write(piece)) return
      }
    }
    response.on('drain', more).on('close', end.resolve).on('error', end.resolve)
    more()
  }
  const server = createServer(listener)
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    sentBytes: () => sent,
    allClosed: () => Promise.all(closed),
    [Symbol.asyncDispose]: () => close(server),
  }
}

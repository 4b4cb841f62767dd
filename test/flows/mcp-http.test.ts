import assert from 'node:assert/strict'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { LIST_TOOLS, type Reply, send, startDoor } from './inbound-door.ts'

const ALIASES = ['/mcp', '/sse', '/message', '/messages', '/mcp/message']
const BODY = JSON.stringify(LIST_TOOLS)
const METADATA_PATH = '/.well-known/oauth-protected-resource'
const ORIGIN = 'https://app.example'
const OPEN = { authType: 'none' } as const

test('Host and Origin', async (t) => {
  await using door = await startDoor({
    config: { allowedOrigins: [ORIGIN], allowedHosts: ['gateway.example'], auth: OPEN },
  })
  const endpoint = await door.open(OPEN)
  const { pathname, port } = new URL(endpoint)

  for (const Host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '0.0.0.0',
  ]) {
    await t.test(`Host ${JSON.stringify(Host)} is 403 on every surface (F8)`, async () => {
      for (const path of [pathname, '/mcp', '/api/workspaces', `${METADATA_PATH}${pathname}`, '/nothing']) {
        const { status, headers } = await raw(endpoint, { path, headers: { Host } })
        assert.equal(status, 403, path)
        assert.equal(headers['www-authenticate'], undefined)
      }
    })
  }

  for (const Host of [
    'localhost',
    `localhost:${port}`,
    '127.0.0.1:1',
    '[::1]',
    '[::1]:80',
    'LOCALHOST',
    'gateway.example',
  ]) {
    await t.test(`Host ${Host} is ours (F8)`, async () => {
      assert.equal((await raw(endpoint, { headers: { Host } })).status, 200)
    })
  }

  await t.test('a request without a Host, or with an empty one, is refused (F8)', async () => {
    for (const start of ['HTTP/1.0', 'HTTP/1.1\r\nHost:']) {
      const head = `POST ${pathname} ${start}\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}`
      assert.match(await talk(endpoint, `${head}\r\nConnection: close\r\n\r\n${BODY}`), /^HTTP\/1\.1 403 /)
    }
  })

  for (const origin of [
    'https://evil.example',
    'http://app.example',
    `${ORIGIN}:8443`,
    `${ORIGIN}.evil.example`,
    'null',
    'file://',
  ]) {
    await t.test(`Origin ${origin} is 403, is told no CORS header, and nothing is called (F8)`, async () => {
      for (const method of ['POST', 'GET', 'DELETE', 'OPTIONS']) {
        const reply = await raw(endpoint, { method, headers: { Origin: origin } })
        assert.equal(reply.status, 403, method)
        assert.equal(reply.headers['access-control-allow-origin'], undefined)
      }
    })
  }

  await t.test(
    'an Origin that is listed may call; while we listen on loopback, so may pages of this machine (F8)',
    async () => {
      for (const Origin of [ORIGIN, 'http://localhost:6274', 'http://127.0.0.1:3000', 'http://[::1]:5173']) {
        const { status, headers } = await raw(endpoint, { headers: { Origin } })
        assert.equal(status, 200, Origin)
        assert.equal(headers['access-control-allow-origin'], Origin)
      }
    },
  )
})

test('CORS', async (t) => {
  await using door = await startDoor({ config: { allowedOrigins: [ORIGIN] } })
  const endpoint = await door.open({
    authType: 'jwt',
    jwt: { secret: 'Qm7rXc2pLw9vTz4kNf6hJd8sGy3bAe5u', audience: 'x' },
  })

  await t.test('a preflight of a listed origin is granted, for what clients send (F9)', async () => {
    const asked =
      'authorization, content-type, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, mcp-param-region'
    const reply = await raw(endpoint, {
      method: 'OPTIONS',
      headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': asked },
    })
    assert.equal(reply.status, 204)
    assert.equal(reply.headers['access-control-allow-origin'], ORIGIN)
    assert.equal(reply.headers.vary, 'Origin')
    const methods = listed(reply.headers['access-control-allow-methods'])
    for (const method of ['get', 'post', 'delete']) assert.ok(methods.includes(method), method)
    const granted = listed(reply.headers['access-control-allow-headers'])
    for (const name of listed(asked)) assert.ok(granted.includes(name), name)
    assert.ok(!granted.includes('*') && !methods.includes('*'))
    assert.equal(reply.headers['access-control-allow-credentials'], undefined)
  })

  await t.test('a page can read the session id and the challenge, on refusals too (F9)', async () => {
    const { status, headers } = await raw(endpoint, { headers: { Origin: ORIGIN } })
    assert.equal(status, 401)
    assert.equal(headers['access-control-allow-origin'], ORIGIN)
    const exposed = listed(headers['access-control-expose-headers'])
    for (const name of ['mcp-session-id', 'www-authenticate']) assert.ok(exposed.includes(name), name)
    assert.ok(!exposed.includes('*'))
  })

  await t.test('an origin that is not listed, and a request without one, get no CORS header (F9)', async () => {
    const others: readonly Readonly<Record<string, string>>[] = [{ Origin: 'https://evil.example' }, {}]
    for (const headers of others) {
      for (const method of ['OPTIONS', 'POST']) {
        const names = Object.keys((await raw(endpoint, { method, headers })).headers)
        assert.deepEqual(
          names.filter((name) => name === 'access-control-allow-origin'),
          [],
        )
      }
    }
  })

  await t.test('* as an allowed origin does not start (F9)', async () => {
    const started = startDoor({ config: { allowedOrigins: ['*'] } }).then((other) => other[Symbol.asyncDispose]())
    await assert.rejects(started, /allowedOrigins: \* is not allowed/)
  })
})

test('the HTTP rules of the endpoint', async (t) => {
  await using door = await startDoor({ config: { bodyBytesMax: 2048, requestTimeoutMs: 1000 } })
  const endpoint = await door.open(OPEN)
  const { pathname } = new URL(endpoint)

  await t.test('notifications and responses are 202 without a body (F12)', async () => {
    for (const body of [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 1, result: {} },
    ]) {
      const { status, text } = await send(endpoint, { body })
      assert.deepEqual([status, text], [202, ''])
    }
  })

  for (const method of ['PUT', 'PATCH', 'HEAD']) {
    await t.test(`${method} is 405 and says what is allowed (F12)`, async () => {
      const reply = await send(endpoint, { method, headers: { Accept: 'text/event-stream' } })
      assert.equal(reply.status, 405)
      assert.deepEqual(listed(reply.headers.get('allow') ?? ''), ['get', 'post', 'delete', 'options'])
    })
  }

  for (const Accept of ['application/json', '*/*', 'text/event-streams', 'text/html']) {
    await t.test(`GET with Accept ${Accept} is 405: it takes no events (F4)`, async () => {
      for (const alias of ['', ...ALIASES]) {
        assert.equal((await raw(endpoint, { method: 'GET', path: pathname + alias, headers: { Accept } })).status, 405)
      }
    })
  }

  await t.test('GET on /message is 405 whatever it takes: that is where messages are POSTed (F4)', async () => {
    for (const alias of ['/message', '/messages', '/mcp/message']) {
      const headers = { Accept: 'text/event-stream' }
      assert.equal((await raw(endpoint, { method: 'GET', path: pathname + alias, headers })).status, 405)
    }
  })

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'text/json', '']) {
    await t.test(`Content-Type ${JSON.stringify(type)} is 415 (F12)`, async () => {
      assert.equal((await raw(endpoint, { headers: { 'Content-Type': type } })).status, 415)
    })
  }

  await t.test('Content-Type application/json may name a charset, in any case (F12)', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8']) {
      assert.equal((await raw(endpoint, { headers: { 'Content-Type': type } })).status, 200, type)
    }
  })

  await t.test('an Accept without JSON is 406 (F12)', async () => {
    assert.equal((await raw(endpoint, { headers: { Accept: 'text/html' } })).status, 406)
  })

  await t.test('a body over the limit is 413, declared or in pieces, and the connection is closed (F12)', async () => {
    const long = JSON.stringify({ ...LIST_TOOLS, params: { padding: 'x'.repeat(2048) } })
    const declared = await raw(endpoint, { body: long })
    assert.equal(declared.status, 413)
    assert.equal(declared.headers.connection, 'close')
    const pieces = await raw(endpoint, { body: long, headers: { 'Transfer-Encoding': 'chunked' } })
    assert.equal(pieces.status, 413)
    const fitting = JSON.stringify({ ...LIST_TOOLS, params: { padding: 'x'.repeat(1900) } })
    assert.equal((await raw(endpoint, { body: fitting })).status, 200)
  })

  await t.test('a body that only says it is long is 413 before it is sent (F12)', async () => {
    const head = `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n`
    assert.match(await talk(endpoint, head), /^HTTP\/1\.1 413 /)
  })

  const slow = [
    {
      name: 'its body',
      bytes: `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    },
    { name: 'its headers', bytes: `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\nContent-` },
  ]
  for (const { name, bytes } of slow) {
    await t.test(`a client that is too slow to send ${name} is cut off with 408 (F12)`, async () => {
      // The connection ends from the other side: `talk` never ends it.
      assert.match(await talk(endpoint, bytes), /^HTTP\/1\.1 408 /)
    })
  }
})

test('the URL of a workspace', async (t) => {
  await using door = await startDoor()
  const endpoint = await door.open(OPEN, 'my-shop')
  const { origin, pathname } = new URL(endpoint)
  const status = async (path: string) => (await send(origin + path, { body: LIST_TOOLS })).status

  await t.test('is /<slug>-<id>, with an id that is not to be guessed (F13)', async () => {
    assert.match(pathname, /^\/my-shop-[a-z2-7]{16}$/)
    assert.equal(await status(pathname), 200)
    for (const path of [
      '/my-shop',
      `/${pathname.slice(-16)}`,
      pathname.toUpperCase(),
      `/x${pathname}`,
      `${pathname}x`,
      `${pathname}/other`,
    ]) {
      assert.equal(await status(path), 404, path)
    }
  })

  await t.test('has aliases, each with or without a slash at its end (F13)', async () => {
    for (const alias of ['', ...ALIASES]) {
      assert.equal(await status(pathname + alias), 200, alias)
      assert.equal(await status(`${pathname}${alias}/`), 200, `${alias}/`)
    }
  })

  await t.test('is also /mcp, as long as there is one workspace; with two it is 404 (F13)', async () => {
    for (const alias of ALIASES) assert.equal(await status(alias), 200, alias)
    assert.equal(await status('/'), 404)
    const second = await door.open(OPEN, 'second')
    for (const alias of ALIASES) assert.equal(await status(alias), 404, alias)
    assert.equal((await send(`${origin}${METADATA_PATH}/mcp`, { method: 'GET' })).status, 404)
    assert.equal(await status(pathname), 200)
    assert.equal(await status(`${new URL(second).pathname}/mcp`), 200)
    await door.gateway.running.gateway.manager.delete('second')
    assert.equal(await status('/mcp'), 200)
    assert.equal(await status(new URL(second).pathname), 404)
  })

  await t.test('stays the same after a restart (F13)', async () => {
    await door.gateway.restart()
    assert.equal(await status(pathname), 200)
  })
})

interface RawReply {
  readonly status: Reply['status']
  readonly headers: IncomingHttpHeaders
}

/** A request whose headers are sent as they are, `Host` too: `fetch` would not let us. */
function raw(
  url: string,
  {
    method = 'POST',
    path = new URL(url).pathname,
    headers = {},
    body = BODY,
  }: {
    readonly method?: string
    readonly path?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  },
): Promise<RawReply> {
  const { hostname, port } = new URL(url)
  const hasBody = method === 'POST'
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ hostname, port, path, method, agent: false },
      headers: { ...(hasBody ? { 'Content-Type': 'application/json' } : {}), ...headers },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    sent.end(hasBody ? body : undefined)
  })
}

/** Sends these bytes and gives all that came back until the server closed the connection. */
function talk(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => socket.write(bytes))
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    socket.on('end', () => {
      socket.destroy()
      resolve(answer)
    })
    socket.on('error', reject)
  })
}

function listed(header: string | undefined): readonly string[] {
  return (header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
}

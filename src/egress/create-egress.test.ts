import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type ErrorCode, GatewayError } from '../errors.ts'
import { createEgress, type EgressOptions } from './create-egress.ts'
import type { Egress, OutgoingRequest } from './egress.ts'

function portOf(server: net.Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port }: AddressInfo = address
  return port
}

async function withHttp(
  handler: http.RequestListener,
  run: (origin: string, server: http.Server) => Promise<void>,
): Promise<void> {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run(`http://127.0.0.1:${portOf(server)}`, server)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function withRaw(onSocket: (socket: Socket) => void, run: (origin: string) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // the peer's resets are part of these tests
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run(`http://127.0.0.1:${portOf(server)}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

async function withEgress(run: (egress: Egress) => Promise<void>, options?: EgressOptions): Promise<void> {
  const egress = createEgress(options)
  try {
    await run(egress)
  } finally {
    await egress.close()
  }
}

function get(origin: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    origin,
    path: '/',
    headers: {},
    reach: 'operator',
    timeoutMs: 5000,
    responseBytesMax: 100_000,
    ...more,
  }
}

async function failsWith(code: ErrorCode, promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof GatewayError, String(error))
  assert.equal(error.code, code, error.message)
  return error
}

suite('send', () => {
  test('carries method, path, headers and body there and status, headers and body back', async () => {
    await withEgress((egress) =>
      withHttp(
        async (request, response) => {
          let body = ''
          for await (const chunk of request) body += chunk
          response.setHeader('Set-Cookie', ['a=1', 'b=2'])
          response.statusCode = 201
          response.end(`${request.method} ${request.url} ${request.headers['x-one']} ${body}`)
        },
        async (origin) => {
          const sent = { method: 'POST', path: '/a?b=c', headers: { 'X-One': '1' }, body: 'käse' }
          const response = await egress.send(get(origin, sent))
          assert.equal(response.status, 201)
          assert.equal(response.body.toString(), 'POST /a?b=c 1 käse')
          assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2'])
        },
      ),
    )
  })

  test('keeps the connection, asks for no compression, and never follows a redirect', async () => {
    let connections = 0
    const seen: http.IncomingHttpHeaders[] = []
    await withEgress((egress) =>
      withHttp(
        (request, response) => {
          seen.push(request.headers)
          response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
        },
        async (origin, server) => {
          server.on('connection', () => {
            connections += 1
          })
          for (let call = 0; call < 10; call += 1) assert.equal((await egress.send(get(origin))).status, 302)
          // undici frees a connection just after it has reported the end: the next call may open a second one, never a third.
          assert.ok(connections <= 2, `${connections} connections`)
          assert.equal(seen.length, 10)
          assert.equal(seen[0]?.['accept-encoding'], undefined)
        },
      ),
    )
  })

  test('gives an empty body for HEAD, whatever length is announced', async () => {
    await withEgress((egress) =>
      withHttp(
        (_request, response) => response.writeHead(200, { 'content-length': '999999999' }).end(),
        async (origin) => {
          const response = await egress.send(get(origin, { method: 'HEAD' }))
          assert.equal(response.body.length, 0)
        },
      ),
    )
  })

  test('ignores an interim answer', async () => {
    await withEgress((egress) =>
      withRaw(
        (socket) =>
          socket.once('data', () =>
            socket.write(
              'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
            ),
          ),
        async (origin) => {
          const response = await egress.send(get(origin))
          assert.equal(response.status, 200)
          assert.equal(response.body.toString(), 'ok')
        },
      ),
    )
  })
})

suite('send ends with', () => {
  test('upstream_unreachable when nobody listens', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${portOf(server)}`
    server.close()
    await once(server, 'close')
    await withEgress(async (egress) => {
      const error = await failsWith('upstream_unreachable', egress.send(get(origin, { calledAs: 'The API' })))
      assert.equal(error.message, 'The API could not be reached: the connection was refused.')
    })
  })

  const rude = [
    { name: 'the line drops at once', reply: undefined },
    { name: 'the line drops in the middle of the answer', reply: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf' },
    { name: 'the answer is no HTTP', reply: 'SSH-2.0-OpenSSH_9.6\r\n' },
    { name: 'the answer has endless headers', reply: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n` },
  ]
  for (const { name, reply } of rude) {
    test(`upstream_unreachable when ${name}`, async () => {
      await withEgress((egress) =>
        withRaw(
          (socket) => socket.once('data', () => (reply === undefined ? socket.destroy() : socket.end(reply))),
          async (origin) => {
            await failsWith('upstream_unreachable', egress.send(get(origin)))
          },
        ),
      )
    })
  }

  test('upstream_timeout when nothing is answered', async () => {
    await withEgress((egress) =>
      withRaw(
        () => {},
        async (origin) => {
          const error = await failsWith('upstream_timeout', egress.send(get(origin, { timeoutMs: 120 })))
          assert.equal(error.message, 'The server did not answer within 120 ms.')
        },
      ),
    )
  })

  test('upstream_timeout when the answer drips: the deadline is for the whole of it', async () => {
    await withEgress((egress) =>
      withRaw(
        (socket) => {
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
            const drip = setInterval(() => socket.write('x'), 10)
            socket.once('close', () => clearInterval(drip))
          })
        },
        async (origin) => {
          await failsWith('upstream_timeout', egress.send(get(origin, { timeoutMs: 150 })))
        },
      ),
    )
  })

  test('upstream_timeout when the name is looked up for ever', async () => {
    const resolveHost = () => new Promise<never>(() => {})
    const egress = createEgress({ resolveHost, connectTimeoutMs: 100 })
    await failsWith('upstream_timeout', egress.send(get('http://slow.example', { timeoutMs: 60 })))
    await egress.close()
  })

  test('cancelled when the caller aborts, and leaves no listener behind', async () => {
    const caller = new AbortController()
    const { signal } = caller
    await withEgress((egress) =>
      withRaw(
        (socket) => socket.once('data', () => caller.abort()),
        async (origin) => {
          await failsWith('cancelled', egress.send(get(origin, { signal })))
          assert.equal(getEventListeners(signal, 'abort').length, 0)
          await failsWith('cancelled', egress.send(get(origin, { signal })))
        },
      ),
    )
  })

  test('upstream_too_large when the announced length is over the limit', async () => {
    await withEgress((egress) =>
      withHttp(
        (_request, response) => response.end('x'.repeat(2001)),
        async (origin) => {
          const error = await failsWith('upstream_too_large', egress.send(get(origin, { responseBytesMax: 2000 })))
          assert.equal(error.message, 'The server answered with more than the limit of 2 KB.')
          assert.equal((await egress.send(get(origin, { responseBytesMax: 2001 }))).body.length, 2001)
        },
      ),
    )
  })

  test('upstream_too_large when an endless body passes the limit, and the line is cut', async () => {
    const cut = Promise.withResolvers<void>()
    await withEgress((egress) =>
      withRaw(
        (socket) => {
          socket.once('close', () => cut.resolve())
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n')
            const pour = () => {
              while (!socket.destroyed && socket.write('x'.repeat(10_000)));
            }
            socket.on('drain', pour)
            pour()
          })
        },
        async (origin) => {
          await failsWith('upstream_too_large', egress.send(get(origin)))
          await cut.promise
        },
      ),
    )
  })

  test('upstream_unreachable when too many requests wait for one origin', async () => {
    await withEgress(
      (egress) =>
        withRaw(
          () => {},
          async (origin) => {
            const caller = new AbortController()
            const waiting = egress.send(get(origin, { signal: caller.signal }))
            await failsWith('upstream_unreachable', egress.send(get(origin)))
            caller.abort()
            await failsWith('cancelled', waiting)
          },
        ),
      { underWayMax: 1 },
    )
  })

  test('a request that was cancelled while it waited for a connection never goes out', async () => {
    const caller = new AbortController()
    const paths: (string | undefined)[] = []
    await withEgress(
      (egress) =>
        withHttp(
          (request, response) => {
            paths.push(request.url)
            if (request.url === '/first') caller.abort()
            response.end()
          },
          async (origin) => {
            const first = egress.send(get(origin, { path: '/first' }))
            const second = egress.send(get(origin, { path: '/second', signal: caller.signal }))
            const third = egress.send(get(origin, { path: '/third' }))
            await failsWith('cancelled', second)
            await Promise.all([first, third])
            assert.deepEqual(paths, ['/first', '/third'])
          },
        ),
      { connectionsMax: 1 },
    )
  })
})

test('a compressed answer is unpacked although it was not asked for, and a bomb is too large', async () => {
  const bodies = { '/small': gzipSync('Gatehouse'), '/bomb': gzipSync(Buffer.alloc(5_000_000)) }
  await withEgress((egress) =>
    withHttp(
      (request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' })
        response.end(request.url === '/bomb' ? bodies['/bomb'] : bodies['/small'])
      },
      async (origin) => {
        assert.equal((await egress.send(get(origin))).body.toString(), 'Gatehouse')
        await failsWith('upstream_too_large', egress.send(get(origin, { path: '/bomb' })))
      },
    ),
  )
})

suite('send refuses before the dial', () => {
  test('a request that checkRequest refuses', async () => {
    let requests = 0
    await withEgress((egress) =>
      withHttp(
        (_request, response) => {
          requests += 1
          response.end()
        },
        async (origin) => {
          await failsWith('unsafe_value', egress.send(get(origin, { headers: { 'x-a': '1\r\nx-b: 2' } })))
          await failsWith('unsafe_value', egress.send(get(origin, { path: '/ HTTP/1.1' })))
          assert.equal(requests, 0)
        },
      ),
    )
  })

  const origins = [
    'ftp://example.com',
    'file:///etc/passwd',
    'http://user:secret@example.com',
    'http://example.com/path',
    'not a url',
    'http://2852039166',
    'http://[::ffff:a9fe:a9fe]',
  ]
  for (const origin of origins) {
    test(`the origin ${origin}`, async () => {
      await withEgress(async (egress) => {
        await failsWith('egress_refused', egress.send(get(origin)))
      })
    })
  }
})

test('the number of pools is bounded, and one that made room is opened again', async () => {
  const resolveHost = async () => [{ address: '127.0.0.1', family: 4 as const }]
  await withEgress(
    (egress) =>
      withHttp(
        (request, response) => response.end(request.headers.host),
        async (origin, server) => {
          let connections = 0
          server.on('connection', () => {
            connections += 1
          })
          const { port } = new URL(origin)
          for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) {
            const response = await egress.send(get(`http://${name}.example:${port}`))
            assert.equal(response.body.toString(), `${name}.example:${port}`)
          }
          // a stays, as it is used in between; b is opened again after c took its place.
          assert.equal(connections, 4)
        },
      ),
    { resolveHost, poolsMax: 2 },
  )
})

test('nothing goes out after close', async () => {
  const egress = createEgress()
  await egress.close()
  await failsWith('unavailable', egress.send(get('http://127.0.0.1:1')))
})

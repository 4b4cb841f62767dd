import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { RawClient, serveExchanges } from './http.test-support.ts'
import { nextRequestId } from './http-exchange.ts'

/** Answers with the body that was read, or with the code of what went wrong. */
async function echo(exchange: Exchange): Promise<void> {
  try {
    exchange.send({ status: 200, body: JSON.stringify({ body: await exchange.readBody() }) })
  } catch (error) {
    const code = error instanceof GatewayError ? error.code : 'defect'
    exchange.send({ status: code === 'payload_too_large' ? 413 : 400, body: JSON.stringify({ code }) })
  }
}

async function readBody(exchange: Exchange): Promise<string> {
  return exchange.readBody()
}

async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { method: 'POST', body, duplex: 'half' })
  return { status: answer.status, text: await answer.text() }
}

function streamed(...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks)
}

suite('an HTTP exchange reads', () => {
  test('a body of exactly the limit, declared or not, and refuses one byte more', async (context) => {
    const { url } = await serveExchanges(context, echo, { bodyBytesMax: 1024 })
    const fits = Buffer.alloc(1024, 'a')
    const over = Buffer.alloc(1025, 'a')
    const read = { status: 200, text: JSON.stringify({ body: 'a'.repeat(1024) }) }
    const refused = { status: 413, text: '{"code":"payload_too_large"}' }
    assert.deepEqual(await post(url, fits), read)
    assert.deepEqual(await post(url, streamed(fits.subarray(0, 1000), fits.subarray(1000))), read)
    assert.deepEqual(await post(url, over), refused)
    assert.deepEqual(await post(url, streamed(over.subarray(0, 1000), over.subarray(1000))), refused)
  })

  test('not a byte of a body that declares to be too large, and closes the connection', async (context) => {
    const server = await serveExchanges(context, echo)
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1099511627776', '', '')
    await client.closed
    assert.match(client.received, /^HTTP\/1\.1 413 [\s\S]*Connection: close[\s\S]*payload_too_large/)
  })

  test('no endless body: it is cut off at the limit', async (context) => {
    const server = await serveExchanges(context, echo)
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', '', '')
    const chunk = `400\r\n${'a'.repeat(1024)}\r\n`
    const sender = setInterval(() => client.socket.write(chunk), 1)
    await client.closed
    clearInterval(sender)
    assert.match(client.received, /^HTTP\/1\.1 413 [\s\S]*Connection: close/)
  })

  test('UTF-8 that is split anywhere between packets', async (context) => {
    const { url } = await serveExchanges(context, echo)
    const bytes = Buffer.from('{"ü":"😀"}')
    for (let at = 1; at < bytes.length; at += 1) {
      const { text } = await post(url, streamed(bytes.subarray(0, at), bytes.subarray(at)))
      assert.deepEqual(JSON.parse(text), { body: '{"ü":"😀"}' })
    }
  })

  for (const [name, bytes] of [
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a letter cut short', [0x22, 0xc3]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00]],
  ] as const) {
    test(`no body with ${name}`, async (context) => {
      const { url } = await serveExchanges(context, echo)
      assert.deepEqual(await post(url, Uint8Array.from(bytes)), { status: 400, text: '{"code":"parse_error"}' })
    })
  }

  test('an empty body as an empty text', async (context) => {
    const { url } = await serveExchanges(context, echo)
    assert.deepEqual(await post(url, ''), { status: 200, text: '{"body":""}' })
  })

  test('path and query apart, and repeated headers joined', async (context) => {
    const server = await serveExchanges(context, (exchange) => {
      const { method, path, query, clientAddress, transport, startedAt } = exchange
      const headers = [exchange.header('authorization'), exchange.header('x-twice'), exchange.header('none')]
      exchange.send({
        status: 200,
        body: JSON.stringify({ method, path, query, clientAddress, transport, startedAt, headers }),
      })
    })
    const client = new RawClient(server)
    client.write('GET /a/b?c=d?e HTTP/1.1', 'Host: a', 'Authorization: Bearer one', 'AUTHORIZATION: Bearer two')
    client.write('', 'X-Twice: 1', 'x-twice: 2', 'Connection: close', '', '')
    await client.closed
    assert.deepEqual(JSON.parse(client.received.split('\r\n\r\n')[1] ?? ''), {
      method: 'GET',
      path: '/a/b',
      query: 'c=d?e',
      clientAddress: '127.0.0.1',
      transport: 'http',
      startedAt: 1000,
      // Node alone would keep the first and drop the second in silence.
      headers: ['Bearer one, Bearer two', '1, 2', null],
    })
  })
})

suite('an HTTP exchange whose client goes away', () => {
  test('aborts its signal while an answer is awaited', async (context) => {
    const aborted = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const server = await serveExchanges(context, async (exchange) => {
      await exchange.readBody()
      exchange.signal.addEventListener('abort', { handleEvent: () => aborted.resolve() })
      started.resolve()
    })
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 2', '', '{}')
    await started.promise
    client.socket.destroy()
    await aborted.promise
  })

  test('has an aborted signal even when nobody looked at it before', async (context) => {
    const arrived = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<boolean>()
    const server = await serveExchanges(context, async (exchange) => {
      arrived.resolve()
      await readBody(exchange).catch(() => undefined) // Ends when the connection does.
      setImmediate(() => aborted.resolve(exchange.signal.aborted))
    })
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 20', '', '{')
    await arrived.promise
    client.socket.destroy()
    assert.equal(await aborted.promise, true)
  })

  test('says cancelled while its body is read', async (context) => {
    const code = Promise.withResolvers<unknown>()
    const server = await serveExchanges(context, (exchange) => {
      readBody(exchange).catch((error: unknown) => code.resolve(error))
      started.resolve()
    })
    const started = Promise.withResolvers<void>()
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 20', '', '{"half":')
    await started.promise
    client.socket.destroy()
    const error = await code.promise
    assert.ok(error instanceof GatewayError && error.code === 'cancelled')
  })

  for (const [name, length] of [
    ['only half of its body had come', 20],
    ['all of its body had come', 2],
  ] as const) {
    test(`says cancelled to a read that starts later, when ${name}`, async (context) => {
      const outcome = Promise.withResolvers<unknown>()
      const arrived = Promise.withResolvers<void>()
      const server = await serveExchanges(context, async (exchange) => {
        const left = new Promise<void>((resolve) =>
          exchange.signal.addEventListener('abort', { handleEvent: () => resolve() }),
        )
        arrived.resolve()
        await left // As long as a key set may take to fetch.
        readBody(exchange).then(outcome.resolve, outcome.resolve)
      })
      const client = new RawClient(server)
      client.write('POST / HTTP/1.1', 'Host: a', `Content-Length: ${length}`, '', '{}')
      await arrived.promise
      client.socket.destroy()
      const error = await outcome.promise
      assert.ok(error instanceof GatewayError && error.code === 'cancelled', String(error))
    })
  }

  test('is not told anything, and nothing is thrown', async (context) => {
    const left = Promise.withResolvers<void>()
    const arrived = Promise.withResolvers<void>()
    const done = Promise.withResolvers<Exchange>()
    const server = await serveExchanges(context, async (exchange) => {
      exchange.signal.addEventListener('abort', { handleEvent: () => left.resolve() })
      arrived.resolve()
      await left.promise
      exchange.send({ status: 200, body: '{}' })
      done.resolve(exchange)
    })
    const client = new RawClient(server)
    client.write('GET / HTTP/1.1', 'Host: a', '', '')
    await arrived.promise
    client.socket.destroy()
    assert.equal((await done.promise).status, 200)
  })
})

suite('an HTTP exchange answers', () => {
  test('once: the first answer stands', async (context) => {
    const { url } = await serveExchanges(context, (exchange) => {
      assert.equal(exchange.status, undefined)
      exchange.send({ status: 201, body: '"first"' })
      exchange.send({ status: 500, body: '"second"' })
      assert.equal(exchange.status, 201)
    })
    const answer = await fetch(url)
    assert.equal(answer.status, 201)
    assert.equal(await answer.text(), '"first"')
  })

  test('with its request id, no caching, no sniffing, and the type and length of its body', async (context) => {
    let requestId = ''
    const { url } = await serveExchanges(context, (exchange) => {
      requestId = exchange.requestId
      exchange.send({ status: 200, body: '"ü"' })
    })
    const { headers } = await fetch(url)
    assert.equal(headers.get('x-request-id'), requestId)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal(headers.get('content-length'), '4')
  })

  test('with the headers of the listener and its own', async (context) => {
    const { url } = await serveExchanges(
      context,
      (exchange) => exchange.send({ status: 204, headers: { 'X-Own': 'own' } }),
      {
        answerHeaders: (request) => ({ 'X-Listener': request.url ?? '' }),
      },
    )
    const { status, headers } = await fetch(`${url}/path`)
    assert.deepEqual([status, headers.get('x-own'), headers.get('x-listener')], [204, 'own', '/path'])
  })

  test('202 with an empty body, and another content type where one is given', async (context) => {
    const { url } = await serveExchanges(context, (exchange) =>
      exchange.send(
        exchange.path === '/202'
          ? { status: 202 }
          : { status: 400, body: '{}', contentType: 'application/problem+json' },
      ),
    )
    const accepted = await fetch(`${url}/202`)
    assert.deepEqual([accepted.status, accepted.headers.get('content-length')], [202, '0'])
    assert.equal((await fetch(url)).headers.get('content-type'), 'application/problem+json')
  })

  test('on a connection that is kept alive, after bodies that were read and requests without one', async (context) => {
    const server = await serveExchanges(context, (exchange) =>
      exchange.method === 'GET' ? exchange.send({ status: 200, body: '{}' }) : echo(exchange),
    )
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 3', '', 'one')
    await client.until(/"one"/)
    client.write('GET /sync HTTP/1.1', 'Host: a', '', '')
    await client.until(/\r\n\r\n\{\}/)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', '', 'three')
    await client.until(/"three"/)
    assert.doesNotMatch(client.received, /Connection: close/)
    assert.equal(server.connections(), 1)
    client.socket.destroy()
  })

  test('and closes the connection when a body is unread, so that no part of it is taken for a request', async (context) => {
    let requests = 0
    const server = await serveExchanges(context, (exchange) => {
      requests += 1
      exchange.send({ status: 401, body: '{}' })
    })
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000', '', 'GET /smuggled HTTP/1.1', 'Host: a', '', '')
    await client.closed
    assert.match(client.received, /^HTTP\/1\.1 401 [\s\S]*Connection: close/)
    assert.equal(requests, 1)
  })

  test('to a cancel with an empty stream, and aborts the signal; after the answer a cancel does nothing', async (context) => {
    const { url } = await serveExchanges(context, (exchange) => {
      if (exchange.path === '/before') exchange.cancel()
      exchange.send({ status: 200, body: '"answer"' })
      exchange.cancel()
      assert.equal(exchange.signal.aborted, exchange.path === '/before')
    })
    const before = await fetch(`${url}/before`)
    assert.deepEqual([before.status, before.headers.get('content-type')], [200, 'text/event-stream'])
    assert.equal(await before.text(), '')
    assert.equal(await (await fetch(`${url}/after`)).json(), 'answer')
  })
})

test('request ids never repeat and go into a header as they are', () => {
  const ids = Array.from({ length: 5000 }, nextRequestId)
  assert.equal(new Set(ids).size, 5000)
  for (const id of ids) assert.match(id, /^[a-z2-7]{8}-[a-z0-9]+$/)
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { RawClient, serveExchanges } from './http.test-support.ts'

const MEGABYTE = 1_048_576

/** A server whose handler waits until the test lets it read. */
async function withHeldReader(context: { after(close: () => void): void }, bodyBytesMax: number) {
  const arrived = Promise.withResolvers<Exchange>()
  const mayRead = Promise.withResolvers<void>()
  const server = await serveExchanges(
    context,
    async (exchange) => {
      arrived.resolve(exchange)
      await mayRead.promise
      await readBody(exchange).then(
        (body) => exchange.send({ status: 200, body: `"${body.length} ${body.slice(0, 1)}"` }),
        (error: unknown) => {
          const code = error instanceof GatewayError ? error.code : 'defect'
          exchange.send({ status: 413, body: JSON.stringify({ code }) })
        },
      )
    },
    { bodyBytesMax },
  )
  return { server, arrived: arrived.promise, letItRead: mayRead.resolve }
}

async function readBody(exchange: Exchange): Promise<string> {
  return exchange.readBody()
}

function post(client: RawClient, length: number): void {
  client.write('POST / HTTP/1.1', 'Host: a', `Content-Length: ${length}`, '', '')
}

/** Sends until the other side takes no more: two looks in a row find as many bytes waiting as before. */
async function sendUntilHeldBack(client: RawClient, bytes: number): Promise<number> {
  client.socket.write(Buffer.alloc(bytes, 'a'))
  let waiting = -1
  while (waiting !== client.socket.writableLength) {
    waiting = client.socket.writableLength
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return waiting
}

suite('the body of a request', () => {
  test('that nobody has asked for yet is held back at the client, and read on when somebody does', async (context) => {
    const length = 64 * MEGABYTE
    const { server, arrived, letItRead } = await withHeldReader(context, length)
    const client = new RawClient(server)
    post(client, length)
    await arrived
    // What the two sockets hold, some megabytes, has left the client; the rest has nowhere to go.
    assert.ok((await sendUntilHeldBack(client, length)) > length / 2)
    letItRead()
    await client.until(/"67108864 a"/)
  })

  test('that has come before it is asked for is there at once', async (context) => {
    const { server, arrived, letItRead } = await withHeldReader(context, 100)
    const client = new RawClient(server)
    post(client, 3)
    client.socket.write('abc')
    await arrived
    letItRead()
    await client.until(/"3 a"/)
  })

  test('that has grown too large before it is asked for is refused', async (context) => {
    const { server, arrived, letItRead } = await withHeldReader(context, 1000)
    const client = new RawClient(server)
    client.write('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', '', '')
    client.write(`${(5000).toString(16)}`, 'a'.repeat(5000), '')
    await arrived
    letItRead()
    await client.until(/^HTTP\/1\.1 413[\s\S]*payload_too_large/)
    await client.closed
  })

  test('that nobody reads does not become the next request of the connection', async (context) => {
    const paths: string[] = []
    const server = await serveExchanges(context, (exchange) => {
      paths.push(exchange.path)
      exchange.send({ status: 401, body: '{}' })
    })
    const client = new RawClient(server)
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    client.write('POST /first HTTP/1.1', 'Host: a', `Content-Length: ${smuggled.length}`, '', smuggled)
    client.write('GET /second HTTP/1.1', 'Host: a', '', '')
    await client.closed
    assert.ok(!paths.includes('/smuggled'), paths.join())
    assert.equal(paths[0], '/first')
  })

  test('of each of several requests in one packet is its own', async (context) => {
    const server = await serveExchanges(context, async (exchange) => {
      exchange.send({ status: 200, body: `"${exchange.path} ${await exchange.readBody()}"` })
    })
    const client = new RawClient(server)
    const one = (path: string, body: string) =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    client.socket.write(one('/1', 'ab') + one('/2', '') + one('/3', 'cde'))
    const received = await client.until(/"\/3 cde"/)
    assert.deepEqual(received.match(/"\/\d \w*"/g), ['"/1 ab"', '"/2 "', '"/3 cde"'])
  })
})

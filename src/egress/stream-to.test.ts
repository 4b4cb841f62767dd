import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { type ErrorCode, GatewayError } from '../errors.ts'
import { listen, originOf } from '../test-api/wire.ts'
import { Cancellation } from './cancel-signal.ts'
import { createEgress, type EgressOptions } from './create-egress.ts'
import type { OutgoingRequest, StreamFlow } from './egress.ts'

interface Stage extends AsyncDisposable {
  readonly send: (more?: Partial<OutgoingRequest>) => ReturnType<ReturnType<typeof createEgress>['send']>
  /** The server's side of the next answer, its head sent. */
  next(): Promise<ServerResponse>
}

/** A server whose answers the test writes, and a way out to it. */
async function stage(options?: EgressOptions): Promise<Stage> {
  const waiting: ServerResponse[] = []
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    waiting.push(response)
    server.emit('answering')
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  const egress = createEgress(options)
  return {
    send: (more = {}) =>
      egress.send({
        ...{ method: 'GET', origin: originOf('127.0.0.1', port), path: '/', headers: {}, reach: 'operator' },
        ...{ timeoutMs: 5_000, responseBytesMax: 10, ...more },
      }),
    async next() {
      while (waiting.length === 0) await once(server, 'answering')
      const response = waiting.shift()
      assert.ok(response !== undefined)
      return response
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await egress.close()
    },
  }
}

/** Takes pieces and lets a test wait for them. */
function reader(silenceMs?: number) {
  /** The end of what has come; all of it would be many megabytes. */
  let text = ''
  let bytes = 0
  let flow: StreamFlow | undefined
  const watchers = new Set<() => void>()
  return {
    streamTo: (_head: unknown, given: StreamFlow) => {
      flow = given
      return {
        silenceMs,
        take: (chunk: Buffer) => {
          text = (text + chunk.toString()).slice(-100)
          bytes += chunk.length
          for (const look of watchers) look()
        },
      }
    },
    get text() {
      return text
    },
    get bytes() {
      return bytes
    },
    flow: () => flow,
    has: (expected: string) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (text.includes(expected)) resolve()
        }
        watchers.add(look)
        look()
      }),
  }
}

async function failsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof GatewayError && error.code === code)
}

suite('an answer that is streamed', () => {
  test('comes piece by piece, longer than a whole one may be, and ends with an empty body', async () => {
    await using server = await stage()
    const pieces = reader()
    const sent = server.send({ streamTo: pieces.streamTo })
    const response = await server.next()
    response.write('a'.repeat(20))
    await pieces.has('a'.repeat(20))
    response.write('b')
    await pieces.has('b')
    response.end('c')
    assert.deepEqual((await sent).body.length, 0)
    assert.equal(pieces.text, `${'a'.repeat(20)}bc`)
  })

  test('is read whole when nobody takes the stream', async () => {
    await using server = await stage()
    const sent = server.send({ streamTo: () => undefined })
    ;(await server.next()).end('short')
    assert.equal((await sent).body.toString(), 'short')
  })

  test('waits while its reader is behind', async () => {
    await using server = await stage()
    const pieces = reader()
    const sent = server.send({ streamTo: pieces.streamTo })
    const response = await server.next()
    response.write('first')
    await pieces.has('first')
    pieces.flow()?.pause()
    const piece = Buffer.alloc(1_000_000, 'x')
    // The kernel takes some megabytes; then the server is told to wait.
    while (response.write(piece));
    for (let count = 0; count < 40; count += 1) response.write(piece)
    let written = false
    response.write('last', () => {
      written = true
    })
    const before = pieces.bytes
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(pieces.bytes - before < 1_000_000)
    assert.equal(written, false)
    pieces.flow()?.resume()
    await pieces.has('last')
    response.end()
    await sent
  })

  test('ends when it is silent for too long, and not before', async () => {
    await using server = await stage()
    const pieces = reader(300)
    const sent = server.send({ timeoutMs: 100, streamTo: pieces.streamTo })
    const response = await server.next()
    const startedAt = performance.now()
    const talking = setInterval(() => response.write('.'), 50)
    await pieces.has('.'.repeat(8))
    clearInterval(talking)
    await failsWith('upstream_timeout', sent)
    assert.ok(performance.now() - startedAt > 600)
  })

  test('may be silent for as long as it likes when nobody says otherwise', async () => {
    let now = 0
    await using server = await stage({ now: () => now })
    const pieces = reader()
    const sent = server.send({ timeoutMs: 100, streamTo: pieces.streamTo })
    const response = await server.next()
    response.write('a')
    await pieces.has('a')
    now = 1e9
    // A call beside it ends at its deadline: the clock was looked at.
    const short = server.send({ timeoutMs: 100 })
    await server.next()
    now = 2e9
    await failsWith('upstream_timeout', short)
    response.end('b')
    await sent
    assert.equal(pieces.text, 'ab')
  })

  test('ends at the caller’s abort, and the server is told', async () => {
    await using server = await stage()
    const pieces = reader()
    const signal = new Cancellation()
    const sent = server.send({ signal, streamTo: pieces.streamTo })
    const response = await server.next()
    response.write('a')
    await pieces.has('a')
    const closed = once(response, 'close')
    signal.abort()
    await failsWith('cancelled', sent)
    await closed
  })

  test('that breaks off is unreachable, and what came before was passed on', async () => {
    await using server = await stage()
    const pieces = reader()
    const sent = server.send({ streamTo: pieces.streamTo })
    const response = await server.next()
    response.write('half of')
    await pieces.has('half of')
    response.destroy()
    await failsWith('upstream_unreachable', sent)
  })

  for (const [name, streamTo] of [
    [
      'the reader that is asked for',
      () => {
        throw new GatewayError('upstream_too_large', 'No.')
      },
    ],
    [
      'the reader that takes a piece',
      () => ({
        silenceMs: undefined,
        take: () => {
          throw new GatewayError('upstream_too_large', 'No.')
        },
      }),
    ],
  ] as const) {
    test(`ends with what fails in ${name}, and the connection with it`, async () => {
      await using server = await stage()
      const sent = server.send({ streamTo })
      const failed = failsWith('upstream_too_large', sent)
      const response = await server.next()
      const closed = once(response, 'close')
      response.write('a')
      await failed
      await closed
    })
  }

  test('takes no connection from short calls, and the other way round', async () => {
    await using server = await stage({ connectionsMax: 1, openMax: 2 })
    const open = [1, 2].map(() => server.send({ mayStayOpen: true, streamTo: reader().streamTo }))
    const streams = [await server.next(), await server.next()]
    const short = server.send()
    ;(await server.next()).end('short')
    assert.equal((await short).body.toString(), 'short')
    await failsWith('upstream_unreachable', server.send({ mayStayOpen: true }))
    for (const response of streams) response.end()
    await Promise.all(open)
  })
})

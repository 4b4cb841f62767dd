import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { GatewayError } from '../errors.ts'
import { createEgress } from './create-egress.ts'

test('a call that timed out while it waited for a connection counts until the connection is there or has failed', async () => {
  // It takes connections and never says a word of TLS: a dial that comes to no end.
  const sockets: Socket[] = []
  const server = net.createServer((socket) => {
    socket.on('error', () => {}) // resets are part of this
    sockets.push(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port }: AddressInfo = address
  const egress = createEgress({ connectionsMax: 1, underWayMax: 3 })
  const call = () =>
    egress
      .send({
        method: 'POST',
        origin: `https://127.0.0.1:${port}`,
        path: '/',
        headers: {},
        body: 'held by whoever waits',
        reach: 'operator',
        timeoutMs: 10,
        responseBytesMax: 1000,
        calledAs: 'The API',
      })
      .then(
        () => 'answered',
        (error) => (error instanceof GatewayError ? error.message : String(error)),
      )
  try {
    const late = 'The API did not answer within 10 ms.'
    assert.deepEqual(await Promise.all([call(), call(), call()]), [late, late, late])
    assert.equal(await call(), 'The API has too many calls waiting for it. Try again later.')
    // Each dial that fails lets go of the call that it was for.
    while ((await call()) !== late) {
      const socket = sockets.shift()
      if (socket === undefined) await once(server, 'connection')
      else socket.destroy()
    }
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
    server.on('connection', (socket) => socket.destroy())
    await egress.close()
  }
})

test('answers of one origin are unpacked one after the other, and not for a caller who has left', async () => {
  const bodies = new Map([
    ['/large', gzipSync(Buffer.alloc(20_000_000))],
    ['/small', gzipSync('small')],
  ])
  const server = http.createServer(({ url = '' }, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bodies.get(url))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const origin = `http://127.0.0.1:${address.port}`
  // On one connection, so each answer has come whole before the next is asked for.
  const egress = createEgress({ connectionsMax: 1 })
  const unpacked: string[] = []
  const call = (path: string, signal?: AbortSignal) =>
    egress
      .send({
        ...{ method: 'GET', origin, path, headers: {}, reach: 'operator', signal },
        ...{ timeoutMs: 30_000, responseBytesMax: 20_000_000 },
      })
      .then(({ body }) => unpacked.push(`${path} ${body.length}`))
  try {
    const leaving = new AbortController()
    const first = call('/large')
    const left = call('/large', leaving.signal)
    const second = call('/small')
    const third = call('/large')
    await first
    leaving.abort()
    await assert.rejects(left, { code: 'cancelled' })
    await Promise.all([second, third, call('/small')])
    assert.deepEqual(unpacked, ['/large 20000000', '/small 5', '/large 20000000', '/small 5'])
  } finally {
    server.closeAllConnections()
    server.close()
    await egress.close()
  }
})

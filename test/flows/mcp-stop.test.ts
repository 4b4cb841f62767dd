import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { adminClient } from '../../src/testing/clients.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const CALL_SLOW = JSON.stringify({
  ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
  params: { name: 'getSlow', arguments: {} },
})
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' })

for (const { name, keepAlive } of [
  { name: 'a client that keeps its connection', keepAlive: true },
  { name: 'a client that closes it', keepAlive: false },
]) {
  test(`stop() lets a running call finish, takes nothing new, and frees the port: ${name} (F14)`, async () => {
    await using api = await startFaultyApi()
    await using gateway = await startGateway()
    const { endpoint } = await gateway.makeWorkspace({
      ...{ name: 'Slow', source: { url: `${api.origin}/openapi.json` }, auth: { authType: 'none' }, tools: 'all' },
    })
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    // A client that connects and never sends anything must not hold up the end.
    const idle = connect(Number(new URL(endpoint).port), '127.0.0.1')
    await once(idle, 'connect')
    const idleEnds = once(idle, 'close')

    const running = post(endpoint, CALL_SLOW, agent)
    const { ended } = await api.arrival('/slow')
    const restarting = gateway.restart()
    assert.equal(await connectionCode(endpoint), 'ECONNREFUSED')
    await idleEnds
    api.releaseSlow()
    const { status, connection, text } = await running
    assert.equal(status, 200)
    assert.match(text, /late/)
    assert.equal(await ended, 'answered')
    assert.equal(connection, 'close', 'nothing else is taken on this connection')

    // The same port, at once.
    await restarting
    assert.equal((await post(endpoint, LIST, agent)).status, 200)
    agent.destroy()
  })
}

test('a call whose client has just gone is recorded all the same', async () => {
  await using api = await startFaultyApi()
  await using gateway = await startGateway()
  const { endpoint } = await gateway.makeWorkspace({
    ...{ name: 'Slow', source: { url: `${api.origin}/openapi.json` }, auth: { authType: 'none' }, tools: 'all' },
  })
  const leaving = request(endpoint, { method: 'POST', headers: { 'Content-Type': 'application/json' } })
  leaving.on('error', () => undefined).end(CALL_SLOW)
  await api.arrival('/slow')
  leaving.destroy()
  await gateway.restart()
  const [line] = await adminClient(gateway).logs('kind=request')
  assert.deepEqual([line?.['tool'], line?.outcome, line?.['status']], ['getSlow', 'failed', 499])
})

test('stop() twice is stop() once, and nothing of the gateway is left (F14)', async () => {
  await using gateway = await startGateway()
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth: { authType: 'none' } })
  await Promise.all([gateway.running.stop(), gateway.running.stop()])
  assert.equal(await connectionCode(endpoint), 'ECONNREFUSED')
  await gateway.running.stop()
})

async function post(url: string, body: string, agent: Agent) {
  const sent = request(url, { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } }).end(body)
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    sent.on('response', resolve).on('error', reject),
  )
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, connection: response.headers.connection, text }
}

/** Why no connection can be made; `connected` when one can. */
function connectionCode(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
}

import { Agent, request } from 'node:http'
import { type TestCallers, testCallers } from '../../../src/testing/callers.ts'
import { adminClient } from '../../../src/testing/clients.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'

// Runs on import, with --expose-gc: the main file of a process that floods its own gateway and says what stayed in memory.
const [, , kind = '', first = '0', second = '0'] = process.argv
/** How often each status was answered. */
const statuses = new Map<number, number>()
const agent = new Agent({ keepAlive: true, maxSockets: 32 })
const callers = testCallers()
await using gateway = await startGateway({ config: { bodyBytesMax: 1_000_000 } })
const { endpoint } = await gateway.makeWorkspace({ name: 'flooded', auth: callers.auth })
const token = await callers.token()
const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })

// The first flood fills whatever has a bound; what the second one adds would go on for ever.
await flood(0, Number(first))
const before = await heapMb()
await flood(Number(first), Number(second))
const after = await heapMb()
process.stdout.write(JSON.stringify({ grownMb: after - before, statuses: Object.fromEntries(statuses) }))
agent.destroy()

async function flood(from: number, count: number): Promise<void> {
  let next = from
  const worker = async () => {
    while (next < from + count) {
      next += 1
      await attack(next, callers)
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
}

async function attack(index: number, { token: mint }: TestCallers): Promise<void> {
  const unique = `${index}-${'x'.repeat(400)}`
  switch (kind) {
    case 'sessions':
      return post({ authorization: `Bearer ${token}` }, initialize(unique))
    case 'tokens':
      return post({ authorization: `Bearer ${await mint({ filler: 'x'.repeat(11_000), jti: unique })}` }, ping)
    case 'refused tokens':
      return post({ authorization: `Bearer ${token}${unique}` }, ping)
    case 'addresses':
      return post({}, ping, `/${unique}`)
    default:
      throw new Error(`There is no flood of ${kind}.`)
  }
}

function initialize(name: string): string {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } }
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
}

function post(headers: Record<string, string>, body: string, path?: string): Promise<void> {
  const url = path === undefined ? endpoint : gateway.url + path
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const { statusCode = 0 } = response
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
      response.resume().on('end', resolve)
    })
    sent.end(body)
  })
}

/** Megabytes in use once everything is written and collected. */
async function heapMb(): Promise<number> {
  await adminClient(gateway).logs('limit=1')
  gateway.running.gateway.log.info('measured')
  // What the test keeps of the log is not the gateway's.
  Reflect.set(gateway.log, 'length', 0)
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.()
    await new Promise(setImmediate)
  }
  return process.memoryUsage().heapUsed / 1_000_000
}

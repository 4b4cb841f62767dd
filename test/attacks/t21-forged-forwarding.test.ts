import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { adminOf } from '../flows/http.ts'
import { type RawAnswer, sendRaw } from './support/raw-http.ts'

const PING = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
const auditLines = z.object({ lines: z.array(z.object({ clientAddress: z.string().optional() })) })
const logLines = z.object({
  lines: z.array(z.object({ clientAddress: z.string(), subject: z.string().optional() })),
})
const FORGED = [
  'X-Forwarded-For: 203.0.113.9',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Prefix: /evil',
  'Forwarded: for=203.0.113.9;host=evil.example;proto=https',
  'X-Real-IP: 203.0.113.9',
  'X-Original-URL: /api/workspaces',
  'True-Client-IP: 203.0.113.9',
  'CF-Connecting-IP: 203.0.113.9',
  'X-User-ID: root',
  'X-Forwarded-User: root',
  'X-Auth-Extra-Admin: true',
]

interface Stand extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly path: string
  post(headers: readonly string[]): Promise<RawAnswer>
  readonly token: string
}

const callers = testCallers()

async function start(config: Readonly<Record<string, unknown>> = {}, env = {}): Promise<Stand> {
  const gateway = await startGateway({ config: { auth: callers.auth, failedAuth: { max: 3 }, ...config }, env })
  const { endpoint } = await gateway.makeWorkspace({ name: 'guarded', rateLimiting: { maxRequestsPerAddress: 3 } })
  const path = new URL(endpoint).pathname
  return {
    gateway,
    path,
    token: await callers.token(),
    post: (headers) =>
      sendRaw(gateway.url, {
        method: 'POST',
        target: path,
        headers: ['Content-Type: application/json', 'Accept: application/json, text/event-stream', ...headers],
        body: PING,
      }),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

const from = (address: string) => `X-Forwarded-For: ${address}`
const bearer = (token: string) => `Authorization: Bearer ${token}`

async function statuses(count: number, request: (index: number) => Promise<RawAnswer>): Promise<readonly number[]> {
  const found: number[] = []
  for (let index = 0; index < count; index += 1) found.push((await request(index)).status)
  return found
}

suite('T21: whoever is no trusted proxy', () => {
  test('cannot get round a limit by writing another address', async () => {
    await using stand = await start()
    const guesses = await statuses(5, (index) => stand.post([bearer(`guess-${index}`), from(`203.0.113.${index}`)]))
    assert.deepEqual(guesses, [401, 401, 401, 429, 429])
    await using other = await start()
    const calls = await statuses(4, (index) => other.post([bearer(other.token), from(`203.0.113.${index}`)]))
    assert.deepEqual(calls, [200, 200, 200, 429])
  })

  test('is written down by the address of his socket and the subject of his token', async () => {
    await using stand = await start()
    assert.equal((await stand.post([bearer(stand.token), ...FORGED])).status, 200)
    assert.equal((await stand.post([bearer('guess'), ...FORGED])).status, 401)
    const admin = adminOf(stand.gateway.url, stand.gateway.adminKey)
    const { lines } = logLines.parse((await admin('GET', '/api/logs')).body)
    assert.deepEqual(
      lines.map(({ clientAddress, subject }) => [clientAddress, subject]),
      [
        ['127.0.0.1', 'test-user'],
        ['127.0.0.1', undefined],
      ],
    )
    const denied = auditLines.parse((await admin('GET', '/api/audit?action=access.denied')).body)
    assert.deepEqual(
      denied.lines.map((line) => line.clientAddress),
      ['127.0.0.1'],
    )
    assert.ok(!stand.gateway.log.join('').includes('203.0.113.9'))
  })

  test('changes no URL that we print', async () => {
    await using stand = await start()
    const plain = await stand.post([])
    const forged = await stand.post(FORGED)
    assert.equal(forged.status, 401)
    assert.equal(forged.headers.get('www-authenticate'), plain.headers.get('www-authenticate'))
    const target = `/.well-known/oauth-protected-resource${stand.path}`
    const answers = [
      await sendRaw(stand.gateway.url, { target }),
      await sendRaw(stand.gateway.url, { target, headers: FORGED }),
    ]
    assert.equal(answers[1]?.body, answers[0]?.body)
    assert.ok(answers[1]?.body.includes(`"${stand.gateway.url}${stand.path}"`))
  })

  test('reaches nothing else by another Host, or by an address in a header', async () => {
    await using stand = await start()
    const host = await sendRaw(stand.gateway.url, {
      ...{ method: 'POST', target: stand.path, bare: true },
      headers: ['Host: evil.example', 'Connection: close', ...FORGED],
    })
    assert.equal(host.status, 403)
    const original = await sendRaw(stand.gateway.url, { target: '/nothing', headers: FORGED })
    assert.equal(original.status, 404)
  })

  test('is not trusted because of NODE_ENV (C16)', async () => {
    const encryptionKey = 'an encryption key of at least thirty-two characters'
    await using stand = await start({ encryptionKey }, { NODE_ENV: 'production' })
    const answer = await stand.post(FORGED)
    assert.ok(answer.headers.get('www-authenticate')?.includes(`resource_metadata="${stand.gateway.url}/`))
    const calls = await statuses(4, (index) => stand.post([bearer(stand.token), from(`203.0.113.${index}`)]))
    assert.equal(calls.at(-1), 429)
  })
})

suite('T21: behind a trusted proxy', () => {
  test('callers are told apart by the address that the proxy has added, and by no other', async () => {
    await using stand = await start({ trustProxy: ['127.0.0.1'] })
    const honest = await statuses(4, (index) => stand.post([bearer(stand.token), from(`203.0.113.${index}`)]))
    assert.deepEqual(honest, [200, 200, 200, 200])
    const forging = await statuses(4, (index) =>
      stand.post([bearer(stand.token), from(`198.51.100.${index}, 192.0.2.7`)]),
    )
    assert.deepEqual(forging, [200, 200, 200, 429])
    const admin = adminOf(stand.gateway.url, stand.gateway.adminKey)
    const { lines } = logLines.parse((await admin('GET', '/api/logs')).body)
    assert.ok(lines.some(({ clientAddress }) => clientAddress === '192.0.2.7'))
    assert.ok(!lines.some(({ clientAddress }) => clientAddress.startsWith('198.51.100.')))
  })

  test('URLs are printed as the client wrote them, for names that are ours (C16)', async () => {
    await using stand = await start({ trustProxy: true, allowedHosts: ['mcp.example'] })
    const { path } = stand
    const proxied = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: mcp.example']
    const challenge = (await stand.post(proxied)).headers.get('www-authenticate')
    const target = `/.well-known/oauth-protected-resource${path}`
    assert.equal(challenge, `Bearer resource_metadata="https://mcp.example${target}"`)
    const metadata = await sendRaw(stand.gateway.url, { target, headers: proxied })
    assert.ok(metadata.body.includes(`"resource":"https://mcp.example${path}"`), metadata.body)
    const foreign = await stand.post(['X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example'])
    assert.equal(foreign.status, 403)
  })

  test('PUBLIC_URL is printed, whatever the proxy says', async () => {
    await using stand = await start({
      trustProxy: ['loopback'],
      publicUrl: 'https://public.example',
      allowedHosts: ['mcp.example'],
    })
    const answer = await stand.post(['X-Forwarded-Proto: http', 'X-Forwarded-Host: mcp.example'])
    assert.ok(answer.headers.get('www-authenticate')?.includes('"https://public.example/'))
  })

  test('what cannot be read is refused', async () => {
    await using stand = await start({ trustProxy: ['loopback'] })
    for (const header of [from('unknown'), 'X-Forwarded-Proto: javascript', 'X-Forwarded-Host: a/b']) {
      const answer = await stand.post([bearer(stand.token), header])
      assert.equal(answer.status, 400)
      assert.match(answer.body, /of the proxy cannot be read/)
    }
  })

  test('nobody is open by default: without auth it does not start', async () => {
    const open = startGateway({ config: { trustProxy: ['loopback'] } })
    await assert.rejects(open, /no auth is configured/)
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { bearer, LIST_TOOLS, type Reply, send, startDoor } from './inbound-door.ts'

const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'flow', version: '1' } },
} as const

test('Mcp-Session-Id', async (t) => {
  await using door = await startDoor()
  const issuers = ['https://issuer.example', 'https://other.example']
  const callers = testCallers({ issuer: issuers })
  const endpoint = await door.open(callers.auth)
  const another = await door.open(callers.auth, 'another')
  const ada = await callers.token({ sub: 'ada' })
  const bob = await callers.token({ sub: 'bob' })
  const adaElsewhere = await callers.token({ sub: 'ada', iss: issuers[1] })

  const open = async (token = ada) => {
    const { headers } = await send(endpoint, { headers: bearer(token), body: INITIALIZE })
    return headers.get('mcp-session-id') ?? ''
  }
  const use = (session: string, { token = ada, at = endpoint, method = 'POST' } = {}) =>
    send(at, {
      method,
      headers: { ...bearer(token), 'Mcp-Session-Id': session },
      ...(method === 'POST' ? { body: LIST_TOOLS } : {}),
    })

  await t.test('is good for the caller who was given it, also with that caller’s next token (F7)', async () => {
    const session = await open()
    assert.equal((await use(session)).status, 200)
    assert.equal((await use(session, { token: await callers.token({ sub: 'ada', jti: 'next' }) })).status, 200)
    assert.equal((await use(session, { at: `${endpoint}/mcp` })).status, 200, 'at an alias too')
  })

  await t.test('is 404 with another subject’s token, and with the same subject of another issuer (F7)', async () => {
    const session = await open()
    // Used by its owner first: a remembered session is as closed to others as a new one.
    assert.equal((await use(session)).status, 200)
    for (const token of [bob, adaElsewhere]) assertNotFound(await use(session, { token }))
    assert.equal((await use(session)).status, 200)
  })

  await t.test('is 404 at another workspace (F7)', async () => {
    assertNotFound(await use(await open(), { at: another }))
  })

  await t.test('is 404 when nobody gave it, or when it was changed (F7)', async () => {
    const session = await open()
    const [payload = '', signature = ''] = session.split('.')
    const mine = Buffer.from(JSON.stringify(['x', Number.MAX_SAFE_INTEGER, '2025-11-25', ''])).toString('base64url')
    for (const forged of ['x', '.', `${payload}.`, `${mine}.${signature}`, `${session}x`, 'x'.repeat(5000)]) {
      assertNotFound(await use(forged))
    }
    assert.equal((await use(session)).status, 200)
  })

  await t.test('is no credential: without a token it is 401 (F7)', async () => {
    const headers = { 'Mcp-Session-Id': await open() }
    assert.equal((await send(endpoint, { headers, body: LIST_TOOLS })).status, 401)
  })

  await t.test('is over after DELETE, which only its owner can do (F7)', async () => {
    const session = await open()
    assertNotFound(await use(session, { token: bob, method: 'DELETE' }))
    assertNotFound(await use(session, { at: another, method: 'DELETE' }))
    assert.equal((await use(session)).status, 200, 'others have not ended it')
    assert.equal((await use(session, { method: 'DELETE' })).status, 204)
    assertNotFound(await use(session))
    assertNotFound(await use(session, { method: 'DELETE' }))
    assert.equal((await send(endpoint, { method: 'DELETE', headers: bearer(ada) })).status, 400, 'which session?')
  })

  await t.test('survives a restart of the gateway, and is still nobody else’s (F7)', async () => {
    const session = await open()
    await door.gateway.restart()
    assertNotFound(await use(session, { token: bob }))
    assert.equal((await use(session)).status, 200)
    assertNotFound(await use(session, { at: another }))
  })
})

test('Mcp-Session-Id ends after seven days (F7)', async () => {
  let now = Date.now()
  await using door = await startDoor({ now: () => now })
  const endpoint = await door.open({ authType: 'none' })
  const { headers } = await send(endpoint, { body: INITIALIZE })
  const session = { 'Mcp-Session-Id': headers.get('mcp-session-id') ?? '' }
  now += 7 * 24 * 3_600_000 - 1
  assert.equal((await send(endpoint, { headers: session, body: LIST_TOOLS })).status, 200)
  now += 1
  assertNotFound(await send(endpoint, { headers: session, body: LIST_TOOLS }))
})

/** Unknown, over and somebody else’s: all look the same. */
function assertNotFound({ status, json }: Reply): void {
  assert.equal(status, 404)
  const error = { code: -32001, message: 'Session not found' }
  const answered = JSON.stringify(json)
  assert.ok(answered.includes(JSON.stringify(error)), answered)
}

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { testCallers } from '../../src/testing/callers.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { PASSWORD, startTeams } from './accounts.ts'
import { adminOf, rpc, send } from './http.ts'

const events = z.array(z.looseObject({ time: z.iso.datetime(), level: z.string(), event: z.string() }))

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-security-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function linesOf(path: string) {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  return events.parse(lines.map((line) => JSON.parse(line)))
}

/** Triggers one event of every kind. */
async function provoke(gateway: TestGateway): Promise<void> {
  const callers = testCallers()
  const auth = { ...callers.auth, jwt: [{ ...callers.auth.jwt[0], requiredScopes: ['shop'] }] }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth, rateLimiting: { maxRequests: 3 } })
  const token = await callers.token({ sub: 'ann', scope: 'shop' })
  for (let n = 0; n < 3; n++) await rpc(endpoint, 'ping', { token })
  await rpc(endpoint, 'ping', { token })
  const other = await callers.token({ sub: 'eve' })
  await rpc(endpoint, 'tools/call', { params: { name: 'getStats' }, token: other })
  const third = await callers.token({ sub: 'tom', scope: 'shop' })
  await rpc(endpoint, 'tools/list', { token: third, headers: { 'mcp-session-id': 'nobody-has-this' } })
  await send('GET', `${gateway.url}/api/workspaces`, { headers: { origin: 'https://evil.example' } })
  await adminOf(gateway.url, gateway.adminKey)('DELETE', '/api/workspaces/shop')
  const second = await gateway.makeWorkspace({ name: 'Second', auth })
  await rpc(second.endpoint, 'ping')
  for (let n = 0; n < 3; n++) await rpc(second.endpoint, 'ping', { token: 'a.guess.of-mine' })
}

suite('the security log', () => {
  test('writes every kind of event to a file that only its owner may read', async () => {
    await using folder = await temporaryFolder()
    const logFilePath = join(folder.path, 'logs', 'security.log')
    const securityLogging = { enabled: true, logLevel: 'info', logToFile: true, logFilePath, alerts: { failures: 4 } }
    {
      await using gateway = await startGateway({ config: { securityLogging, failedAuth: { max: 2 } } })
      await provoke(gateway)
    }
    const lines = await linesOf(logFilePath)
    const shown = lines.map(({ event, level, workspace, subject, code }) =>
      [event, level, workspace ?? '-', subject ?? '-', code ?? '-'].join(' '),
    )
    assert.deepEqual(shown, [
      'auth_success info shop ann -',
      'rate_limit_exceeded warn shop ann rate_limited',
      'tool_access_denied warn shop eve insufficient_scope',
      'session_not_found info shop tom session_not_found',
      'host_or_origin_denied warn - - origin_not_allowed',
      'admin_action info shop admin_key workspace.deleted',
      'auth_failure info second - missing_token',
      'auth_failure warn second - invalid_token',
      'alert error - - -',
      'auth_failure warn second - invalid_token',
      'ip_blocked error second - rate_limited',
    ])
    const [success, , denied] = lines
    assert.deepEqual([success?.['issuer'], denied?.['tool']], ['https://issuer.example', 'getStats'])
    assert.equal((await stat(logFilePath)).mode & 0o777, 0o600)
    assert.doesNotMatch(await readFile(logFilePath, 'utf8'), /guess|eyJ/)
  })

  test('tells of whoever may not do what he asks for: by a rule, by his role, with a wrong code', async () => {
    await using folder = await temporaryFolder()
    const logFilePath = join(folder.path, 'security.log')
    let person = ''
    {
      await using teams = await startTeams({ config: { securityLogging: { logFilePath, logLevel: 'warn' } } })
      const callers = testCallers()
      const document = {
        ...{ openapi: '3.1.0', info: { title: 'Shop', version: '1' }, servers: [{ url: 'https://shop.example' }] },
        paths: { '/stats': { get: { operationId: 'getStats', responses: {} } } },
      }
      const { endpoint } = await teams.gateway.makeWorkspace({
        ...{ name: 'Shop', source: { document: JSON.stringify(document) }, auth: callers.auth },
        access: { rules: [{ effect: 'deny', tools: ['getStats'], when: 'true' }] },
      })
      const token = await callers.token({ sub: 'ann' })
      const denied = await rpc(endpoint, 'tools/call', { params: { name: 'getStats' }, token })
      assert.equal(denied.status, 403)
      const viewer = await teams.person('vera', { role: 'viewer' })
      person = viewer.id
      assert.equal((await viewer.call('GET', '/api/audit')).status, 403)
      const guess = { code: 'a-guess', name: 'Eve', password: PASSWORD }
      assert.equal((await teams.stranger('POST', '/api/invitations/accept', guess)).status, 403)
    }
    const shown = (await linesOf(logFilePath)).map(({ event, level, subject, tool, method }) =>
      [event, level, subject ?? '-', tool ?? method].join(' '),
    )
    assert.deepEqual(shown, [
      'tool_access_denied warn ann getStats',
      `access_denied warn ${person} GET /api/audit`,
      'access_denied warn - POST /api/invitations/accept',
    ])
  })

  test('leaves out what is below its level, and everything when it is off', async () => {
    for (const { settings, expected } of [
      { settings: { logLevel: 'error' }, expected: ['ip_blocked'] },
      { settings: { enabled: false }, expected: undefined },
    ]) {
      await using folder = await temporaryFolder()
      const logFilePath = join(folder.path, 'security.log')
      {
        const securityLogging = { logFilePath, ...settings }
        await using gateway = await startGateway({ config: { securityLogging, failedAuth: { max: 2 } } })
        await provoke(gateway)
      }
      if (expected === undefined) assert.deepEqual(await readdir(folder.path), [])
      else
        assert.deepEqual(
          (await linesOf(logFilePath)).map(({ event }) => event),
          expected,
        )
    }
  })

  test('goes to the ordinary log when nothing else is said', async () => {
    await using gateway = await startGateway({ config: { securityLogging: { enabled: true } } })
    await send('GET', `${gateway.url}/api/workspaces`, { headers: { authorization: 'Bearer wrong' } })
    assert.match(gateway.log.join(''), /security: auth_failure/)
  })

  test('refuses to start when its file cannot be written', async () => {
    await using folder = await temporaryFolder()
    const securityLogging = { logFilePath: join(folder.path, 'a', 'b') }
    const config = { securityLogging: { logFilePath: folder.path } }
    await assert.rejects(startGateway({ config }), /securityLogging\.logFilePath: \S+ cannot be written/)
    await using gateway = await startGateway({ config: { securityLogging } })
    assert.equal((await stat(securityLogging.logFilePath)).mode & 0o777, 0o600)
    assert.ok(gateway.url)
  })

  test('is sent to a webhook, signed, from its level on, and sent again with the same id after a failure', async () => {
    const secret = 'a-secret-of-the-webhook'
    let failures = 1
    await using hook = await startRecordingApi(() => {
      failures -= 1
      return failures >= 0 ? { status: 503, body: {} } : { status: 200, body: {} }
    })
    const webhook = { url: `${hook.url}/events?source=gatehouse`, secret, batchMs: 10 }
    {
      await using gateway = await startGateway({ config: { securityLogging: { webhook } } })
      await adminOf(gateway.url, gateway.adminKey)('POST', '/api/workspaces', { name: 'Shop' })
      await send('GET', `${gateway.url}/api/workspaces`, { headers: { authorization: 'Bearer wrong' } })
      assert.doesNotMatch(gateway.log.join(''), /a-secret-of/)
    }
    assert.equal(hook.seen.length, 2)
    const [first, last] = hook.seen
    assert.equal(first?.headers['x-gatehouse-delivery'], last?.headers['x-gatehouse-delivery'])
    assert.deepEqual([last?.method, last?.target], ['POST', '/events?source=gatehouse'])
    const sent = z.object({ events }).parse(JSON.parse(last?.body ?? ''))
    assert.deepEqual(
      sent.events.map(({ event }) => event),
      ['auth_failure'],
    )
    const [, seconds = '', mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(`${last?.headers['x-gatehouse-signature']}`) ?? []
    assert.equal(mac, createHmac('sha256', secret).update(`${seconds}.${last?.body}`).digest('hex'))
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 60)
  })

  test('gives a webhook up that refuses, and serves all the same', async () => {
    await using hook = await startRecordingApi(() => ({ status: 410, body: {} }))
    const webhook = { url: hook.url, batchMs: 10 }
    await using gateway = await startGateway({ config: { securityLogging: { webhook } } })
    await send('GET', `${gateway.url}/api/workspaces`)
    await send('GET', `${gateway.url}/api/workspaces`, { headers: { authorization: 'Bearer wrong' } })
    await gateway.restart()
    assert.equal(hook.seen.length, 1)
    assert.equal(hook.seen[0]?.headers['x-gatehouse-signature'], undefined)
    assert.match(gateway.log.join(''), /the webhook does not take them.*410/)
  })
})

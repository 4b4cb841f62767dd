import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { Folder } from './gatehouse-process.ts'
import { adminOf, callTool, readAdminKey, rpc, send, textAt } from './http.ts'

const ROUNDS = 3
const DAY_MS = 86_400_000
const auditLines = z.object({
  lines: z.array(
    z.looseObject({
      seq: z.number(),
      action: z.string(),
      outcome: z.string(),
      actor: z.string(),
      changes: z.unknown(),
      count: z.number(),
      targetId: z.string().optional(),
      requestId: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
})

async function auditOf({ url, adminKey }: Pick<TestGateway, 'url' | 'adminKey'>, query = '') {
  const { body } = await adminOf(url, adminKey)('GET', `/api/audit${query}`)
  return auditLines.parse(body).lines
}

async function isWhole({ url, adminKey }: Pick<TestGateway, 'url' | 'adminKey'>): Promise<boolean> {
  const { body } = await adminOf(url, adminKey)('GET', '/api/audit/verify')
  return z.object({ ok: z.boolean() }).parse(body).ok
}

suite('a change over /api', () => {
  test('is in the audit with who, what, old and new, and secrets only as changed', async () => {
    await using gateway = await startGateway()
    const call = adminOf(gateway.url, gateway.adminKey)
    const made = await call('POST', '/api/workspaces', { name: 'Shop', params: { password: 'old-secret-value' } })
    const path = `/api/workspaces/${textAt(made.body, 'id')}`
    const upstream = { timeoutMs: 5000, headers: { 'X-Key': 'new-secret-header' } }
    const changed = await call('PATCH', path, { name: 'Store', params: { password: 'new-secret-value' }, upstream })
    await call('DELETE', path)
    const lines = await auditOf(gateway, '?actor=admin_key')
    assert.deepEqual(
      lines.map(({ action, outcome, target }) => [action, outcome, target]),
      [
        ['workspace.created', 'ok', 'shop'],
        ['workspace.changed', 'ok', 'shop'],
        ['workspace.deleted', 'ok', 'shop'],
      ],
    )
    assert.equal(lines[1]?.requestId, changed.headers.get('x-request-id'))
    assert.deepEqual(lines[1]?.changes, [
      { setting: 'name', from: 'Shop', to: 'Store' },
      { setting: 'upstream.timeoutMs', from: 30_000, to: 5000 },
      { setting: 'params.password', isChanged: true },
      { setting: 'upstream.headers.X-Key', isChanged: true },
    ])
    assert.doesNotMatch(JSON.stringify(await auditOf(gateway)), /secret-(value|header)/)
    assert.equal(await isWhole(gateway), true)
  })

  test('that is refused is not in it', async () => {
    await using gateway = await startGateway()
    const call = adminOf(gateway.url, gateway.adminKey)
    await call('POST', '/api/workspaces', { name: 'Shop', slug: 'shop' })
    assert.equal((await call('POST', '/api/workspaces', { name: 'Shop', slug: 'shop' })).status, 409)
    assert.equal((await call('DELETE', '/api/workspaces/none')).status, 404)
    assert.equal((await auditOf(gateway, '?actor=admin_key')).length, 1)
  })

  test('of tools and of a description is told as such', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using gateway = await startGateway()
    const call = adminOf(gateway.url, gateway.adminKey)
    const source = { url: `${api.origin}/openapi.json` }
    await call('POST', '/api/workspaces', { name: 'Shop', source })
    await call('PATCH', '/api/workspaces/shop/tools', { getStats: true, listUsers: false })
    await call('PATCH', '/api/workspaces/shop/tools', { createItem: true, getStats: false })
    await call('POST', '/api/workspaces/shop/import', source)
    const lines = await auditOf(gateway, '?workspace=shop')
    assert.deepEqual(
      lines.map(({ action }) => action),
      ['workspace.created', 'tools.switched', 'tools.switched', 'workspace.imported'],
    )
    assert.deepEqual(lines[2]?.changes, [{ setting: 'tools', added: ['createItem'], removed: ['getStats'] }])
  })

  test('that the config file makes is in it, once: what it says again is no change', async () => {
    await using api = await startTestApi({ mode: 'none' })
    const workspaces = [{ name: 'Shop', source: `${api.origin}/openapi.json` }]
    await using gateway = await startGateway({ config: { workspaces } })
    const before = await auditOf(gateway, '?actor=config_file')
    assert.deepEqual(
      before.map(({ action }) => action),
      ['workspace.created', 'workspace.imported'],
    )
    await gateway.restart()
    assert.deepEqual(await auditOf(gateway, '?actor=config_file'), before)
  })
})

suite('a denial', () => {
  test('is in the audit with who, what, why and who vouched, and alike ones are one line', async () => {
    await using gateway = await startGateway()
    const callers = testCallers()
    const auth = { ...callers.auth, jwt: [{ ...callers.auth.jwt[0], requiredScopes: ['shop'] }] }
    const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth })
    const token = await callers.token({ sub: 'ann' })
    for (let n = 0; n < 5; n++) {
      await rpc(endpoint, 'tools/call', { params: { name: 'getStats' }, token })
      await rpc(endpoint, 'tools/list', { token: 'wrong' })
    }
    await send('GET', `${gateway.url}/api/workspaces`, { headers: { authorization: 'Bearer wrong' } })
    await send('GET', `${gateway.url}/api/workspaces`, { headers: { origin: 'https://evil.example' } })
    const lines = await auditOf(gateway, '?action=access.denied')
    const shown = lines.map(({ actor, issuer, subject, target, reason = '', count }) => [
      ...[actor, issuer, subject, target, reason.split(' ')[0], count],
    ])
    assert.deepEqual(shown, [
      ['caller', callers.issuer, 'ann', 'shop/getStats', 'insufficient_scope', 5],
      ['anonymous', undefined, undefined, 'shop', 'invalid_token', 5],
      ['anonymous', undefined, undefined, 'GET /api/workspaces', 'invalid_token', 1],
      ['anonymous', undefined, undefined, 'GET /api/workspaces', 'origin_not_allowed', 1],
    ])
    assert.ok(lines.every(({ outcome, clientAddress }) => outcome === 'denied' && clientAddress === '127.0.0.1'))
    assert.equal(await isWhole(gateway), true)
  })

  test('that nobody has read is in the audit after a stop', async () => {
    await using gateway = await startGateway()
    await send('GET', `${gateway.url}/api/workspaces`)
    await gateway.restart()
    assert.equal((await auditOf(gateway, '?action=access.denied')).length, 1)
  })
})

suite('retention', () => {
  test('deletes old lines of audit and log at a start, and the audit is still whole', async () => {
    const clock = { now: Date.now() }
    await using gateway = await startGateway({
      config: { auditRetentionDays: 2, recordRetentionDays: 1 },
      now: () => clock.now,
    })
    const { endpoint } = await gateway.makeWorkspace({ name: 'Shop' })
    await rpc(endpoint, 'tools/list')
    clock.now += 1.5 * DAY_MS
    await gateway.restart()
    const logs = async () => (await adminOf(gateway.url, gateway.adminKey)('GET', '/api/logs')).text
    assert.equal(await logs(), '{"lines":[]}')
    assert.equal((await auditOf(gateway)).length, 2)
    await gateway.makeWorkspace({ name: 'New' })
    clock.now += DAY_MS
    await gateway.restart()
    assert.deepEqual(
      (await auditOf(gateway)).map(({ action, seq }) => [action, seq]),
      [
        ['workspace.created', 3],
        ['audit.pruned', 4],
      ],
    )
    assert.equal(await isWhole(gateway), true)
  })
})

suite('gatehouse audit', () => {
  test('lists, verifies a running gateway and a data folder, and names what was tampered with', async () => {
    await using folder = await Folder.make()
    const port: string[] = []
    {
      await using gateway = await folder.start()
      port.push('--port', new URL(gateway.url).port)
      assert.equal((await folder.run(['workspace', 'create', '--name', 'Shop', ...port])).code, 0)
      const listed = await folder.run(['audit', 'list', '--action', 'workspace.created', ...port])
      assert.match(listed.stdout, /^2 {2}\S+ \S+ {2}workspace\.created ok {2}admin_key {2}shop /)
      const whole = await folder.run(['audit', 'verify', ...port])
      assert.deepEqual([whole.code, whole.stderr], [0, ''])
      const head = /The audit is whole: 2 lines\. Head (2:\S+)\n/.exec(whole.stdout)?.[1] ?? ''
      assert.equal((await folder.run(['audit', 'verify', '--known', head, ...port])).code, 0)
      const other = await folder.run(['audit', 'verify', '--known', `2:${'x'.repeat(43)}`, ...port])
      assert.deepEqual([other.code, /line 2 is missing/.test(other.stdout)], [1, true])
      const busy = await folder.run(['audit', 'verify', '--offline'])
      assert.deepEqual([busy.code, /Another Gatehouse process/.test(busy.stderr)], [1, true])
      await gateway.stop()
    }
    const offline = ['audit', 'verify', '--offline', '--data-dir', folder.file('data')]
    assert.equal((await folder.run(offline)).code, 0)
    const database = new DatabaseSync(folder.file('data/gatehouse.db'))
    database.exec(`update audit set target = 'other' where seq = 2`)
    database.close()
    const tampered = await folder.run([...offline, '--json'])
    assert.equal(tampered.code, 1)
    assert.deepEqual(JSON.parse(tampered.stdout).problems, [{ seq: 2, problem: 'changed' }])
    assert.match((await folder.run(offline)).stdout, /line 2 is not as it was written/)
    const none = await folder.run(['audit', 'verify', '--offline', '--data-dir', folder.file('nowhere')])
    assert.deepEqual([none.code, /There is no store/.test(none.stderr)], [1, true])
  })
})

suite('a kill -9', () => {
  test(`leaves no change without its event and no event without its change, in ${ROUNDS} rounds`, async () => {
    await using folder = await Folder.make()
    for (let round = 0; round <= ROUNDS; round += 1) {
      await using gateway = await folder.start()
      const adminKey = await readAdminKey(folder.file('config/gatehouse'))
      await assertTold({ url: gateway.url, adminKey })
      if (round === ROUNDS) return
      const admin = adminOf(gateway.url, adminKey)
      const killAt = randomInt(3, 25)
      let done = 0
      const write = async (writer: number) => {
        for (let count = 0; ; count += 1) {
          const made = await admin('POST', '/api/workspaces', { name: `r${round} w${writer} c${count}` })
          done += 1
          if (done >= killAt) void gateway.stop('SIGKILL')
          await admin('PATCH', `/api/workspaces/${textAt(made.body, 'id')}`, { name: `changed ${count}` })
          if (count % 2 === 0) await admin('DELETE', `/api/workspaces/${textAt(made.body, 'id')}`)
        }
      }
      await Promise.allSettled([0, 1, 2].map(write))
      assert.equal((await gateway.ended).signal, 'SIGKILL')
    }
  })
})

/** Replays the audit: it must lead to the workspaces that are there, names included. */
async function assertTold(gateway: { readonly url: string; readonly adminKey: string }): Promise<void> {
  const told = new Map<string, unknown>()
  for (let after = 0, isMore = true; isMore; ) {
    const lines = await auditOf(gateway, `?limit=1000&after=${after}`)
    for (const { seq, action, targetId = '', changes } of lines) {
      after = seq
      const name = z
        .array(z.looseObject({ setting: z.string() }))
        .parse(changes)
        .find(({ setting }) => setting === 'name')
      if (action === 'workspace.deleted') told.delete(targetId)
      else if (action !== 'audit.started') told.set(targetId, name?.['to'])
    }
    isMore = lines.length > 0
  }
  const { body } = await adminOf(gateway.url, gateway.adminKey)('GET', '/api/workspaces')
  const kept = z.array(z.object({ id: z.string(), name: z.string() })).parse(body)
  assert.deepEqual([...told].sort(), kept.map(({ id, name }) => [id, name]).sort())
  assert.equal(await isWhole(gateway), true)
}

test('a caller who is let in is not in the audit', async () => {
  await using api = await startTestApi({ mode: 'none' })
  await using gateway = await startGateway()
  const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', source: { url: `${api.origin}/openapi.json` } })
  await callTool(endpoint, 'getStats')
  assert.deepEqual(
    (await auditOf(gateway)).map(({ action }) => action),
    ['audit.started', 'workspace.created'],
  )
})

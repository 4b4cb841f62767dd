import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { adminOf, textAt } from './http.ts'

const auditLines = z.object({
  lines: z.array(
    z.looseObject({
      action: z.string(),
      actor: z.string(),
      target: z.string().optional(),
      requestId: z.string().optional(),
    }),
  ),
})
const DEEDS = /^(?:token|key|signing_key)\./

suite('the audit of what is issued', () => {
  test('has every issue, association, revocation and rotation, with who did it, and no value (B13)', async () => {
    await using gateway = await startGateway()
    const call = adminOf(gateway.url, gateway.adminKey)
    await gateway.makeWorkspace({ name: 'Shop' })
    const wanted = { description: 'the robot', expires: '1h', scopes: [], workspaces: [] }
    const token = await call('POST', '/api/tokens', wanted)
    const path = `/api/tokens/${textAt(token.body, 'id')}`
    await call('POST', `${path}/workspaces`, { workspace: 'shop' })
    await call('DELETE', `${path}/workspaces/shop`)
    const revoked = await call('POST', `${path}/revoke`)
    const key = await call('POST', '/api/keys', { name: 'the script', expires: '1h', scopes: [], workspaces: ['shop'] })
    await call('POST', '/api/signing-keys/rotate')
    const audit = await call('GET', '/api/audit?limit=1000')
    const lines = auditLines.parse(audit.body).lines.filter(({ action }) => DEEDS.test(action))
    assert.deepEqual(
      lines.map(({ action, target, actor }) => [action, target, actor]),
      [
        ['token.created', 'the robot', 'admin_key'],
        ['token.associated', 'the robot', 'admin_key'],
        ['token.dissociated', 'the robot', 'admin_key'],
        ['token.revoked', 'the robot', 'admin_key'],
        ['key.created', 'the script', 'admin_key'],
        ['signing_key.rotated', undefined, 'admin_key'],
      ],
    )
    assert.equal(lines[3]?.requestId, revoked.headers.get('x-request-id'))
    for (const made of [token, key]) assert.ok(!audit.text.includes(textAt(made.body, 'value')))
  })

  test('and what it tells of are kept together, or neither: a token whose line is refused is none (B13)', async () => {
    await using gateway = await startGateway()
    const call = adminOf(gateway.url, gateway.adminKey)
    const wanted = { description: 'the robot', expires: '1h', scopes: [], workspaces: [] }
    const { body } = await call('POST', '/api/tokens', wanted)
    await gateway.running.stop()
    const database = new DatabaseSync(join(gateway.folder, 'data', 'gatehouse.db'))
    database.exec(
      "create trigger refuse before insert on audit when new.action like 'token.%' begin select raise(abort, 'no'); end",
    )
    database.close()
    await gateway.restart()
    assert.equal((await call('POST', '/api/tokens', wanted)).status, 500)
    assert.equal((await call('POST', `/api/tokens/${textAt(body, 'id')}/revoke`)).status, 500)
    const kept = z.array(z.looseObject({ status: z.string() })).parse((await call('GET', '/api/tokens')).body)
    assert.equal(kept.length, 1)
    assert.match((await call('GET', '/api/audit/verify')).text, /"ok":true/)
  })
})

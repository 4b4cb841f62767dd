import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { RecordBatch } from './record-batch.ts'
import type { AuditChainRow, AuditRow } from './schema.ts'
import { exampleRecord, exampleWorkspaceRow, type StoreUnderTest } from './store-contract.ts'

/** An audit row with every column set. */
export function exampleAuditRow(seq: number, changes: Partial<AuditRow> = {}): AuditRow {
  return {
    seq,
    at: 1_700_000_000_000 + seq,
    action: 'workspace.changed',
    outcome: 'ok',
    actor: 'caller',
    issuer: 'https://idp.example',
    subject: 'admin',
    target_kind: 'workspace',
    target_id: 'w1',
    target: 'shop',
    detail: '[]',
    reason: 'asked for',
    client_address: '192.0.2.1',
    request_id: `r${seq}`,
    count: 1,
    previous_hash: `h${seq - 1}`,
    hash: `h${seq}`,
    account_id: null,
    actor_name: null,
    ...changes,
  }
}

const chain: AuditChainRow = { anchor_seq: 1, anchor_hash: 'h1', head_seq: 3, head_hash: 'h3', proof: 'p' }

/** The part of the contract that is about the audit and about transactions. */
export function auditContract(open: () => Promise<StoreUnderTest>): void {
  test('lines of the audit come back column by column after a restart, and a place is taken once', async () => {
    await using under = await open()
    const bare = exampleAuditRow(2, {
      ...{ issuer: null, subject: null, target_kind: null, target_id: null, target: null },
      ...{ reason: null, client_address: null, request_id: null },
    })
    await under.store.audit.append([exampleAuditRow(1), bare])
    await assert.rejects(under.store.audit.append([exampleAuditRow(2)]), hasCode('conflict'))
    const { audit } = await under.reopen()
    assert.deepEqual(await audit.read({ limit: 10 }), [exampleAuditRow(1), bare])
    assert.equal(await audit.lastSeq(), 2)
  })

  test('the chain is kept as one row, and there is none at first', async () => {
    await using under = await open()
    assert.deepEqual([await under.store.audit.chain(), await under.store.audit.lastSeq()], [undefined, 0])
    await under.store.audit.keepChain({ ...chain, head_seq: 2 })
    await under.store.audit.keepChain(chain)
    assert.deepEqual({ ...(await (await under.reopen()).audit.chain()) }, chain)
  })

  test('the audit is read from either end and filtered, and deleted up to a place', async () => {
    await using under = await open()
    const { audit } = under.store
    await audit.append([
      exampleAuditRow(1),
      exampleAuditRow(2, { action: 'access.denied', outcome: 'denied', actor: 'anonymous', subject: null }),
      exampleAuditRow(3, { target_id: 'w2', issuer: null }),
      exampleAuditRow(4),
    ])
    const places = async (filter: Parameters<typeof audit.read>[0]) =>
      (await audit.read(filter)).map(({ seq }) => seq).join('')
    assert.equal(await places({ limit: 2 }), '34')
    assert.equal(await places({ limit: 2, before: 3 }), '12')
    assert.equal(await places({ limit: 2, after: 1 }), '23')
    assert.equal(await places({ limit: 9, action: 'access.denied' }), '2')
    assert.equal(await places({ limit: 9, outcome: 'ok', actor: 'caller' }), '134')
    assert.equal(await places({ limit: 9, subject: 'admin', issuer: 'https://idp.example' }), '14')
    assert.equal(await places({ limit: 9, targetId: 'w2' }), '3')
    assert.equal(await places({ limit: 9, requestId: 'r4' }), '4')
    assert.equal(await places({ limit: 9, since: 1_700_000_000_003 }), '34')
    assert.equal(await audit.deleteThrough(2), 2)
    assert.equal(await places({ limit: 9 }), '34')
  })

  test('a transaction keeps all of its statements or none', async () => {
    await using under = await open()
    const { store } = under
    const failed = store.transaction(async (tables) => {
      await tables.workspaces.insert(exampleWorkspaceRow('one'))
      await tables.audit.append([exampleAuditRow(1)])
      throw new Error('no')
    })
    await assert.rejects(failed, /no/)
    assert.deepEqual([await store.workspaces.list(), await store.audit.lastSeq()], [[], 0])
    const kept = await store.transaction(async (tables) => {
      await tables.workspaces.insert(exampleWorkspaceRow('one'))
      await tables.audit.append([exampleAuditRow(1)])
      return 'done'
    })
    const again = await under.reopen()
    assert.deepEqual([kept, (await again.workspaces.list()).length, await again.audit.lastSeq()], ['done', 1, 1])
  })

  test('transactions and single statements take turns', async () => {
    await using under = await open()
    const { store } = under
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, turn) =>
        store.transaction(async ({ audit }) => {
          const seq = (await audit.lastSeq()) + 1
          await audit.append([exampleAuditRow(seq, { request_id: `t${turn}` })])
          return seq
        }),
      ),
    )
    assert.deepEqual(
      counts,
      Array.from({ length: 20 }, (_, turn) => turn + 1),
    )
  })

  test('old records expire up to the first that is young enough, a bounded number at a time', async () => {
    await using under = await open()
    const { records } = under.store
    await records.append(RecordBatch.of(...[5, 6, 7, 20, 8].map((at) => exampleRecord(`at${at}`, { at }))))
    assert.equal(await records.expire({ before: 10, limit: 2 }), 2)
    assert.equal(await records.expire({ before: 10, limit: 9 }), 1)
    assert.equal(await records.expire({ before: 10, limit: 9 }), 0)
    assert.equal((await records.read({ limit: 9 })).length, 2)
  })
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

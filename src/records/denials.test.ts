import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AuditEvent } from './audit-event.ts'
import { type Denial, Denials } from './denials.ts'

function setup(append: (events: readonly AuditEvent[]) => void = () => {}) {
  const batches: (readonly AuditEvent[])[] = []
  const errors: string[] = []
  const clock = { now: 0 }
  const denials = new Denials({
    append: async (events) => {
      append(events)
      batches.push(events)
    },
    log: { error: (message) => void errors.push(message) },
    now: () => clock.now,
  })
  return { denials, batches, errors, clock }
}

const denial = (changes: Partial<Denial> = {}): Denial => ({
  requestId: 'r1',
  code: 'invalid_token',
  workspaceId: 'w1',
  workspace: 'shop',
  clientAddress: '192.0.2.1',
  ...changes,
})

suite('denials', () => {
  test('that are alike are one event with a count, and any difference makes another', async () => {
    const { denials, batches } = setup()
    for (let n = 0; n < 1000; n++) denials.note(denial({ requestId: `r${n}` }))
    const differences = [
      { code: 'rate_limited' },
      { clientAddress: '192.0.2.2' },
      { workspaceId: 'w2' },
      { tool: 'x' },
      { subject: 'ann' },
      { subject: 'ann', issuer: 'https://other.example' },
    ] as const
    for (const difference of differences) denials.note(denial(difference))
    await denials.flush()
    assert.deepEqual(
      batches.map((events) => events.map(({ count }) => count)),
      [[1000, 1, 1, 1, 1, 1, 1]],
    )
    assert.equal(batches[0]?.[0]?.by.requestId, 'r0')
  })

  test('of two people at one address are two events, and of one person one for each thing that was refused', async () => {
    const { denials, batches } = setup()
    const refused = (subject: string, method: string) =>
      denials.note({
        requestId: 'r',
        code: 'forbidden',
        method,
        clientAddress: 'nat',
        by: { actor: 'person', subject },
      })
    refused('ann', 'GET /api/audit')
    refused('bob', 'GET /api/audit')
    refused('ann', 'GET /api/audit')
    refused('ann', 'POST /api/people')
    await denials.flush()
    assert.deepEqual(
      batches[0]?.map(({ by, target, count }) => [by.subject, target?.label, count]),
      [
        ['ann', 'GET /api/audit', 2],
        ['bob', 'GET /api/audit', 1],
        ['ann', 'POST /api/people', 1],
      ],
    )
  })

  test('of a flood from everywhere are at most 100 events a batch and 1,000 an hour, and no denial is uncounted', async () => {
    const { denials, batches, clock } = setup()
    for (let batch = 0; batch < 20; batch++) {
      for (let n = 0; n < 500; n++) denials.note(denial({ clientAddress: `${batch}.${n}` }))
      await denials.flush()
    }
    const events = batches.flat()
    assert.ok(batches.every((batch) => batch.length <= 101))
    assert.equal(events.length, 1000 + 20)
    assert.equal(
      events.reduce((sum, { count = 1 }) => sum + count, 0),
      10_000,
    )
    clock.now += 3_600_000
    denials.note(denial({ clientAddress: 'new' }))
    await denials.flush()
    assert.equal(batches.at(-1)?.[0]?.by.clientAddress, 'new')
  })

  test('hold no more of a name than its beginning, however long a stranger made it', async () => {
    const { denials, batches } = setup()
    denials.note(denial({ tool: 'x'.repeat(1_000_000), detail: 'y'.repeat(1_000_000) }))
    await denials.flush()
    assert.ok(JSON.stringify(batches).length < 2000)
  })

  test('that the store refuses are lost with a word in the log, and the next are kept', async () => {
    let failures = 1
    const { denials, batches, errors } = setup(() => {
      failures -= 1
      if (failures >= 0) throw new Error('full')
    })
    denials.note(denial())
    await denials.flush()
    assert.deepEqual([batches.length, errors], [0, ['denials are missing from the audit']])
    denials.note(denial())
    await denials.flush()
    assert.equal(batches.length, 1)
  })
})

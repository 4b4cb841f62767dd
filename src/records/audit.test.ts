import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createKeyring } from '../crypto/keyring.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { exampleWorkspaceRow } from '../store/store-contract.ts'
import { Audit } from './audit.ts'
import type { AuditEvent } from './audit-event.ts'

const keyring = createKeyring('k'.repeat(40))

function event(label: string, more: Partial<AuditEvent> = {}): AuditEvent {
  const target = { kind: 'workspace', id: 'w1', label } as const
  return { action: 'workspace.changed', by: { actor: 'admin_key', requestId: `r-${label}` }, target, ...more }
}

/** An audit on a real store, and a second connection to its file: whoever has the database in his hands. */
async function openAudit() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-audit-'))
  const store = await openSqliteStore({ folder })
  const clock = { now: 1_000 }
  const seen: AuditEvent[] = []
  const options = { store, now: () => clock.now, onEvent: (event: AuditEvent) => seen.push(event) }
  const audit = new Audit({ ...options, keyring })
  await audit.start()
  return {
    audit,
    store,
    clock,
    seen,
    /** Runs SQL behind the gateway's back. */
    tamper(sql: string, ...parameters: (string | number | null)[]) {
      const database = new DatabaseSync(join(folder, 'gatehouse.db'))
      database.prepare(sql).run(...parameters)
      database.close()
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function withLines(count: number) {
  const under = await openAudit()
  // The first line says that the audit has begun.
  for (let n = 2; n <= count; n++) await under.audit.append([event(`line ${n}`)])
  return under
}

async function problemsOf(audit: Audit): Promise<string[]> {
  const { ok, problems } = await audit.verify()
  assert.equal(ok, problems.length === 0)
  return problems.map(({ seq, problem, through }) => `${problem} ${seq}${through === undefined ? '' : `-${through}`}`)
}

suite('the audit', () => {
  test('keeps who, what, to what and why, in the order in which it happened, each line with the hash of the one before', async () => {
    await using under = await openAudit()
    const who = { issuer: 'https://idp.example', subject: 'ann', name: 'ann@example.com' } as const
    const by = { actor: 'caller', clientAddress: '192.0.2.1', ...who } as const
    const changes = [{ setting: 'name', from: 'a', to: 'b' }]
    await under.audit.append([
      event('Shop', { by, accountId: 'a1', changes, outcome: 'denied', reason: 'no', count: 3 }),
    ])
    const [begin, line] = await under.audit.read({})
    assert.deepEqual([begin?.action, begin?.seq, begin?.previousHash], ['audit.started', 1, ''])
    const { hash, ...rest } = line ?? { hash: '' }
    assert.match(hash, /^[\w-]{43}$/)
    assert.deepEqual(rest, {
      ...{ seq: 2, at: 1000, action: 'workspace.changed', outcome: 'denied', actor: 'caller' },
      ...{ issuer: 'https://idp.example', subject: 'ann', clientAddress: '192.0.2.1', requestId: undefined },
      ...{ targetKind: 'workspace', targetId: 'w1', target: 'Shop', changes, reason: 'no', count: 3 },
      ...{ accountId: 'a1', actorName: 'ann@example.com' },
      previousHash: begin?.hash,
    })
    assert.equal(under.seen.length, 2)
  })

  test('keeps a change and its event together, or neither', async () => {
    await using under = await openAudit()
    const { audit, store } = under
    const failed = audit.change(event('one'), async ({ workspaces }) => {
      await workspaces.insert(exampleWorkspaceRow('one'))
      throw new Error('no')
    })
    await assert.rejects(failed, /no/)
    assert.deepEqual([(await store.workspaces.list()).length, (await audit.read({})).length], [0, 1])
    assert.equal(under.seen.length, 1)
    await audit.change(event('one'), ({ workspaces }) => workspaces.insert(exampleWorkspaceRow('one')))
    assert.deepEqual([(await store.workspaces.list()).length, (await audit.read({})).length], [1, 2])
  })

  test('takes out what looks like a credential, and cuts what is long', async () => {
    await using under = await openAudit()
    const token = `eyJ${'a'.repeat(30)}.${'b'.repeat(30)}.c`
    const changes = Array.from({ length: 500 }, (_, n) => ({ setting: `params.p${n}`, isChanged: true }) as const)
    await under.audit.append([
      event(`with ${token}`, { by: { actor: 'admin_key' }, reason: `got ${token} ${'x'.repeat(9000)}`, changes }),
    ])
    const text = JSON.stringify(await under.audit.read({}))
    assert.doesNotMatch(text, /eyJ/)
    assert.ok(text.length < 12_000, `${text.length}`)
    assert.match(text, /\d+ more/)
  })

  test('is whole whatever texts it is given: half characters too, and long ones that are cut within one', async () => {
    await using under = await openAudit()
    const unit = fc.oneof(
      fc.constantFrom('\ud800', '\udc00', '\u0000', '😀'),
      fc.string({ minLength: 1, maxLength: 1 }),
    )
    const text = fc.array(unit, { maxLength: 600 }).map((units) => units.join(''))
    await fc.assert(
      fc.asyncProperty(text, async (any) => {
        const by = {
          actor: 'caller',
          issuer: any,
          subject: any,
          name: any,
          clientAddress: any,
          requestId: any,
        } as const
        const target = { kind: 'tool', id: any, label: any } as const
        const changes = [{ setting: any, from: any, to: any }]
        await under.audit.append([event('any', { by, target, changes, reason: any, accountId: any })])
        assert.deepEqual(await problemsOf(under.audit), [])
      }),
      { numRuns: 40, examples: [['😀'.repeat(300)], [`x${'😀'.repeat(300)}`], ['\ud800']] },
    )
  })

  test('is whole when many write at once', async () => {
    await using under = await openAudit()
    await Promise.all(Array.from({ length: 30 }, (_, n) => under.audit.append([event(`a${n}`), event(`b${n}`)])))
    const { ok, lines, head } = await under.audit.verify()
    assert.deepEqual([ok, lines, head.seq], [true, 61, 61])
  })
})

suite('verify names', () => {
  const cases = [
    { name: 'nothing in a whole audit', sql: 'select 1', problems: [] },
    { name: 'a changed line', sql: `update audit set subject = 'somebody' where seq = 3`, problems: ['changed 3'] },
    {
      name: 'a line that was given to an account',
      sql: `update audit set account_id = 'a' where seq = 3`,
      problems: ['changed 3'],
    },
    {
      name: 'a line with another name',
      sql: `update audit set actor_name = 'a' where seq = 3`,
      problems: ['changed 3'],
    },
    { name: 'a changed hash', sql: `update audit set hash = 'x' where seq = 3`, problems: ['changed 3'] },
    { name: 'a removed line', sql: 'delete from audit where seq = 3', problems: ['missing 3-3'] },
    { name: 'removed first lines', sql: 'delete from audit where seq < 3', problems: ['missing 1-2'] },
    { name: 'removed last lines', sql: 'delete from audit where seq > 3', problems: ['missing 4-6'] },
    {
      name: 'two swapped lines',
      sql: 'update audit set seq = case seq when 3 then -3 when 4 then 3 else seq end where seq in (3, 4)',
      second: 'update audit set seq = 4 where seq = -3',
      problems: ['changed 3', 'changed 4'],
    },
    {
      name: 'an appended line',
      sql: 'insert into audit select 7, at, action, outcome, actor, issuer, subject, target_kind, target_id, target, detail, reason, client_address, request_id, count, hash, hash, account_id, actor_name from audit where seq = 6',
      problems: ['changed 7', 'added 7-7'],
    },
    {
      name: 'a line before the first',
      sql: 'insert into audit select 0, at, action, outcome, actor, issuer, subject, target_kind, target_id, target, detail, reason, client_address, request_id, count, hash, hash, account_id, actor_name from audit where seq = 6',
      problems: ['added 0'],
    },
    { name: 'an emptied audit', sql: 'delete from audit', problems: ['missing 1-6'] },
    { name: 'another end', sql: 'update audit_chain set head_seq = 3', problems: ['chain 0'] },
    {
      name: 'another beginning',
      sql: 'update audit_chain set anchor_seq = 3',
      problems: ['added 1', 'added 2', 'added 3', 'misplaced 4', 'chain 0'],
    },
    { name: 'a chain that nobody has begun', sql: 'delete from audit_chain', problems: ['chain 0'] },
  ] as const
  for (const { name, sql, problems, ...more } of cases) {
    test(name, async () => {
      await using under = await withLines(6)
      under.tamper(sql)
      if ('second' in more) under.tamper(more.second)
      assert.deepEqual(await problemsOf(under.audit), problems)
      // The audit goes on, and does not cover up what was done.
      await under.audit.append([event('later')])
      assert.equal((await problemsOf(under.audit)).length > 0, problems.length > 0)
    })
  }

  test('every line that was written under another key', async () => {
    await using under = await openAudit()
    const other = new Audit({ store: under.store, keyring: createKeyring('o'.repeat(40)), now: () => 1 })
    assert.deepEqual(await problemsOf(other), ['changed 1', 'chain 0'])
  })

  test('a line of an older copy that was put back', async () => {
    await using under = await withLines(3)
    const [, , old] = await under.store.audit.read({ limit: 3 })
    const before = await under.store.audit.chain()
    under.tamper('delete from audit where seq = 3')
    under.tamper(
      'update audit_chain set head_seq = 2, head_hash = ?',
      (await under.store.audit.read({ limit: 1 }))[0]?.hash ?? '',
    )
    assert.deepEqual(await problemsOf(under.audit), ['chain 0'])
    assert.ok(old !== undefined && before !== undefined)
    await under.store.audit.append([old])
    await under.store.audit.keepChain(before)
    // The whole of an older copy is in order: only its last hash, noted elsewhere, can tell.
    assert.deepEqual(await problemsOf(under.audit), [])
  })

  test('any change of any value of any line, any removal and any swap', async () => {
    await using under = await withLines(8)
    const columns =
      'seq at action outcome actor issuer subject target_kind target_id target detail reason client_address request_id count previous_hash hash'.split(
        ' ',
      )
    const rows = await under.store.audit.read({ limit: 100 })
    const chain = await under.store.audit.chain()
    assert.ok(chain !== undefined)
    const restore = async () => {
      under.tamper('delete from audit')
      await under.store.audit.append(rows)
      await under.store.audit.keepChain(chain)
      assert.deepEqual(await problemsOf(under.audit), [])
    }
    const place = fc.integer({ min: 1, max: 8 })
    const attack = fc.oneof(
      fc.record({
        kind: fc.constant('change' as const),
        place,
        column: fc.constantFrom(...columns),
        text: fc.string(),
        at: fc.nat(60),
      }),
      fc.record({ kind: fc.constant('remove' as const), place }),
      fc.record({ kind: fc.constant('swap' as const), place, other: place }),
    )
    await fc.assert(
      fc.asyncProperty(attack, async (given) => {
        switch (given.kind) {
          case 'change': {
            const { column, text, at } = given
            const was = Reflect.get(rows[given.place - 1] ?? {}, column)
            const isNumber = ['seq', 'at', 'count'].includes(column)
            const now = isNumber ? Number(was) + at + 100 : `${String(was ?? '').slice(0, at)}${text}`
            // `outcome` is held to its list by the table.
            if (now === was || column === 'outcome') return
            under.tamper(`update audit set ${column} = ? where seq = ?`, now, given.place)
            break
          }
          case 'remove':
            under.tamper('delete from audit where seq = ?', given.place)
            break
          case 'swap':
            if (given.place === given.other) return
            under.tamper('update audit set seq = -1 where seq = ?', given.place)
            under.tamper('update audit set seq = ? where seq = ?', given.place, given.other)
            under.tamper('update audit set seq = ? where seq = -1', given.other)
        }
        assert.notDeepEqual(await problemsOf(under.audit), [])
        await restore()
      }),
      { numRuns: 60 },
    )
  })
})

suite('retention', () => {
  test('deletes what is old enough, keeps an anchor, and the rest can still be verified', async () => {
    await using under = await withLines(5)
    under.clock.now = 2_000
    await under.audit.append([event('young')])
    assert.deepEqual(await under.audit.prune(2_000), { lines: 5, isStopped: false })
    const lines = await under.audit.read({})
    assert.deepEqual(
      lines.map(({ seq, action }) => [seq, action]),
      [
        [6, 'workspace.changed'],
        [7, 'audit.pruned'],
      ],
    )
    const { ok, anchor, head } = await under.audit.verify()
    assert.deepEqual([ok, anchor, head.seq], [true, { seq: 5, hash: lines[0]?.previousHash }, 7])
    under.tamper('delete from audit where seq = 6')
    assert.deepEqual(await problemsOf(under.audit), ['missing 6-6'])
  })

  test('deletes ten thousand lines at once, without a long pause for the calls', async () => {
    await using under = await openAudit()
    for (let n = 0; n < 11; n++) await under.audit.append(Array.from({ length: 1000 }, (_, line) => event(`${line}`)))
    const startedAt = performance.now()
    let isDone = false
    const pruning = under.audit.prune(2_000).finally(() => {
      isDone = true
    })
    let longestMs = 0
    for (let last = performance.now(); !isDone; last = performance.now()) {
      await new Promise((resolve) => setImmediate(resolve))
      longestMs = Math.max(longestMs, performance.now() - last)
    }
    assert.deepEqual(await pruning, { lines: 10_000, isStopped: false })
    // A twentieth; half of it when the hashes of all were made in one go.
    const share = longestMs / (performance.now() - startedAt)
    assert.ok(share < 0.2, `the longest pause is ${share} of it`)
    assert.deepEqual(await problemsOf(under.audit), [])
    assert.deepEqual((await under.audit.prune(2_000)).lines, 1_001)
  })

  test('may delete while somebody verifies: what is too old is not missing', async () => {
    await using under = await withLines(5)
    under.clock.now = 2_000
    await under.audit.append([event('young')])
    // The store answers in turn: the lines go after verify has read where they begin, and before it reads them.
    const [found, pruned] = await Promise.all([under.audit.verify(), under.audit.prune(2_000)])
    assert.deepEqual([pruned.lines, found.ok, found.anchor.seq, found.problems], [5, true, 5, []])
  })

  test('keeps the last line, however old, and deletes nothing where nothing is old', async () => {
    await using under = await withLines(3)
    assert.deepEqual(await under.audit.prune(1_000), { lines: 0, isStopped: false })
    assert.deepEqual(await under.audit.prune(9_000), { lines: 2, isStopped: false })
    assert.deepEqual(await problemsOf(under.audit), [])
  })

  test('keeps lines that somebody has changed: they are evidence', async () => {
    await using under = await withLines(5)
    under.tamper(`update audit set target = 'x' where seq = 2`)
    assert.deepEqual(await under.audit.prune(9_000), { lines: 0, isStopped: true })
    assert.deepEqual(await problemsOf(under.audit), ['changed 2'])
  })
})

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { exampleIssuedRow } from '../store/issued-contract.ts'
import type { IssuedRow } from '../store/schema.ts'
import { IssuedIndex } from './revocation.ts'

function rowOf(id: string, changes: Partial<IssuedRow> = {}): IssuedRow {
  return exampleIssuedRow(id, changes)
}

/** An index over rows in memory, as a store gives them. */
async function indexOf(rows: readonly IssuedRow[], opens: Readonly<Record<string, readonly string[]>>, now = 0) {
  const sorted = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const issued = {
    page: async ({ after, limit }: { after: string; limit: number }) =>
      sorted.filter(({ id }) => id > after).slice(0, limit),
    workspacesOf: async (ids: readonly string[]) =>
      ids.flatMap((issued_id) =>
        (opens[issued_id] ?? []).map((workspace_id) => ({ issued_id, workspace_id, is_default: 0 }) as const),
      ),
  }
  return IssuedIndex.open({ issued }, now)
}

suite('what was issued', () => {
  test('is good for its workspaces only, until its end', async () => {
    const index = await indexOf([rowOf('a')], { a: ['v', 'w'] })
    assert.equal(index.standing('a', 'v', 999), 'good')
    assert.equal(index.standing('a', 'w', 999), 'good')
    assert.equal(index.standing('a', 'x', 999), 'other_workspace')
    assert.equal(index.standing('a', 'v', 1000), 'expired')
    assert.equal(index.standing('b', 'v', 1), 'unknown')
    assert.equal(index.standing('__proto__', 'v', 1), 'unknown')
  })

  test('that is revoked is so for good, whatever it opens', async () => {
    const index = await indexOf([rowOf('a'), rowOf('b', { revoked_at: 5 })], { a: ['w'], b: ['w'] })
    index.revoke('a')
    index.associate('a', 'x')
    index.revoke('nothing')
    for (const id of ['a', 'b']) assert.equal(index.standing(id, 'w', 1), 'revoked')
    assert.equal(index.standing('a', 'x', 1), 'revoked')
  })

  test('opens a workspace from its association to its dissociation', async () => {
    const index = await indexOf([rowOf('a'), rowOf('b')], { b: ['w'] })
    assert.equal(index.standing('a', 'w', 1), 'other_workspace')
    index.associate('a', 'w')
    index.associate('a', 'w')
    index.associate('a', 'x')
    assert.deepEqual([index.standing('a', 'w', 1), index.standing('a', 'x', 1)], ['good', 'good'])
    index.dissociate('a', 'w')
    assert.deepEqual([index.standing('a', 'w', 1), index.standing('a', 'x', 1)], ['other_workspace', 'good'])
    // Lists are shared among entries: another's is not touched.
    assert.equal(index.standing('b', 'w', 1), 'good')
    index.dissociate('a', 'x')
    assert.equal(index.standing('a', 'x', 1), 'other_workspace')
  })

  test('lives for ever only without an end', async () => {
    const index = await indexOf([rowOf('a'), rowOf('b', { expires_at: null })], {})
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => index.isEndless(id)),
      [false, true, false],
    )
    assert.equal(index.standing('b', 'w', Number.MAX_SAFE_INTEGER), 'other_workspace')
  })

  test('is read in pages, without what has ended, and swept later', async () => {
    const rows = Array.from({ length: 12_000 }, (_, n) => rowOf(`t${n}`, { expires_at: n < 2_000 ? 5 : 1000 + n }))
    const key = rowOf('key', { kind: 'key', key_hash: 'h', signing_kid: null, expires_at: 1000, scopes: 'a  b' })
    const index = await indexOf([...rows, key], {}, 10)
    assert.equal(index.size, 10_001)
    assert.deepEqual([...(index.findKey('h')?.scopes ?? [])], ['a', 'b'])
    index.sweep(1000)
    assert.deepEqual([index.size, index.findKey('h')], [10_000, undefined])
  })

  test('costs less than 50 MB for 100,000 that live and 10,000 that were revoked', async () => {
    // A process of its own: what else this one has allocated would be counted.
    const program = `
      const { IssuedIndex } = await import(${JSON.stringify(new URL('./revocation.ts', import.meta.url).href)})
      const used = () => { gc(); gc(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external }
      const before = used()
      const index = new IssuedIndex()
      for (let n = 0; n < 110000; n += 1) {
        // As they come from the store: texts of their own.
        const row = JSON.parse(JSON.stringify({ id: 'abcdefghijklmnopqr' + String(n).padStart(6, '0'), key_hash: null, scopes: 'mcp', subject: 's' + n,
          expires_at: 1900000000000 + n, revoked_at: n % 11 === 0 ? 1 : null }))
        index.keep(row, JSON.parse(JSON.stringify(['workspace' + String(n % 500).padStart(7, '0')])))
      }
      console.log(used() - before, index.size)`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--expose-gc', '--input-type=module', '--eval', program], {
      timeout: 60_000,
    })
    const [bytes = Number.NaN, size] = stdout.trim().split(' ').map(Number)
    assert.equal(size, 110_000)
    assert.ok(bytes < 50_000_000, `${bytes} bytes`)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import { McpSessions, type SessionOwner } from './sessions.ts'

const KEYRING = createKeyring('the master secret of this installation')
const DAYS_7 = 7 * 24 * 3_600_000
const ADA: SessionOwner = { workspaceId: 'w1', issuer: 'https://a', subject: 'ada' }
const SESSION = { client: 'cursor/1.0', protocolVersion: '2025-11-25' }

function createSessions(): { sessions: McpSessions; clock: { now: number } } {
  const clock = { now: 1_000_000 }
  return { sessions: new McpSessions(KEYRING, () => clock.now), clock }
}

suite('a session', () => {
  test('is found by the caller it was opened for, again and again', () => {
    const { sessions } = createSessions()
    const id = sessions.open(ADA, SESSION)
    assert.deepEqual(sessions.find(id, ADA), SESSION)
    assert.deepEqual(sessions.find(id, ADA), SESSION)
  })

  test('has an id of visible ASCII that is never the same twice', () => {
    const { sessions } = createSessions()
    const ids = Array.from({ length: 1000 }, () => sessions.open(ADA, { ...SESSION, client: 'ü\u{1f600}\n' }))
    for (const id of ids) assert.match(id, /^[\x21-\x7e]+$/)
    assert.equal(new Set(ids).size, 1000)
  })

  test('is found for the longest client name there can be, and for none', () => {
    const { sessions } = createSessions()
    for (const client of ['"'.repeat(100), '\u{1f600}'.repeat(50), 'ü'.repeat(100), undefined]) {
      assert.deepEqual(sessions.find(sessions.open(ADA, { ...SESSION, client }), ADA), { ...SESSION, client })
    }
  })

  test('keeps the id that an MCP server gave, or is not opened at all', () => {
    const { sessions } = createSessions()
    const ids = ['1', 'u'.repeat(1000), '"'.repeat(1000), 'ÿ'.repeat(1000), '"'.repeat(700), 'x'.repeat(100_000)]
    const outcomes = ids.map((upstreamId) => {
      const session = { ...SESSION, client: 'ü'.repeat(100), upstreamId }
      try {
        assert.deepEqual(sessions.find(sessions.open(ADA, session), ADA), session)
        return 'kept'
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'upstream_too_large', String(error))
        return 'refused'
      }
    })
    assert.deepEqual(outcomes, ['kept', 'kept', 'refused', 'refused', 'refused', 'refused'])
  })

  for (const [name, other] of [
    ['another workspace', { workspaceId: 'w2' }],
    ['another issuer', { issuer: 'https://b' }],
    ['another subject', { subject: 'bob' }],
    ['nobody in particular', { issuer: '', subject: 'anonymous' }],
  ] as const) {
    test(`is no session for ${name}, before and after its owner used it`, () => {
      const { sessions } = createSessions()
      const id = sessions.open(ADA, SESSION)
      assert.equal(sessions.find(id, { ...ADA, ...other }), undefined)
      assert.deepEqual(sessions.find(id, ADA), SESSION)
      assert.equal(sessions.find(id, { ...ADA, ...other }), undefined)
    })
  }

  test('is bound to its owner however issuer and subject are written', () => {
    const { sessions } = createSessions()
    const text = fc.oneof(fc.string(), fc.constantFrom('","', '"]', '\n', '\\', '\u0000'))
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 6, maxLength: 6 }),
        ([a = '', b = '', c = '', d = '', e = '', f = '']) => {
          const owner = { workspaceId: a, issuer: b, subject: c }
          const other = { workspaceId: d, issuer: e, subject: f }
          const isSame = a === d && b === e && c === f
          assert.equal(sessions.find(sessions.open(owner, SESSION), other) !== undefined, isSame)
        },
      ),
    )
    const id = sessions.open({ workspaceId: 'w', issuer: 'a","b', subject: 'c' }, SESSION)
    assert.equal(sessions.find(id, { workspaceId: 'w', issuer: 'a', subject: 'b","c' }), undefined)
  })

  test('is over when it was ended, under any other way to write its id too', () => {
    const { sessions } = createSessions()
    const id = sessions.open(ADA, SESSION)
    sessions.find(id, ADA)
    sessions.end(id)
    assert.equal(sessions.find(id, ADA), undefined)
    for (const same of [`${id}.`, `${id}.x`, `${id}=`, ` ${id}`, `${id}\n`]) {
      assert.equal(sessions.find(same, ADA), undefined, JSON.stringify(same))
    }
  })

  test('runs out after seven days, used or not', () => {
    const { sessions, clock } = createSessions()
    const used = sessions.open(ADA, SESSION)
    const unused = sessions.open(ADA, SESSION)
    clock.now += DAYS_7 - 1
    assert.deepEqual(sessions.find(used, ADA), SESSION)
    clock.now += 1
    assert.equal(sessions.find(used, ADA), undefined)
    assert.equal(sessions.find(unused, ADA), undefined)
  })

  test('outlives a restart and is found by another replica with the same key', () => {
    const id = createSessions().sessions.open(ADA, SESSION)
    assert.deepEqual(createSessions().sessions.find(id, ADA), SESSION)
  })

  test('of another key is none', () => {
    const other = new McpSessions(createKeyring('the master secret of another installation'), () => 0)
    assert.equal(createSessions().sessions.find(other.open(ADA, SESSION), ADA), undefined)
  })

  test('cannot be forged: any change makes it none', () => {
    const { sessions } = createSessions()
    const id = sessions.open(ADA, SESSION)
    for (let at = 0; at < id.length; at += 1) {
      const changed = id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1)
      assert.equal(sessions.find(changed, ADA), undefined)
      assert.equal(sessions.find(id.slice(0, at), ADA), undefined)
    }
    const [, signature = ''] = id.split('.')
    const longer = Buffer.from(JSON.stringify(['x', Number.MAX_SAFE_INTEGER, '2025-11-25', ''])).toString('base64url')
    assert.equal(sessions.find(`${longer}.${signature}`, ADA), undefined)
  })

  test('is none for any text that was never given out', () => {
    const { sessions } = createSessions()
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom('', '.', '..', 'a.b', '__proto__')), (text) => {
        assert.equal(sessions.find(text, ADA), undefined)
      }),
    )
    assert.equal(sessions.find(`${'a'.repeat(10_000_000)}.b`, ADA), undefined)
  })
})

test('of 50,000 ended sessions the newest 10,000 are remembered and nothing else is kept', () => {
  const { sessions } = createSessions()
  const ids = Array.from({ length: 50_000 }, () => sessions.open(ADA, SESSION))
  for (const id of ids) sessions.end(id)
  // What is forgotten is found again: that is how many are still known to be over.
  const stillOver = ids.filter((id) => sessions.find(id, ADA) === undefined)
  assert.equal(stillOver.length, 10_000)
  assert.deepEqual(stillOver, ids.slice(-10_000))
})

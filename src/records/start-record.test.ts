import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type ErrorCode, GatewayError } from '../errors.ts'
import type { RecordLine } from './record.ts'
import { startRecord } from './start-record.ts'

const CANARY = 'hunter2'

function started(headers: Record<string, string> = {}, method = 'POST') {
  const lines: RecordLine[] = []
  const clock = { now: 1000 }
  const record = startRecord(
    { requestId: 'r1', startedAt: 1000, clientAddress: '192.0.2.1', method, header: (name) => headers[name] },
    (line) => lines.push(line),
    () => clock.now,
  )
  const end = (status?: number) => {
    record.end(status)
    const [line] = lines
    assert.ok(line)
    return line
  }
  return { record, lines, clock, end }
}

suite('startRecord', () => {
  test('writes one line with what was set, when it ends', () => {
    const { record, lines, clock } = started()
    Object.assign(record.line, { method: 'tools/call', tool: 'listItems' })
    Object.assign(record.line, { workspace: 'shop', upstreamStatus: 200 })
    clock.now = 1012
    record.end(200)
    record.end(500)
    Object.assign(record.line, { tool: 'other' })
    const [line, ...others] = lines
    assert.deepEqual(others, [])
    assert.equal(line?.durationMs, 12)
    assert.equal(line?.status, 200)
    assert.equal(line?.outcome, 'ok')
    assert.equal(line?.workspace, 'shop')
    assert.equal(line?.method, 'tools/call')
  })

  test('takes the caller’s own session, else only the start of the protocol’s', () => {
    assert.equal(started({ 'x-mcp-session-id': 'mine', 'mcp-session-id': 'theirs' }).end().session, 'mine')
    assert.equal(started({ 'mcp-session-id': '0123456789abcdef' }).end().session, '01234567')
    assert.equal(started({ 'x-mcp-session-id': 'x'.repeat(999) }).end().session?.length, 100)
  })

  const outcomes = [
    { code: 'invalid_token', outcome: 'denied' },
    { code: 'missing_token', outcome: 'denied' },
    { code: 'insufficient_scope', outcome: 'denied' },
    { code: 'origin_not_allowed', outcome: 'denied' },
    { code: 'host_not_allowed', outcome: 'denied' },
    { code: 'upstream_timeout', outcome: 'failed' },
    { code: 'egress_refused', outcome: 'failed' },
  ] satisfies { code: ErrorCode; outcome: string }[]
  for (const { code, outcome } of outcomes) {
    test(`a failure with ${code} is ${outcome}`, () => {
      const { record, end } = started()
      record.fail(new GatewayError(code, 'No.', { cause: 'expired' }))
      const line = end(401)
      assert.equal(line.code, code)
      assert.equal(line.outcome, outcome)
      assert.equal(line.detail, 'No.: expired')
    })
  }

  test('an answer of 401 or 403 is denied and any other error status failed, also when nothing was thrown', () => {
    assert.equal(started().end(403).outcome, 'denied')
    assert.equal(started().end(502).outcome, 'failed')
    assert.equal(started().end(204).outcome, 'ok')
    const { record, end } = started()
    Object.assign(record.line, { outcome: 'tool_error' })
    assert.equal(end(200).outcome, 'tool_error')
  })

  test('an answer of 405 is usual for who asks for a stream or ends a session, and failed for a message', () => {
    assert.equal(started({}, 'GET').end(405).outcome, 'ok')
    assert.equal(started({}, 'DELETE').end(405).outcome, 'ok')
    assert.equal(started().end(405).outcome, 'failed')
  })

  test('takes name and code of a foreign error, and never its message', () => {
    const system = Object.assign(new Error(`connect ${CANARY}`), { code: 'ECONNREFUSED' })
    const { record, end } = started()
    record.fail(
      new GatewayError('upstream_unreachable', 'No answer.', { cause: new TypeError(CANARY, { cause: system }) }),
    )
    assert.equal(end(502).detail, 'No answer.: TypeError: Error ECONNREFUSED')
  })

  test('an unknown error is internal and tells nothing of what it failed on', () => {
    const unknown = [new SyntaxError(`Unexpected token in ${CANARY}`), { password: CANARY }, 42, null, undefined]
    for (const error of unknown) {
      const { record, end } = started()
      record.fail(error)
      const line = end(500)
      assert.equal(line.code, 'internal')
      assert.equal(line.outcome, 'failed')
      assert.ok(!JSON.stringify(line).includes(CANARY))
    }
  })

  test('a credential in a reason does not reach the line', () => {
    const { record, end } = started()
    record.fail(new GatewayError('login_failed', 'The login failed.', { cause: `refused password=${CANARY}` }))
    assert.ok(!JSON.stringify(end(502)).includes(CANARY))
  })
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { createLog, type LogLevel } from './log.ts'
import type { RecordLine } from './record.ts'

const CANARY = 'hunter2'
const at = new Date(2026, 0, 2, 22, 10, 3, 108).getTime()

const call: RecordLine = {
  requestId: 'r1',
  kind: 'request',
  at,
  durationMs: 12,
  outcome: 'ok',
  method: 'tools/call',
  tool: 'listItems',
  status: 200,
  subject: 'admin',
  issuer: 'issuer',
  workspace: 'test-jwt',
}

function collected(format: 'json' | 'text', level: LogLevel = 'info') {
  let text = ''
  const destination = { write: (piece: string) => (text += piece) }
  const log = createLog({ format, level, destination, now: () => at })
  return { log, text: () => text }
}

suite('createLog', () => {
  test('prints a call and a login as a line to read', () => {
    const { log, text } = collected('text')
    log.record({ ...call, kind: 'login', method: 'POST /auth/login', tool: undefined, durationMs: 5 })
    log.record(call)
    const [login, listItems] = text().split('\n')
    assert.equal(login, '22:10:03.113 login   "POST /auth/login"  ok 200  5 ms  admin@issuer  test-jwt  req=r1')
    assert.equal(listItems, '22:10:03.120 call    listItems  ok 200  12 ms  admin@issuer  test-jwt  req=r1')
  })

  test('prints records and messages as JSON lines', () => {
    const { log, text } = collected('json')
    log.record({ ...call, outcome: 'denied', code: 'invalid_token' })
    log.info('listening', { port: 8080 })
    const [record, message] = text().trim().split('\n')
    assert.deepEqual(JSON.parse(record ?? ''), {
      ...call,
      level: 40,
      time: at,
      outcome: 'denied',
      code: 'invalid_token',
      msg: 'request',
    })
    assert.deepEqual(JSON.parse(message ?? ''), { level: 30, time: at, port: 8080, msg: 'listening' })
  })

  for (const format of ['json', 'text'] as const) {
    test(`keeps to the level (${format})`, () => {
      const shown = (level: LogLevel) => {
        const { log, text } = collected(format, level)
        log.debug('m')
        for (const outcome of ['ok', 'denied', 'tool_error', 'failed'] as const) log.record({ ...call, outcome })
        return text().split('\n').length - 1
      }
      assert.deepEqual((['debug', 'info', 'warn', 'error', 'silent'] as const).map(shown), [5, 4, 3, 1, 0])
    })

    test(`prints no secret that slipped into a message or a field (${format})`, () => {
      const { log, text } = collected(format)
      log.error(`failed with password=${CANARY}`, { authorization: CANARY, note: `Bearer ${CANARY}-1234`, n: 1 })
      assert.ok(!text().includes(CANARY))
      assert.match(text(), /redacted/)
    })

    test(`lets no name forge a second line (${format})`, () => {
      const { log, text } = collected(format)
      const forged = 'a\n22:10:03 call x\r\u2028\u202e\u001b[2Kb'
      log.record({ ...call, tool: forged, subject: forged, requestId: forged, detail: forged, workspace: forged })
      log.warn(forged, { key2: forged })
      assert.equal(text().split('\n').length, 3)
      if (format === 'text') assert.doesNotMatch(text(), /[\r\u2028\u202e\u001b]/)
      else assert.doesNotMatch(text(), /[\r\u001b]/)
    })
  }

  test('quotes what could pass for another field', () => {
    const { log, text } = collected('text')
    log.record({ ...call, tool: 'x  ok 200', subject: undefined, workspace: '', detail: 'why', code: 'internal' })
    assert.match(text(), /call {4}"x {2}ok 200" {2}ok 200 {2}12 ms {2}"" {2}req=r1 {2}internal {2}"why"/)
  })

  test('has written everything to a descriptor when it is closed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-log-'))
    const path = join(folder, 'log')
    const log = createLog({ format: 'json', level: 'info', destination: openSync(path, 'w'), now: () => at })
    for (let n = 0; n < 5000; n++) log.record(call)
    await log.close()
    await log.close()
    log.info('after the end')
    assert.equal((await readFile(path, 'utf8')).split('\n').length - 1, 5000)
    await rm(folder, { recursive: true })
  })

  test('goes on when the descriptor cannot be written', async () => {
    const descriptor = openSync(import.meta.filename, 'r')
    const log = createLog({ format: 'text', level: 'info', destination: descriptor, now: () => at })
    log.info('refused with EBADF')
    await new Promise((resolve) => setImmediate(resolve))
    await log.close()
  })

  test('goes on when nobody reads the output any more', async () => {
    const code = `
      const { createLog } = await import(${JSON.stringify(new URL('./log.ts', import.meta.url).href)})
      const log = createLog({ format: 'text', level: 'info', destination: 1, now: () => 0 })
      process.stdin.once('data', async () => {
        for (let n = 0; n < 100; n++) {
          log.info('nobody reads this')
          await new Promise((resolve) => setImmediate(resolve))
        }
        await log.close()
        process.exit(7)
      })
      log.info('ready')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'pipe', env: {} })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    await once(child.stdout, 'close')
    child.stdin.write('go\n')
    assert.deepEqual(await once(child, 'exit'), [7, null])
  })
})

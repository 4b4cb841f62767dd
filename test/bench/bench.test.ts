import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { answerBytes, findAnswer } from './answer.ts'
import { openProcess } from './bench-process.ts'
import { createHistogram, median } from './histogram.ts'
import { contenders } from './line-up.ts'
import type { Sample } from './measure.ts'
import { pair, summarize, table } from './report.ts'
import { expectSuccess, makeSetup, refusesForgery } from './setup.ts'
import { isWarm } from './warm-up.ts'

suite('findAnswer', () => {
  const bodies = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1 }), { maxLength: 4 })

  test('finds an answer with a length only when all of it is there', () => {
    fc.assert(
      fc.property(bodies, (parts) => {
        const body = parts.join('')
        const text = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        assert.deepEqual(findAnswer(text), { status: 200, body, bytes: text.length })
        for (let cut = 0; cut < text.length; cut += 1) assert.equal(findAnswer(text.slice(0, cut)), undefined)
        assert.equal(answerBytes(text), text.length)
      }),
    )
  })

  test('finds a chunked answer only when all of it is there', () => {
    fc.assert(
      fc.property(bodies, (parts) => {
        const chunks = [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
        const text = `HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`
        assert.deepEqual(findAnswer(text), { status: 500, body: parts.join(''), bytes: text.length })
        for (let cut = 0; cut < text.length; cut += 1) assert.equal(findAnswer(text.slice(0, cut)), undefined)
      }),
    )
  })

  test('does not guess where an answer without a length ends', () => {
    assert.throws(() => findAnswer('HTTP/1.1 200 OK\r\n\r\nbody'))
    assert.deepEqual(findAnswer('HTTP/1.1 202 Accepted\r\n\r\n'), { status: 202, body: '', bytes: 25 })
  })
})

test('percentiles are those of the sorted list', () => {
  const histogram = createHistogram()
  for (let micros = 100; micros >= 1; micros -= 1) histogram.add(micros)
  assert.deepEqual([histogram.percentile(0.5), histogram.percentile(0.99), histogram.percentile(1)], [50, 99, 100])
  histogram.add(60_000_000)
  assert.equal(histogram.percentile(1), 2_000_000)
  assert.equal(createHistogram().percentile(0.5), 0)
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3])], [2, 2.5])
})

test('a contender is warm when it stops to get faster, or never does', () => {
  assert.equal(isWarm([100, 100]), false)
  assert.equal(isWarm([100, 102, 101]), true)
  assert.equal(isWarm([100, 150, 150]), false)
  assert.equal(isWarm([100, 150, 200, 190]), false)
  assert.equal(isWarm([100, 150, 200, 190, 205]), true)
  const ever = Array.from({ length: 15 }, (_, turn) => 2 ** turn)
  assert.deepEqual([isWarm(ever.slice(1)), isWarm(ever)], [false, true])
})

test('a pair is compared turn by turn, and only where both had one', () => {
  const sample = (key: string, round: number, callsPerSecond: number): Sample => ({
    ...{ key, name: key, round, callsPerSecond, connections: 64, calls: 1, errors: 0, p50: 1, p99: 1 },
    ...{ cpuMicrosPerCall: 1000 / callsPerSecond, rssBytes: 1, cpuShare: 1, loadShare: 0, upstreamShare: 0 },
  })
  const samples = [sample('c', 1, 100), sample('f', 1, 80), sample('c', 2, 10), sample('f', 2, 8), sample('f', 3, 1)]
  assert.deepEqual(pair(samples, ['f', 'c']), ['(f) to (c) at 64: 0.80 of its calls/s, 1.25 of its CPU.'])
  assert.deepEqual(pair(samples, ['f', 'a']), [])
})

test('the ratio is the median of the ratios to the bare hop of the same round', () => {
  const sample = (key: string, round: number, callsPerSecond: number): Sample => ({
    ...{ key, name: key, round, callsPerSecond, connections: 64, calls: 1, errors: 0, p50: 1000, p99: 2000 },
    ...{ cpuMicrosPerCall: 1, rssBytes: 1, cpuShare: 1, loadShare: 0.1, upstreamShare: 0.1 },
  })
  // The machine was twice as fast in the second round: the ratio must not notice.
  const samples = [sample('a', 1, 100), sample('d1', 1, 10), sample('a', 2, 200), sample('d1', 2, 20)]
  assert.deepEqual(
    summarize(samples).map(({ key, callsPerSecond, ratio }) => ({ key, callsPerSecond, ratio })),
    [
      { key: 'a', callsPerSecond: 150, ratio: 1 },
      { key: 'd1', callsPerSecond: 15, ratio: 0.1 },
    ],
  )
  assert.match(
    table({ samples, loadOnly: 1, rounds: 2, seconds: 1, tools: 20 }),
    /\(d1\) d1 +64 +15 +0\.10 +1\.00 +2\.00/,
  )
  assert.equal(summarize(samples.filter(({ key }) => key !== 'a'))[0]?.ratio, undefined)
})

suite('every contender', () => {
  // nginx and packages of others may not be here: `stands.ts` holds them to the same before they are measured.
  for (const contender of contenders.filter(({ prepare }) => prepare === undefined)) {
    const { key, name, module, checksToken } = contender
    test(`(${key}) ${name} really makes the call under load`, async () => {
      await using upstream = openProcess('upstream')
      await using server = openProcess(name)
      const blank = await makeSetup('')
      const setup = { ...blank, upstreamOrigin: (await upstream.start('upstream.ts', blank)).url }
      const offer = await server.start(module, setup)
      await expectSuccess(name, offer, contender)
      assert.equal(await refusesForgery(offer), checksToken)
      const result = await server.load({ offer, connections: 3, seconds: 0.05 })
      assert.ok(result.calls >= 3 && result.p50 > 0)
      assert.equal(result.errors, 0)
      await assert.rejects(server.start('contenders/no-such-file.ts', setup), /no-such-file/)
    })
  }

  test('that ends in the middle of a question is noticed', async () => {
    await using server = openProcess('dying')
    const setup = await makeSetup('')
    await assert.rejects(server.start('data:text/javascript,process.exit(3)', setup), /ended/)
    await assert.rejects(server.usage())
  })

  test('that answers without the upstream is found out', async () => {
    await using server = openProcess('alone')
    const setup = await makeSetup('http://127.0.0.1:9')
    const offer = await server.start('contenders/sdk-v1.ts', setup)
    await assert.rejects(expectSuccess('alone', offer, { speaksMcp: true }), /does not answer the call/)
    const { calls, errors } = await server.load({ offer, connections: 1, seconds: 0.05 })
    assert.equal(calls, 0)
    assert.ok(errors > 0)
  })
})

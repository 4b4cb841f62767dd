import { openProcess } from './bench-process.ts'
import { startGatehouse } from './gatehouse-process.ts'
import { startProvider } from './gatehouse-workspace.ts'
import { median } from './histogram.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine } from './report.ts'
import { expectSuccess, makeSetup } from './setup.ts'

const RUNS = 7

/** From the spawn of `gatehouse start` to the whole answer of a first `tools/call`: key set, login and schema included. */
export async function startTime({ tools, program, say }: BenchOptions): Promise<boolean> {
  await using upstream = openProcess('upstream')
  const blank = await makeSetup('', tools)
  const setup = { ...blank, upstreamOrigin: (await upstream.start('upstream.ts', blank)).url }
  const provider = await startProvider(setup)
  const times: number[] = []
  for (let run = 1; run <= RUNS; run += 1) {
    await using gatehouse = await startGatehouse(setup, { provider, program })
    await expectSuccess('gatehouse start', gatehouse.offer, { speaksMcp: true })
    times.push(performance.now() - gatehouse.spawnedAt)
    say(`start ${run}/${RUNS}: ${Math.round(times.at(-1) ?? 0)} ms`)
  }
  const [fastest, slowest] = [Math.min(...times), Math.max(...times)].map(Math.round)
  process.stdout.write(
    `${describeMachine()}\nFirst call answered after ${Math.round(median(times))} ms (median of ${RUNS}; ${fastest} to ${slowest}); ${tools} tools.\n`,
  )
  return true
}

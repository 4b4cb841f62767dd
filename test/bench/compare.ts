import { openProcess } from './bench-process.ts'
import { measure, type Sample } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine, jsonReport, table } from './report.ts'
import { inTurn, openArena } from './stands.ts'

const CONNECTIONS = [1, 64] as const
const LEAD_IN_SECONDS = 0.3

/** The table: everybody with every connection busy, at 1 and at 64 connections. False when an answer was wrong. */
export async function compare({ rounds, seconds, chosen, json, tools, say }: BenchOptions): Promise<boolean> {
  await using arena = await openArena(chosen, { tools, say })
  const { load, upstream, stands, setup } = arena
  const loadOnly = await measureLoadOnly()
  say(`${describeMachine()}; ${tools} tools; the load generator alone makes ${loadOnly} calls/s`)

  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const connections of CONNECTIONS) {
      for (const stand of inTurn(stands, round)) {
        await load.load({ offer: stand.offer, connections, seconds: LEAD_IN_SECONDS })
        const sample = await measure({ ...stand, upstream, load }, { round, connections, seconds })
        samples.push(sample)
        say(
          `round ${round}/${rounds} ${sample.key} at ${connections}: ${Math.round(sample.callsPerSecond)} calls/s, ${sample.cpuMicrosPerCall.toFixed(0)} µs CPU`,
        )
      }
    }
  }
  process.stdout.write(json ? jsonReport({ samples, loadOnly }) : table({ samples, loadOnly, rounds, seconds, tools }))
  return samples.every((sample) => sample.errors === 0)

  async function measureLoadOnly(): Promise<number> {
    await using ceiling = openProcess('ceiling')
    const limit = await load.load({ offer: await ceiling.start('ceiling.ts', setup), connections: 64, seconds: 1 })
    return Math.round((limit.calls / limit.elapsedMs) * 1000)
  }
}

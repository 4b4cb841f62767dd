import { median } from './histogram.ts'
import type { LoadResult } from './load.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine } from './report.ts'
import { inTurn, openArena, type Stand } from './stands.ts'

const CONNECTIONS = 64
const BASELINE = 'a'
const LEAD_IN_SECONDS = 0.5

/**
 * How long callers wait when calls come at half the rate that the bare hop can take, whatever the answers do. Latency counts
 * from when a call was due; the load generator looks at its clock once a millisecond, which is in everybody's figures.
 */
export async function halfLoad({ rounds, seconds, chosen, tools, say }: BenchOptions): Promise<boolean> {
  await using arena = await openArena(chosen, { tools, say })
  const { load, stands } = arena
  const baseline = stands.find(({ contender }) => contender.key === BASELINE)
  if (baseline === undefined) throw new Error('Half of what? (a) has to take part.')
  const full: number[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const { calls, elapsedMs } = await load.load({ offer: baseline.offer, connections: CONNECTIONS, seconds })
    full.push((calls / elapsedMs) * 1000)
  }
  const callsPerSecond = Math.round(median(full) / 2)
  say(`(a) makes ${Math.round(median(full))} calls/s, so everybody gets ${callsPerSecond}`)

  const results = new Map<Stand, LoadResult[]>(stands.map((stand) => [stand, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const stand of inTurn(stands, round)) {
      const turn = { offer: stand.offer, connections: CONNECTIONS, seconds: seconds + LEAD_IN_SECONDS, callsPerSecond }
      // Opening 64 connections at once, here and to the API, is not what is measured: the first calls do not count.
      const result = await load.load({ ...turn, leadInSeconds: LEAD_IN_SECONDS })
      results.get(stand)?.push(result)
      say(`round ${round}/${rounds} ${stand.contender.key}: p99 ${(result.p99 / 1000).toFixed(2)} ms`)
    }
  }
  const ofBaseline = results.get(baseline) ?? []
  const lines = [...results].map(([{ contender }, own]) => line(contender.name, contender.key, own, ofBaseline))
  process.stdout.write(
    [
      describeMachine(),
      `Medians of ${rounds} rounds of ${seconds} s at ${callsPerSecond} calls/s, half of what (a) can do; ${CONNECTIONS} connections, ${tools} tools.`,
      '',
      ...lines,
      '',
    ].join('\n'),
  )
  return [...results.values()].flat().every(({ errors }) => errors === 0)
}

function line(name: string, key: string, own: readonly LoadResult[], baseline: readonly LoadResult[]): string {
  const middle = (figure: (result: LoadResult) => number) => median(own.map(figure)) / 1000
  // Against the bare hop of the same round: the machine was equally busy then.
  const behind = median(own.map((result, round) => result.p99 - (baseline[round]?.p99 ?? Number.NaN))) / 1000
  const late = own.reduce((sum, result) => sum + result.late, 0)
  const kept = late === 0 ? '' : `  does not keep up: ${late} calls never began`
  const figures = `p50 ${middle(({ p50 }) => p50).toFixed(2)} ms  p99 ${middle(({ p99 }) => p99).toFixed(2)} ms`
  return `(${key}) ${name.padEnd(36)} ${figures}  p99 over (a) ${behind.toFixed(2)} ms${kept}`
}

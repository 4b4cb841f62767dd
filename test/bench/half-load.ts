import { median } from './histogram.ts'
import type { LoadResult } from './load.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine } from './report.ts'
import { type Arena, inTurn, openArena, type Stand } from './stands.ts'

const CONNECTIONS = 64
const BASELINE = 'a'
/** Half of what these can do. Half of (c) is half load for Gatehouse; half of (a) is more than that. */
const MEASURES = ['c', 'a'] as const
const LEAD_IN_SECONDS = 0.5
/** Who leaves out more of the calls does not keep up. Some are due in the last millisecond, which nobody looks at any more. */
const LATE_SHARE = 0.01

interface Turns {
  readonly rounds: number
  readonly seconds: number
  readonly say: (line: string) => void
}

/**
 * How long callers wait when calls come at a constant rate, whatever the answers do: the same rate for everybody. Latency counts
 * from when a call was due; the load generator looks at its clock once a millisecond, which is in everybody's figures.
 */
export async function halfLoad({ rounds, seconds, chosen, tools, say }: BenchOptions): Promise<boolean> {
  await using arena = await openArena(chosen, { tools, say })
  const turns = { rounds, seconds, say }
  const measures = arena.stands.filter(({ contender }) => MEASURES.some((key) => key === contender.key))
  if (measures.length === 0) throw new Error('Half of what? (c) or (a) has to take part.')
  const full = await fullRates(arena, measures, turns)
  process.stdout.write(
    `${describeMachine()}\n${CONNECTIONS} connections, ${tools} tools; medians of ${rounds} rounds of ${seconds} s.\n`,
  )
  let isRight = true
  for (const key of MEASURES) {
    const rate = full.get(key)
    if (rate === undefined) continue
    const callsPerSecond = Math.round(rate / 2)
    say(`(${key}) makes ${Math.round(rate)} calls/s: everybody gets ${callsPerSecond}`)
    const results = await atRate(arena, callsPerSecond, turns)
    process.stdout.write(`\n${callsPerSecond} calls/s, half of what (${key}) can do:\n${lines(results).join('\n')}\n`)
    isRight &&= [...results.values()].flat().every(({ errors }) => errors === 0)
  }
  return isRight
}

/** Calls a second of each, by its key. */
async function fullRates(arena: Arena, stands: readonly Stand[], turns: Turns): Promise<Map<string, number>> {
  const rates = new Map<string, number[]>(stands.map(({ contender }) => [contender.key, []]))
  for (let round = 1; round <= turns.rounds; round += 1) {
    for (const { contender, offer } of inTurn(stands, round)) {
      const order = { offer, connections: CONNECTIONS, seconds: turns.seconds }
      const { calls, elapsedMs } = await arena.load.load(order)
      rates.get(contender.key)?.push((calls / elapsedMs) * 1000)
    }
  }
  return new Map([...rates].map(([key, own]) => [key, median(own)]))
}

type Results = ReadonlyMap<Stand, readonly LoadResult[]>

async function atRate({ stands, load }: Arena, callsPerSecond: number, turns: Turns): Promise<Results> {
  const results = new Map<Stand, LoadResult[]>(stands.map((stand) => [stand, []]))
  for (let round = 1; round <= turns.rounds; round += 1) {
    for (const stand of inTurn(stands, round)) {
      // Opening 64 connections at once, here and to the API, is not what is measured: the first calls do not count.
      const result = await load.load({
        ...{ offer: stand.offer, connections: CONNECTIONS, callsPerSecond },
        ...{ seconds: turns.seconds + LEAD_IN_SECONDS, leadInSeconds: LEAD_IN_SECONDS },
      })
      results.get(stand)?.push(result)
      turns.say(`round ${round}/${turns.rounds} ${stand.contender.key}: p99 ${(result.p99 / 1000).toFixed(2)} ms`)
    }
  }
  return results
}

function lines(results: Results): readonly string[] {
  const baseline = [...results].find(([{ contender }]) => contender.key === BASELINE)?.[1]
  return [...results].map(([{ contender }, own]) => line(`(${contender.key}) ${contender.name}`, own, baseline))
}

function line(name: string, own: readonly LoadResult[], baseline: readonly LoadResult[] | undefined): string {
  const middle = (figure: (result: LoadResult) => number) => (median(own.map(figure)) / 1000).toFixed(2)
  const late = own.reduce((sum, result) => sum + result.late, 0)
  const calls = own.reduce((sum, result) => sum + result.calls, 0)
  // Against the bare hop of the same round: the machine was equally busy then.
  const behind = median(own.map((result, round) => result.p99 - (baseline?.[round]?.p99 ?? Number.NaN))) / 1000
  return [
    name.padEnd(40),
    `p50 ${middle(({ p50 }) => p50)} ms  p99 ${middle(({ p99 }) => p99)} ms`,
    baseline === undefined ? '' : `  p99 over (a) ${behind.toFixed(2)} ms`,
    late < calls * LATE_SHARE ? '' : `  does not keep up: ${late} calls never began`,
  ].join('')
}

import type { BenchProcess } from './bench-process.ts'
import type { Offer } from './contender.ts'

const TURN_SECONDS = 1
const TURNS_MIN = 3
const TURNS_MAX = 15
/** Less than this is the machine's noise. */
const GROWTH = 1.03
/** So many turns without growth are enough. */
const TURNS_WITHOUT_GROWTH = 2

/** Loads it until its program is compiled: for some that takes ten seconds, and who is measured before looks slower than it is. */
export async function warmUp(load: BenchProcess, offer: Offer): Promise<void> {
  const rates: number[] = []
  while (!isWarm(rates)) {
    const { calls, elapsedMs } = await load.load({ offer, connections: 64, seconds: TURN_SECONDS })
    rates.push(calls / elapsedMs)
  }
}

/** Whether the last turns were no faster than the best before them. */
export function isWarm(rates: readonly number[]): boolean {
  if (rates.length < TURNS_MIN) return false
  if (rates.length >= TURNS_MAX) return true
  const best = Math.max(...rates.slice(0, -TURNS_WITHOUT_GROWTH))
  return rates.slice(-TURNS_WITHOUT_GROWTH).every((rate) => rate < best * GROWTH)
}

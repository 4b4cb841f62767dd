import type { Answered } from './probe.ts'
import { type Check, failed, passed } from './report.ts'

/** `Date` has whole seconds, and a clock that is kept in time drifts less than this. */
const TOLERANCE_MS = 5_000

/** How far the server's clock is ahead of ours, by the `Date` of its answer, milliseconds; undefined when it does not say. */
export function clockDifferenceMs({ header, askedAt, answeredAt }: Answered): number | undefined {
  const at = Date.parse(header('date') ?? '')
  if (Number.isNaN(at)) return undefined
  // Somewhere between asking and the answer, and cut to the second below.
  const earliest = askedAt - 1_000
  if (at < earliest) return at - earliest
  return at > answeredAt ? at - answeredAt : 0
}

/** Whether both clocks say the same. Pure; undefined when the server does not tell its time. */
export function checkClock(answer: Answered): Check | undefined {
  const difference = clockDifferenceMs(answer)
  if (difference === undefined) return undefined
  const seconds = Math.round(Math.abs(difference) / 1000)
  if (Math.abs(difference) <= TOLERANCE_MS) return passed('clock', 'The clocks agree.')
  return failed('clock', 'clock_differs', `The server’s is ${seconds} s ${difference > 0 ? 'ahead' : 'behind'}.`)
}

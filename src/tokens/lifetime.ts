const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
/** Ten years: who wants more writes `never`. */
const SECONDS_MAX = 3650 * 86_400

/** How a lifetime is written: `15m`, `1h`, `30d`, or `never`. */
export const LIFETIME_SHAPE = /^(?:never|[1-9]\d{0,8}[smhd])$/

/** The seconds of a lifetime as people write it; infinite for `never`. Undefined: not a lifetime, or over ten years. */
export function lifetimeSeconds(text: string): number | undefined {
  if (text === 'never') return Number.POSITIVE_INFINITY
  if (!LIFETIME_SHAPE.test(text)) return undefined
  const seconds = Number(text.slice(0, -1)) * (UNIT_SECONDS[text.slice(-1)] ?? Number.NaN)
  return seconds <= SECONDS_MAX ? seconds : undefined
}

const MICROS_MAX = 2_000_000

/** Counts durations to the microsecond; everything over two seconds counts as two seconds. */
export interface Histogram {
  add(micros: number): void
  /** The smallest duration that at least this share of all had; 0 when there is none. */
  percentile(share: number): number
}

/** An empty histogram. */
export function createHistogram(): Histogram {
  const counts = new Uint32Array(MICROS_MAX + 1)
  let total = 0
  return {
    add: (micros) => {
      const bucket = Math.min(Math.round(micros), MICROS_MAX)
      counts[bucket] = (counts[bucket] ?? 0) + 1
      total += 1
    },
    percentile: (share) => {
      const wanted = Math.max(1, Math.ceil(total * share))
      let counted = 0
      for (let micros = 0; micros <= MICROS_MAX; micros += 1) {
        counted += counts[micros] ?? 0
        if (counted >= wanted) return micros
      }
      return 0
    },
  }
}

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[Math.floor(sorted.length / 2)],
  ]
  return (low + high) / 2
}

import type { BenchProcess } from './bench-process.ts'
import type { Offer } from './contender.ts'
import type { Contender } from './line-up.ts'

/** One turn of one contender. Latencies are in microseconds; shares are of one core. */
export interface Sample {
  readonly key: string
  readonly name: string
  readonly round: number
  readonly connections: number
  readonly calls: number
  readonly errors: number
  readonly callsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuMicrosPerCall: number
  readonly rssBytes: number
  /** How busy the contender was: much less than 1 at many connections means that something else was the limit. */
  readonly cpuShare: number
  readonly loadShare: number
  readonly upstreamShare: number
}

interface Stand {
  readonly contender: Contender
  readonly offer: Offer
  readonly server: BenchProcess
  readonly upstream: BenchProcess
  readonly load: BenchProcess
}

/** Loads the contender once and reads the clocks of all three processes around it. */
export async function measure(
  { contender, offer, server, upstream, load }: Stand,
  { round, connections, seconds }: { round: number; connections: number; seconds: number },
): Promise<Sample> {
  const before = await Promise.all([server.usage(offer.pid), upstream.usage()])
  const result = await load.load({ offer, connections, seconds })
  const after = await Promise.all([server.usage(offer.pid), upstream.usage()])
  const cpuMicros = after[0].cpuMicros - before[0].cpuMicros
  const elapsedMicros = result.elapsedMs * 1000
  const { calls, errors, p50, p99 } = result
  return {
    ...{ key: contender.key, name: contender.name, round, connections, calls, errors, p50, p99 },
    callsPerSecond: (calls / elapsedMicros) * 1_000_000,
    cpuMicrosPerCall: cpuMicros / calls,
    rssBytes: after[0].rssBytes,
    cpuShare: cpuMicros / elapsedMicros,
    loadShare: result.cpuMicros / elapsedMicros,
    upstreamShare: (after[1].cpuMicros - before[1].cpuMicros) / elapsedMicros,
  }
}

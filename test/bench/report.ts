import { cpus } from 'node:os'
import { median } from './histogram.ts'
import type { Sample } from './measure.ts'

const BASELINE = 'a'

/** One line of the table: medians over the rounds. */
export interface Row {
  readonly key: string
  readonly name: string
  readonly connections: number
  readonly callsPerSecond: number
  /** To the bare hop of the same round; undefined when that took no part. */
  readonly ratio: number | undefined
  readonly p50: number
  readonly p99: number
  readonly cpuMicrosPerCall: number
  readonly rssBytes: number
  readonly cpuShare: number
  readonly loadShare: number
  readonly upstreamShare: number
  readonly errors: number
}

/** How one compares with another: medians over the rounds of its throughput and its CPU a call, in parts of the other's. */
export function pair(samples: readonly Sample[], [key, base]: readonly [string, string]): readonly string[] {
  const lines: string[] = []
  for (const connections of new Set(samples.map((sample) => sample.connections))) {
    const turns = samples.filter((sample) => sample.connections === connections)
    const both = turns.flatMap((sample) => {
      const other = turns.find((turn) => turn.key === base && turn.round === sample.round)
      return sample.key === key && other !== undefined ? [{ sample, other }] : []
    })
    if (both.length === 0) continue
    const calls = median(both.map(({ sample, other }) => sample.callsPerSecond / other.callsPerSecond))
    const cpu = median(both.map(({ sample, other }) => sample.cpuMicrosPerCall / other.cpuMicrosPerCall))
    lines.push(
      `(${key}) to (${base}) at ${connections}: ${calls.toFixed(2)} of its calls/s, ${cpu.toFixed(2)} of its CPU.`,
    )
  }
  return lines
}

/** The machine and the Node that the figures hold for. */
export function describeMachine(): string {
  const cores = cpus()
  return `Node ${process.versions.node}, ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown CPU'}, ${process.platform} ${process.arch}`
}

/** A row for each contender and number of connections, in the order they first appear in. */
export function summarize(samples: readonly Sample[]): readonly Row[] {
  const groups = Map.groupBy(
    samples.toSorted((left, right) => left.connections - right.connections),
    ({ key, connections }) => `${connections} ${key}`,
  )
  const rows = [...groups.values()].flatMap((group) => summarizeGroup(group, samples))
  return rows.toSorted((left, right) => left.connections - right.connections || left.key.localeCompare(right.key))
}

function summarizeGroup(group: readonly Sample[], samples: readonly Sample[]): readonly Row[] {
  const [first] = group
  if (!first) return []
  const middle = (figure: (sample: Sample) => number) => median(group.map(figure))
  const ratios = group.flatMap((sample) => {
    const base = samples.find(
      ({ key, round, connections }) => key === BASELINE && round === sample.round && connections === sample.connections,
    )
    return base ? [sample.callsPerSecond / base.callsPerSecond] : []
  })
  return [
    {
      ...{ key: first.key, name: first.name, connections: first.connections },
      callsPerSecond: middle((sample) => sample.callsPerSecond),
      ratio: ratios.length > 0 ? median(ratios) : undefined,
      p50: middle((sample) => sample.p50),
      p99: middle((sample) => sample.p99),
      cpuMicrosPerCall: middle((sample) => sample.cpuMicrosPerCall),
      rssBytes: middle((sample) => sample.rssBytes),
      cpuShare: middle((sample) => sample.cpuShare),
      loadShare: middle((sample) => sample.loadShare),
      upstreamShare: middle((sample) => sample.upstreamShare),
      errors: group.reduce((sum, sample) => sum + sample.errors, 0),
    },
  ]
}

/** Everything measured, for machines. */
export function jsonReport({ samples, loadOnly }: { samples: readonly Sample[]; loadOnly: number }): string {
  const report = { machine: describeMachine(), loadOnlyCallsPerSecond: loadOnly, rows: summarize(samples), samples }
  return `${JSON.stringify(report, undefined, 2)}\n`
}

interface Measured {
  readonly samples: readonly Sample[]
  readonly loadOnly: number
  readonly rounds: number
  readonly seconds: number
  readonly tools: number
}

/** The medians as a table of plain text. */
export function table({ samples, loadOnly, rounds, seconds, tools }: Measured): string {
  const head = [
    '',
    'conns',
    'calls/s',
    'to (a)',
    'p50 ms',
    'p99 ms',
    'CPU µs/call',
    'RSS MB',
    'CPU',
    'load',
    'upstr.',
    'errors',
  ]
  const lines = summarize(samples).map((row) => [
    `(${row.key}) ${row.name}`,
    String(row.connections),
    row.callsPerSecond.toFixed(0),
    row.ratio === undefined ? '-' : row.ratio.toFixed(2),
    (row.p50 / 1000).toFixed(2),
    (row.p99 / 1000).toFixed(2),
    row.cpuMicrosPerCall.toFixed(0),
    (row.rssBytes / 1_000_000).toFixed(0),
    percent(row.cpuShare),
    percent(row.loadShare),
    percent(row.upstreamShare),
    String(row.errors),
  ])
  const widths = head.map((title, column) =>
    Math.max(...[head, ...lines].map((line) => line[column]?.length ?? title.length)),
  )
  const text = [head, ...lines].map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  return [
    describeMachine(),
    `Medians of ${rounds} rounds of ${seconds} s each, everybody in turn, ${tools} tools each. The load generator alone: ${loadOnly} calls/s.`,
    '',
    ...text,
    '',
    'CPU, load, upstr.: how much of one core the contender, the load generator and the upstream took meanwhile.',
    ...['d1', 'd2', 'd3', 'd4'].flatMap((peer) => pair(samples, ['c', peer])),
    ...pair(samples, ['f', 'c']),
    '',
  ].join('\n')
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

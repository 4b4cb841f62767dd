import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Contender, contenders } from './line-up.ts'
import { TOOLS_DEFAULT } from './setup.ts'

/** What is measured: everybody's throughput, or one of the other questions. */
export type BenchMode = 'compare' | 'half-load' | 'start' | 'list' | 'memory'

export interface BenchOptions {
  readonly mode: BenchMode
  readonly rounds: number
  readonly seconds: number
  readonly chosen: readonly Contender[]
  readonly tools: number
  /** Of `--memory`: at least so many calls. */
  readonly calls: number
  /** Of `--memory` and `--start`: the file that is run as `gatehouse`. */
  readonly program: string
  readonly json: boolean
  /** Progress; not to standard output, which is for the table, or for a machine. */
  readonly say: (line: string) => void
}

export const usage = `Measures Gatehouse against its neighbours: npm run bench -- [options]
  --rounds N     how often everybody gets a turn (15)
  --seconds S    how long a turn is, at each number of connections (1)
  --only a,d1    only these: ${contenders.map(({ key, name }) => `${key} (${name})`).join(', ')}
  --tools N      how many tools everybody serves (${TOOLS_DEFAULT}; with --list 1000)
  --json         the figures of every turn as JSON
Instead of the table:
  --half-load    how long calls take at half the rate that (c) can do, and at half of (a), open loop
  --start        from the start of the process to its first answered call
  --list         tools/list with 1,000 tools
  --memory       resident memory during a million calls with a million different tokens; --calls N for another number
  --program F    with --start and --memory: the main file of another build (bin/gatehouse.js)
`

const flags = {
  rounds: { type: 'string', default: '15' },
  seconds: { type: 'string', default: '1' },
  only: { type: 'string', default: contenders.map(({ key }) => key).join(',') },
  tools: { type: 'string' },
  calls: { type: 'string', default: '1000000' },
  program: { type: 'string', default: fileURLToPath(new URL('../../bin/gatehouse.js', import.meta.url)) },
  json: { type: 'boolean', default: false },
  'half-load': { type: 'boolean', default: false },
  start: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  memory: { type: 'boolean', default: false },
} as const

/** @throws Error when an option is unknown or makes no sense. */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({ args, options: flags })
  const modes = (['half-load', 'start', 'list', 'memory'] as const).filter((name) => values[name])
  if (modes.length > 1) throw new Error('One question at a time.')
  const mode: BenchMode = modes[0] ?? 'compare'
  const keys = values.only.split(',')
  const chosen = contenders.filter(({ key }) => keys.includes(key))
  const seconds = Number(values.seconds)
  const program = resolve(values.program)
  if (!(seconds > 0 && seconds <= 60)) throw new Error('--seconds is a number up to 60.')
  if (chosen.length !== keys.length) throw new Error('--only names somebody who does not take part.')
  if (!existsSync(program)) throw new Error('--program names no file.')
  return {
    mode,
    rounds: count('--rounds', values.rounds),
    seconds,
    chosen,
    tools: count('--tools', values.tools ?? (mode === 'list' ? '1000' : String(TOOLS_DEFAULT))),
    calls: count('--calls', values.calls),
    program,
    json: values.json,
    say: (line) => process.stderr.write(`${line}\n`),
  }
}

function count(flag: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${flag} is a whole number from 1 up.`)
  return number
}

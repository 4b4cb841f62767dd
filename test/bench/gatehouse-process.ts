import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type BenchSetup, modernCall, type Offer } from './contender.ts'
import { workspaceOf } from './gatehouse-workspace.ts'
import { openApiDocument } from './tools.ts'

const START_TIMEOUT_MS = 30_000

/** `gatehouse start` as an operator runs it: its own process, a config file that keeps one workspace, a store in a temporary folder. */
export interface GatehouseProcess extends AsyncDisposable {
  readonly offer: Offer
  readonly pid: number
  /** When it was spawned, on the clock of `performance.now`. */
  readonly spawnedAt: number
}

/**
 * Starts it and resolves when it says where it listens. `provider` serves the key set and the login; `program` is the main
 * file, of the sources or of a build.
 *
 * @throws Error when it ends, or is silent for 30 s.
 */
export async function startGatehouse(
  setup: BenchSetup,
  { provider, program }: { readonly provider: string; readonly program: string },
): Promise<GatehouseProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const config = {
    port: 0,
    dataDir: join(folder, 'data'),
    keysDir: join(folder, 'keys'),
    logFormat: 'json',
    workspaces: [{ ...workspaceOf(setup, provider), source: 'api.json' }],
  }
  await writeFile(join(folder, 'api.json'), JSON.stringify(openApiDocument(setup.upstreamOrigin, setup.tools)))
  await writeFile(join(folder, 'gatehouse.yaml'), JSON.stringify(config))
  const spawnedAt = performance.now()
  const child = spawn(process.execPath, [program, 'start'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const dispose = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill()
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const url = await Promise.race([
      endpointIn(createInterface({ input: child.stdout })),
      exited.then(() => Promise.reject(new Error('gatehouse start has ended.'))),
    ])
    if (child.pid === undefined) throw new Error('gatehouse start has no process.')
    return { offer: modernCall(setup, url), pid: child.pid, spawnedAt, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** The line after the one that it listens names each workspace with its endpoint. The rest of what is said is read and dropped. */
function endpointIn(lines: ReturnType<typeof createInterface>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const silence = setTimeout(() => reject(new Error('gatehouse start says nothing.')), START_TIMEOUT_MS)
  lines.on('line', (line) => {
    const endpoint = /"bench: (http[^"]+)"/.exec(line)?.[1]
    if (endpoint === undefined) return
    clearTimeout(silence)
    resolve(endpoint)
  })
  return promise
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config.ts'
import { startServer } from '../../src/server.ts'
import { workspaceSettings } from '../../src/workspaces/settings.ts'
import { workspacePath } from '../../src/workspaces/workspace.ts'
import { type BenchSetup, modernCall, type Offer } from './contender.ts'
import { startProvider, workspaceOf } from './gatehouse-workspace.ts'
import { openApiDocument } from './tools.ts'

/** What a contender adds to the plain gateway: to its configuration, and to its workspace. */
export interface Additions {
  readonly file?: Readonly<Record<string, unknown>>
  readonly workspace?: Readonly<Record<string, unknown>>
}

/**
 * The gateway in this process, its store in a folder that goes with it. The log prints warnings only; a printed line a call costs
 * about five in a hundred more.
 */
export async function startInProcess(setup: BenchSetup, { file = {}, workspace = {} }: Additions = {}): Promise<Offer> {
  const provider = await startProvider(setup)
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const flags = { port: 0, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys'), logLevel: 'warn' }
  const configFile = join(folder, 'gatehouse.yaml')
  writeFileSync(configFile, JSON.stringify(file))
  const { gateway, url } = await startServer(loadConfig({ flags, file: configFile, env: {} }))
  const settings = workspaceSettings.parse({
    ...workspaceOf(setup, provider),
    ...workspace,
    source: { document: JSON.stringify(openApiDocument(setup.upstreamOrigin, setup.tools)) },
  })
  const made = await gateway.manager.create(settings, { keptBy: 'api', reach: 'operator' })
  return modernCall(setup, url + workspacePath(made))
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../src/config.ts'
import { startServer } from '../../../src/server.ts'
import { workspaceSettings } from '../../../src/workspaces/settings.ts'
import { workspacePath } from '../../../src/workspaces/workspace.ts'
import { modernCall, type StartContender } from '../contender.ts'
import { startProvider, workspaceOf } from '../gatehouse-workspace.ts'
import { openApiDocument } from '../tools.ts'

/**
 * Gatehouse with everything on: the JWT by JWKS with audience and scope, the upstream's token from a login, the record
 * written to the embedded store. The log prints warnings only; a printed line a call costs about five in a hundred more.
 */
export const start: StartContender = async (setup) => {
  const provider = await startProvider(setup)
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const flags = { port: 0, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys'), logLevel: 'warn' }
  const { gateway, url } = await startServer(loadConfig({ flags, env: {} }))
  const settings = workspaceSettings.parse({
    ...workspaceOf(setup, provider),
    source: { document: JSON.stringify(openApiDocument(setup.upstreamOrigin, setup.tools)) },
  })
  const workspace = await gateway.manager.create(settings, { keptBy: 'api', reach: 'operator' })
  return modernCall(setup, url + workspacePath(workspace))
}

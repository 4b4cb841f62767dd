import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../src/config.ts'
import { startProtect } from '../../../src/server.ts'
import { GUARDED } from '../../../src/workspaces/access-settings.ts'
import { upstreamSettings } from '../../../src/workspaces/settings.ts'
import { modernCall, type StartContender } from '../contender.ts'
import { listen } from '../listen.ts'

/**
 * `gatehouse protect` in front of an MCP server: the JWT by JWKS with audience and scope, the call judged by its body, our own
 * credential put on, the record made. The log prints warnings only.
 */
export const start: StartContender = async (setup) => {
  const keys = { keys: [{ ...setup.publicKey, kid: 'bench', alg: 'ES256', use: 'sig' }] }
  const provider = await listen(
    createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(keys))
    }),
  )
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const { issuer, audience } = setup
  const auth = { jwksUrl: `${provider}/jwks`, issuer, audience, requiredScopes: ['items:read'] }
  const config = loadConfig({ flags: { port: 0, keysDir: folder, logLevel: 'warn', ...auth }, env: {} })
  const upstream = upstreamSettings.parse({ auth: { type: 'bearer', token: 'bench-upstream-token' } })
  const mcp = { url: `${setup.upstreamOrigin}/mcp`, tools: undefined }
  const { url } = await startProtect(config, { mcp, access: GUARDED, upstream })
  return modernCall(setup, `${url}/mcp`)
}

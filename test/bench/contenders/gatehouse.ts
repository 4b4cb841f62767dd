import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../src/config.ts'
import { startServer } from '../../../src/server.ts'
import { workspaceSettings } from '../../../src/workspaces/settings.ts'
import { workspacePath } from '../../../src/workspaces/workspace.ts'
import { type BenchSetup, modernCall, type StartContender, TOOL_NAME } from '../contender.ts'
import { listen } from '../listen.ts'

/**
 * Gatehouse with everything on: the JWT by JWKS with audience and scope, the upstream's token from a login, the record
 * written to the embedded store. The log prints warnings only; a printed line a call costs about five in a hundred more.
 */
export const start: StartContender = async (setup) => {
  // Asked once each: the key set at the start, the login at the first call.
  const provider = await listen(createServer((request, response) => json(response, provide(request.url, setup))))
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const flags = { port: 0, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys'), logLevel: 'warn' }
  const { gateway, url } = await startServer(loadConfig({ flags, env: {} }))
  const settings = workspaceSettings.parse({
    name: 'bench',
    auth: {
      authType: 'jwt',
      jwt: {
        jwksUrl: `${provider}/jwks`,
        issuer: setup.issuer,
        audience: setup.audience,
        requiredScopes: ['items:read'],
      },
    },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${provider}/login`, username: 'bench', password: 'bench-password' },
    source: { document: JSON.stringify(description(setup.upstreamOrigin)) },
  })
  const workspace = await gateway.manager.create(settings, { keptBy: 'api', reach: 'operator' })
  return modernCall(setup, url + workspacePath(workspace))
}

function provide(path: string | undefined, { publicKey }: BenchSetup): unknown {
  if (path === '/jwks') return { keys: [{ ...publicKey, kid: 'bench', alg: 'ES256', use: 'sig' }] }
  return { accessToken: 'bench-upstream-token', refreshToken: 'bench-refresh-token', expiresIn: 3600 }
}

function description(server: string): unknown {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
  const operation = {
    operationId: TOOL_NAME,
    summary: 'One item',
    parameters: [id],
    responses: { 200: { description: 'Found.' } },
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Bench', version: '1' },
    servers: [{ url: server }],
    paths: { '/items/{id}': { get: operation } },
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

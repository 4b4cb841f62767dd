import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modernCall, type StartContender } from '../contender.ts'
import { listen } from '../listen.ts'
import { mcpUse, peerFile } from '../peers.ts'
import { openApiDocument } from '../tools.ts'
import { verifyWithJose } from './verify.ts'

interface McpUse {
  readonly MCPServer: { fromOpenAPI(options: { spec: unknown; name: string }): object }
}

interface NodeBridge {
  toNodeHandler(server: object): (request: IncomingMessage, response: ServerResponse) => Promise<void>
}

/** mcp-use with the tools that it makes of the same OpenAPI document, on plain `node:http` with `jose` in front. */
export const start: StartContender = async (setup) => {
  // It keeps a file of its own in the folder that it runs in.
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-mcp-use-'))
  process.chdir(folder)
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const { MCPServer }: McpUse = await import(peerFile(mcpUse))
  const { toNodeHandler }: NodeBridge = await import(peerFile(mcpUse, 'dist/node-bridge.js'))
  const verify = await verifyWithJose(setup)
  const spec = openApiDocument(setup.upstreamOrigin, setup.tools)
  const handle = toNodeHandler(MCPServer.fromOpenAPI({ spec, name: 'bench' }))
  const server = createServer(async (request, response) => {
    if (await verify(request)) await handle(request, response)
    else response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
  })
  return modernCall(setup, `${await listen(server)}/mcp`)
}

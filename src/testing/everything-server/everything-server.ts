import { createServer } from 'node:http'
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server'
import { close, listen, originOf } from '../../test-api/wire.ts'
import { legacySessions } from './legacy-sessions.ts'
import { everythingFactory } from './make-server.ts'

/** An MCP server that has one of everything. */
export interface EverythingServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string
}

/**
 * Starts a server on a free loopback port with every tool, prompt and resource that the official conformance suite asks for,
 * for both eras on one URL: 2026-07-28 without sessions, the revisions before it with sessions, a GET stream, DELETE, event
 * ids and their replay after `Last-Event-ID`.
 *
 * It asks for no credential. Requests with another Host or Origin than this machine's are answered 403.
 */
export async function startEverythingServer(): Promise<EverythingServer> {
  const { makeServer, changes } = everythingFactory()
  const modern = createMcpHandler(makeServer, { legacy: 'reject', keepAliveMs: 0 })
  const legacy = legacySessions(makeServer)
  changes.subscribe({ tools: modern.notify.toolsChanged, prompts: modern.notify.promptsChanged })
  changes.subscribe(legacy)
  const handle = toNodeHandler({
    fetch: async (request, options) =>
      (await isLegacyRequest(request)) ? legacy.fetch(request) : modern.fetch(request, options),
  })
  const isOurHost = localhostHostValidation()
  const isOurOrigin = localhostOriginValidation()
  const server = createServer((request, response) => {
    if (isOurHost(request, response) && isOurOrigin(request, response)) void handle(request, response)
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `${originOf('127.0.0.1', port)}/mcp`,
    async [Symbol.asyncDispose]() {
      await Promise.all([modern.close(), legacy.close(), close(server)])
    },
  }
}

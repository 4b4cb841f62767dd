import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { modernCall, type StartContender } from '../contender.ts'
import { listen } from '../listen.ts'
import { toolNames } from '../tools.ts'
import { readJsonBody } from './read-body.ts'
import { upstreamCall } from './upstream-call.ts'
import { verifyWithJose } from './verify.ts'

/**
 * The official SDK, version 2, as leanly as its interface allows: a plain JSON answer, the newest revision only, the
 * schema made once. The handler makes a server for each request; that is its design.
 */
export const start: StartContender = async (setup) => {
  const callUpstream = upstreamCall(setup.upstreamOrigin)
  const verify = await verifyWithJose(setup)
  const inputSchema = z.object({ id: z.string() })
  const names = toolNames(setup.tools)
  const makeServer = () => {
    const server = new McpServer({ name: 'bench', version: '1.0.0' })
    for (const name of names) {
      server.registerTool(name, { description: 'Returns one item.', inputSchema }, async ({ id }) => ({
        content: [{ type: 'text', text: await callUpstream(id) }],
      }))
    }
    return server
  }
  const handle = toNodeHandler(createMcpHandler(makeServer, { legacy: 'reject' }))
  const server = createServer(async (request, response) => {
    if (!(await verify(request))) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      return
    }
    // Parsed here: tried, the handler's own reading of the body costs it a fifth of its calls.
    await handle(request, response, await readJsonBody<unknown>(request))
  })
  return modernCall(setup, await listen(server))
}

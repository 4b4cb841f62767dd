import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'
import { legacyCall, type StartContender } from '../contender.ts'
import { listen } from '../listen.ts'
import { toolNames } from '../tools.ts'
import { readJsonBody } from './read-body.ts'
import { upstreamCall } from './upstream-call.ts'
import { verifyWithJose } from './verify.ts'

/**
 * The official SDK, version 1, stateless with JSON answers: the way most servers in the field are built.
 *
 * A server and a transport for each request, since it refuses to share them between stateless requests.
 */
export const start: StartContender = async (setup) => {
  const callUpstream = upstreamCall(setup.upstreamOrigin)
  const verify = await verifyWithJose(setup)
  const inputSchema = { id: z.string() }
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
  const server = createServer(async (request, response) => {
    if (!(await verify(request))) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      return
    }
    const body = await readJsonBody<unknown>(request)
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer().connect(transport)
    await transport.handleRequest(request, response, body)
  })
  return legacyCall(setup, await listen(server))
}

import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { legacyCall, type StartContender } from '../contender.ts'
import { onFreePort } from '../free-port.ts'
import { fastMcp, peerFile } from '../peers.ts'
import { toolNames } from '../tools.ts'
import { upstreamCall } from './upstream-call.ts'
import { verifyWithJose } from './verify.ts'

interface FastMcpServer {
  addTool(tool: {
    name: string
    description: string
    parameters: unknown
    execute: (args: { id: string }) => Promise<string>
  }): void
  start(options: {
    transportType: 'httpStream'
    httpStream: { port: number; host: string; stateless: boolean; enableJsonResponse: boolean }
  }): Promise<void>
}

interface FastMcp {
  readonly FastMCP: new (options: {
    name: string
    version: string
    logger: Record<'debug' | 'error' | 'info' | 'log' | 'warn', () => void>
    authenticate: (request: IncomingMessage) => Promise<{ readonly id: string }>
  }) => FastMcpServer
}

const nothing = () => {}
const silent = { debug: nothing, error: nothing, info: nothing, log: nothing, warn: nothing }

/** fastmcp, stateless with JSON answers, with its own hook for authentication and `jose` in it. */
export const start: StartContender = async (setup) => {
  const { FastMCP }: FastMcp = await import(peerFile(fastMcp))
  const callUpstream = upstreamCall(setup.upstreamOrigin)
  const verify = await verifyWithJose(setup)
  const authenticate = async (request: IncomingMessage) => {
    if (await verify(request)) return { id: 'bench' }
    // How fastmcp wants a refusal: a response that is thrown.
    throw new Response(undefined, { status: 401 })
  }
  const parameters = z.object({ id: z.string() })
  const port = await onFreePort(async (free) => {
    const server = new FastMCP({ name: 'bench', version: '1.0.0', logger: silent, authenticate })
    for (const name of toolNames(setup.tools)) {
      server.addTool({ name, description: 'Returns one item.', parameters, execute: ({ id }) => callUpstream(id) })
    }
    const httpStream = { port: free, host: '127.0.0.1', stateless: true, enableJsonResponse: true }
    await server.start({ transportType: 'httpStream', httpStream })
    return free
  })
  return legacyCall(setup, `http://127.0.0.1:${port}/mcp`)
}

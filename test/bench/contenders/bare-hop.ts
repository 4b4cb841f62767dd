import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { modernCall, type StartContender } from '../contender.ts'
import { listen } from '../listen.ts'
import { readJsonBody } from './read-body.ts'
import { type CallUpstream, upstreamCall } from './upstream-call.ts'

/** The floor: reads JSON, calls the upstream, writes a JSON-RPC answer. Checks neither token nor message. */
export const start: StartContender = async (setup) => {
  const callUpstream = upstreamCall(setup.upstreamOrigin)
  const server = createServer((request, response) => {
    answer(request, response, callUpstream).catch(() => response.writeHead(500).end())
  })
  return modernCall(setup, await listen(server))
}

interface CallMessage {
  readonly id: number
  readonly params: { readonly arguments: { readonly id: string } }
}

async function answer(request: IncomingMessage, response: ServerResponse, callUpstream: CallUpstream): Promise<void> {
  const { id, params } = await readJsonBody<CallMessage>(request)
  const text = await callUpstream(params.arguments.id)
  const body = JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

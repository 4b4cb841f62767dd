import type { OutgoingResponse } from '../egress/egress.ts'
import type { McpState } from './answer.ts'
import { clientName } from './envelope.ts'
import type { FoundSession } from './find-session.ts'
import type { Message } from './message.ts'
import type { SessionOwner } from './sessions.ts'

/**
 * The session header of an answer that is passed on: the MCP server's session becomes one of ours, which only this caller can
 * use (THREATS.md, T17). Over the 2024-11-05 transport it is kept with the client's stream instead.
 */
export function passedSession(
  passage: {
    readonly message: Message
    readonly session: FoundSession | undefined
    readonly owner: SessionOwner
  },
  { headers }: Pick<OutgoingResponse, 'headers'>,
  { sessions }: McpState,
): Record<string, string> {
  const { message, session } = passage
  const upstreamId = headers['mcp-session-id']
  if (typeof upstreamId !== 'string' || upstreamId === '') return {}
  if (upstreamId === session?.upstreamId) {
    const known = 'sessionId' in message ? message.sessionId : undefined
    return known === undefined ? {} : { 'Mcp-Session-Id': known }
  }
  const state = { ...describeClient(message, session), upstreamId }
  if (session?.sse === undefined) return { 'Mcp-Session-Id': sessions.open(passage.owner, state) }
  session.sse.state = state
  return {}
}

function describeClient(message: Message, session: FoundSession | undefined) {
  if (message.kind !== 'request' || message.method !== 'initialize') {
    return { client: session?.client, protocolVersion: session?.protocolVersion ?? '' }
  }
  const { protocolVersion, clientInfo } = message.params
  return {
    client: clientName(clientInfo),
    // What it asked for: what the server answers stands in the body, which nobody reads on the way.
    protocolVersion: typeof protocolVersion === 'string' ? protocolVersion.slice(0, 20) : '',
  }
}

import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Message } from './message.ts'
import type { McpSessions, Session, SessionOwner } from './sessions.ts'
import { type SseSession, type SseSessions, sseSessionId } from './sse-sessions.ts'

/** The session that a message belongs to. `sse`: it came by the 2024-11-05 transport and is answered on that stream. */
export interface FoundSession extends Session {
  readonly sse?: SseSession | undefined
}

/**
 * The session that a message names; undefined when it names none.
 *
 * @throws GatewayError `session_not_found` when it is unknown, over, or another caller's: all three look the same.
 */
export function findSession(
  exchange: Pick<Exchange, 'path' | 'query'>,
  message: Message,
  owner: SessionOwner,
  { sessions, sse }: { readonly sessions: McpSessions; readonly sse: SseSessions },
): FoundSession | undefined {
  const sseId = sseSessionId(exchange)
  // A DELETE means the session of its header: that one has to be the caller's.
  if (sseId !== undefined && message.kind !== 'end-session') {
    const found = sse.find(sseId, owner)
    if (found === undefined) throw sessionNotFound()
    return { ...found.state, sse: found }
  }
  if (message.kind === 'request' && message.method === 'initialize') return undefined
  if (message.sessionId === undefined) return undefined
  const session = sessions.find(message.sessionId, owner)
  if (session === undefined) throw sessionNotFound()
  return session
}

function sessionNotFound(): GatewayError {
  return new GatewayError('session_not_found', 'Session not found')
}

import { randomSecret } from '../crypto/random.ts'
import type { EventSink } from '../http/server-events.ts'
import { ownerText, type Session, type SessionOwner } from './sessions.ts'

/** A session of the 2024-11-05 transport: messages come by POST, every answer goes out on its one stream. */
export interface SseSession {
  readonly id: string
  readonly stream: EventSink
  /** What an MCP server behind us said at `initialize`. */
  state: Session
  /** What that server says unasked is being passed on: once is enough. */
  hearsUnasked: boolean
}

/**
 * The open sessions of the 2024-11-05 transport. They live as long as their stream and in this process only; the number of
 * streams is bounded by `OpenStreams`.
 */
export class SseSessions {
  readonly #open = new Map<string, { owner: string; session: SseSession }>()

  /** Opens a session that ends with its stream. */
  open(owner: SessionOwner, stream: EventSink): SseSession {
    const session: SseSession = {
      id: randomSecret(18),
      stream,
      state: { client: undefined, protocolVersion: '2024-11-05' },
      hearsUnasked: false,
    }
    this.#open.set(session.id, { owner: ownerText(owner), session })
    const forget = { handleEvent: () => void this.#open.delete(session.id) }
    stream.closed.addEventListener('abort', forget)
    return session
  }

  /** The session, if it is open and this owner's. */
  find(id: string, owner: SessionOwner): SseSession | undefined {
    const found = this.#open.get(id)
    return found !== undefined && found.owner === ownerText(owner) ? found.session : undefined
  }
}

/** The session that a POST to `…/message?sessionId=…` names; undefined for every other request. */
export function sseSessionId(request: { readonly path: string; readonly query: string }): string | undefined {
  if (request.query === '' || !/\/messages?\/?$/.test(request.path)) return undefined
  return new URLSearchParams(request.query).get('sessionId') ?? undefined
}

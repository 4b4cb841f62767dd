import { randomUUID } from 'node:crypto'
import { type McpServerFactory, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { eventStore } from './event-store.ts'
import type { Changed } from './make-server.ts'

/** The Streamable HTTP transport of the older era, one server for each session. */
export interface LegacySessions extends Changed {
  fetch(request: Request): Promise<Response>
  close(): Promise<void>
}

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport
  readonly server: Awaited<ReturnType<McpServerFactory>>
}

/** Clients that never say DELETE leave a session behind: the oldest gives way. */
const SESSIONS_MAX = 100
/** What a client is told to wait before it comes back to a stream that was closed, milliseconds. */
const RETRY_MS = 20

/** Keeps the sessions in memory. An unknown id is answered 404, anything but `initialize` without one 400. */
export function legacySessions(makeServer: McpServerFactory): LegacySessions {
  const sessions = new Map<string, Session>()

  const open = async (): Promise<WebStandardStreamableHTTPServerTransport> => {
    const server = await makeServer({ era: 'legacy' })
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: eventStore(),
      retryInterval: RETRY_MS,
      keepAliveMs: 0,
      onsessioninitialized: async (id) => {
        sessions.set(id, { transport, server })
        const [oldest] = sessions.keys()
        if (sessions.size > SESSIONS_MAX && oldest !== undefined) await end(oldest)
      },
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await server.connect(transport)
    return transport
  }
  const end = async (id: string) => {
    const session = sessions.get(id)
    sessions.delete(id)
    await session?.transport.close()
  }
  const tell = (notify: (server: Session['server']) => Promise<void> | void) => {
    for (const { server } of sessions.values()) void notify(server)
  }

  return {
    async fetch(request) {
      const id = request.headers.get('mcp-session-id')
      // The transport itself refuses what is not `initialize`.
      if (id === null) return (await open()).handleRequest(request)
      return sessions.get(id)?.transport.handleRequest(request) ?? unknownSession()
    },
    tools: () => tell((server) => server.sendToolListChanged()),
    prompts: () => tell((server) => server.sendPromptListChanged()),
    async close() {
      await Promise.all([...sessions.keys()].map(end))
    },
  }
}

function unknownSession(): Response {
  return Response.json(
    { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } },
    { status: 404 },
  )
}

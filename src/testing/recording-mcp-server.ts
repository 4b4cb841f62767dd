import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { close, listen, originOf } from '../test-api/wire.ts'

/** One request as it arrived. */
export interface McpRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly rawHeaders: readonly string[]
  /** Byte for byte. */
  readonly body: string
  /** `method` of the message, empty when there is none. */
  readonly rpcMethod: string
  /** `id` of the message as JSON text. */
  readonly id: string
  /** Resolves when the connection of this request has closed, or its answer was sent. */
  readonly closed: Promise<void>
}

/** Answers a request; false leaves it to the server. */
export type AnswerMcp = (request: McpRequest, response: ServerResponse) => boolean

/** An MCP server of both eras, by hand: it writes down what reaches it and answers what a test says. */
export interface RecordingMcpServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string
  /** Every request, oldest first. */
  readonly seen: readonly McpRequest[]
  /** What is asked first; may be changed at any time. */
  answer: AnswerMcp
  /** Resolves with the first request, past or to come, that is like this. */
  sees(isIt: (request: McpRequest) => boolean): Promise<McpRequest>
  /** Forgets what was seen. */
  forget(): void
}

/** Starts one with these tools on a free loopback port. A call answers with the name of the tool; `initialize` gives a session. */
export async function startRecordingMcpServer(
  tools: readonly string[] = ['open', 'shut'],
): Promise<RecordingMcpServer> {
  const seen: McpRequest[] = []
  const watchers = new Set<() => void>()
  let sessions = 0
  const builtIn = (request: McpRequest, response: ServerResponse): void => {
    if (request.method === 'DELETE') response.writeHead(200).end()
    else if (request.method !== 'POST') response.writeHead(405, { allow: 'POST' }).end()
    else if (request.id === '') response.writeHead(202).end()
    else {
      if (request.rpcMethod === 'initialize') {
        sessions += 1
        response.setHeader('Mcp-Session-Id', `upstream-session-${sessions}`)
      }
      sendResult(response, request, resultOf(request, tools))
    }
  }
  const recording: Pick<RecordingMcpServer, 'answer'> = { answer: () => false }
  const server = createServer((incoming, response) => {
    read(incoming, response).then(
      (request) => {
        seen.push(request)
        for (const look of watchers) look()
        if (!recording.answer(request, response)) builtIn(request, response)
      },
      () => response.destroy(),
    )
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return Object.assign(recording, {
    url: `${originOf('127.0.0.1', port)}/mcp`,
    seen,
    sees: (isIt: (request: McpRequest) => boolean) =>
      new Promise<McpRequest>((resolve) => {
        const look = () => {
          const found = seen.find(isIt)
          if (found === undefined) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
      }),
    forget: () => void seen.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await close(server)
    },
  })
}

/** Sends the JSON-RPC result of a request. */
export function sendResult(response: ServerResponse, { id }: Pick<McpRequest, 'id'>, result: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(`{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`)
}

/** Begins a stream of events. */
export function beginEvents(response: ServerResponse, headers: Readonly<Record<string, string>> = {}): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers }).flushHeaders()
  return response
}

function resultOf({ rpcMethod, body }: McpRequest, tools: readonly string[]): unknown {
  const complete = { resultType: 'complete' }
  const serverInfo = { name: 'recording', version: '1' }
  const capabilities = { tools: { listChanged: true } }
  switch (rpcMethod) {
    case 'initialize':
      return { protocolVersion: '2025-11-25', capabilities, serverInfo }
    case 'server/discover':
      return {
        ...complete,
        supportedVersions: ['2026-07-28'],
        capabilities,
        serverInfo,
        ttlMs: 0,
        cacheScope: 'private',
      }
    case 'tools/list':
      return {
        ...complete,
        tools: tools.map((name) => ({ name, inputSchema: { type: 'object' } })),
        ttlMs: 0,
        cacheScope: 'private',
      }
    case 'tools/call':
      return { ...complete, content: [{ type: 'text', text: `called ${/"name":"([^"]*)"/.exec(body)?.[1]}` }] }
    default:
      return complete
  }
}

async function read(incoming: IncomingMessage, response: ServerResponse): Promise<McpRequest> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk))
  const body = Buffer.concat(chunks).toString('utf8')
  const { method = '', url: target = '', headers, rawHeaders } = incoming
  const message = parse(body)
  return {
    ...{ method, target, headers, rawHeaders, body, closed },
    rpcMethod: String(member(message, 'method') ?? ''),
    id: member(message, 'method') === undefined ? '' : (JSON.stringify(member(message, 'id')) ?? ''),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // It is written down as it came.
    return undefined
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

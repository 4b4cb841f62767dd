import { createServer, type IncomingMessage } from 'node:http'
import * as z from 'zod'
import { close, listen, originOf } from '../test-api/wire.ts'

/** An MCP server whose tools are these, some perhaps under one name, and that says which of them it has run. */
export interface NamedToolsServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string
  /** Names of tools, as they came, oldest first: also of calls that were no requests. */
  readonly ran: readonly string[]
}

const message = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z.looseObject({ name: z.string().optional() }).optional(),
})

/**
 * Starts one on a free loopback port. It is lenient, as some are: a call is a call in any case of method and name, with an id
 * or without, and a body is read as UTF-7 where its type says so, as Express does.
 */
export async function startNamedToolsServer(names: readonly string[]): Promise<NamedToolsServer> {
  const ran: string[] = []
  const server = createServer((request, response) => {
    void readText(request).then((text) => {
      const parsed = message.safeParse(text === '' ? undefined : JSON.parse(text))
      if (!parsed.success) return void response.writeHead(405).end()
      const { id, method, params } = parsed.data
      const plain = method.trim().toLowerCase()
      if (plain === 'tools/call') ran.push(params?.name ?? '')
      if (id === undefined) return void response.writeHead(202).end()
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(plain, names) }))
    })
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return { url: `${originOf('127.0.0.1', port)}/mcp`, ran, [Symbol.asyncDispose]: () => close(server) }
}

function resultOf(method: string, names: readonly string[]): unknown {
  switch (method) {
    case 'initialize':
      return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'named', version: '1' } }
    case 'tools/list':
      return { tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) }
    case 'tools/call':
      return { content: [{ type: 'text', text: 'ran' }] }
    default:
      return {}
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const text = Buffer.concat(chunks).toString('utf8')
  return /charset="?utf-7/i.test(request.headers['content-type'] ?? '') ? fromUtf7(text) : text
}

/** `+ACI-` is a quotation mark (RFC 2152). */
function fromUtf7(text: string): string {
  return text.replace(/\+([A-Za-z0-9+/]+)-/g, (_, base64: string) =>
    Buffer.from(base64, 'base64').swap16().toString('utf16le'),
  )
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http'

const REQUEST_TIMEOUT_MS = 30_000

/** What a route answers. Without a body nothing is sent but the head. */
export interface Reply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** A ready text instead of JSON. */
  readonly text?: { readonly content: string; readonly type: string }
}

/** The parsed body, or the refusal to send. An empty body is `undefined`. */
export type ReadJson = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reply: Reply }

/** An error in the shape that every refusal of the test API has. */
export function refusal(status: number, error: string, message: string, headers?: Record<string, string>): Reply {
  return { status, body: { error, message }, ...(headers && { headers }) }
}

/** Reads the body as JSON: 413 when it has more than `bytesMax` bytes, 400 when it is not JSON. Rejects when the client goes away. */
export async function readJson(request: IncomingMessage, bytesMax: number): Promise<ReadJson> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes > bytesMax) {
      const message = `The body may have ${bytesMax} bytes.`
      // The rest is not read, so the connection cannot be used again.
      return { ok: false, reply: refusal(413, 'BODY_TOO_LARGE', message, { connection: 'close' }) }
    }
    chunks.push(part)
  }
  if (bytes === 0) return { ok: true, value: undefined }
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
  } catch {
    // The parser's message quotes the body, which may hold a password.
    return { ok: false, reply: refusal(400, 'INVALID_JSON', 'The body is not valid JSON.') }
  }
}

/** The field when it is a string, else undefined. */
export function textField(body: unknown, name: string): string | undefined {
  const value = field(body, name)
  return typeof value === 'string' ? value : undefined
}

/** The own field of an object, else undefined. */
export function field(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return undefined
  return Reflect.get(body, name)
}

/** Sends the reply. */
export function sendReply(response: ServerResponse, reply: Reply): void {
  if (reply.text === undefined && reply.body === undefined) {
    response.writeHead(reply.status, reply.headers).end()
    return
  }
  const type = reply.text?.type ?? 'application/json; charset=utf-8'
  const content = reply.text?.content ?? JSON.stringify(reply.body)
  const length = Buffer.byteLength(content)
  response.writeHead(reply.status, { ...reply.headers, 'content-type': type, 'content-length': length }).end(content)
}

/** The request target in two: path and query, the latter without its `?`. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?')
  if (mark < 0) return { path: target, query: '' }
  return { path: target.slice(0, mark), query: target.slice(mark + 1) }
}

/** Listens, with a deadline for every request, and resolves to the port; rejects when the port is taken. */
export async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  server.requestTimeout = REQUEST_TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return address.port
}

/** Stops listening and ends every connection. May be called twice. */
export async function close(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** The origin that a client on this machine can use for a server that listens on `host`. */
export function originOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { close, listen, originOf } from '../../src/test-api/wire.ts'

/** A server that passes everything on with a token that its client does not send. */
export interface TokenProxy extends AsyncDisposable {
  /** What the client is given in place of the server's URL. */
  readonly url: string
}

/**
 * Starts one in front of `target`. Method, path, body and every header go on as they came, `Host` too: the server behind it
 * must still be able to refuse a foreign one. Answers are streamed; when either side goes away the other is told.
 */
export async function startTokenProxy(target: string, token: string): Promise<TokenProxy> {
  const { hostname, port, pathname } = new URL(target)
  const server = createServer((request, response) => {
    const { method, url: path, headers } = request
    const upstream = httpRequest({
      ...{ hostname, port, method, path, agent: false },
      headers: { ...headers, authorization: `Bearer ${token}` },
    })
    response.once('close', () => upstream.destroy())
    upstream.once('response', (answer) => void passOn(answer, response))
    // Either the client has gone, which nobody has to be told, or the server has, and then so does the client.
    pipeline(request, upstream).catch(() => response.destroy())
    upstream.once('error', () => response.destroy())
  })
  const listening = await listen(server, { host: '127.0.0.1', port: 0 })
  return { url: originOf('127.0.0.1', listening) + pathname, [Symbol.asyncDispose]: () => close(server) }
}

async function passOn(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
  response.flushHeaders()
  await pipeline(answer, response).catch(() => response.destroy())
}

import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { AnswerBatch } from './answer-batch.ts'
import { BodyRequest } from './body-request.ts'
import { Connections } from './connections.ts'
import type { Exchange } from './exchange.ts'
import { HttpExchange } from './http-exchange.ts'

export interface TestServer {
  readonly port: number
  readonly url: string
  /** Sockets that were opened to this server so far. */
  connections(): number
  /** Resolves when the first of them has closed at this end. */
  readonly closed: Promise<void>
}

export interface TestServerOptions {
  readonly bodyBytesMax?: number
  readonly stallMsMax?: number
  readonly answerHeaders?: (request: IncomingMessage) => Readonly<Record<string, string>> | undefined
}

/** A node:http server as `server.ts` makes it, whose every request becomes an exchange for `handle`. Closed after the test. */
export async function serveExchanges(
  context: { after(close: () => void): void },
  handle: (exchange: Exchange) => unknown,
  { bodyBytesMax = 1024, answerHeaders = () => undefined, stallMsMax }: TestServerOptions = {},
): Promise<TestServer> {
  let connections = 0
  const closed = Promise.withResolvers<void>()
  const batch = new AnswerBatch()
  const settings = { IncomingMessage: BodyRequest, joinDuplicateHeaders: true, keepAliveTimeout: 60_000 }
  const server = createServer(settings, (request, response) => {
    const options = { bodyBytesMax, now: () => 1_000, answerHeaders, batch, stallMsMax }
    const exchange = new HttpExchange(request, response, options)
    followed.carries(request.socket, exchange)
    handle(exchange)
  })
  const followed = new Connections(server)
  server.on('connection', (socket: Socket) => {
    connections += 1
    socket.once('close', closed.resolve)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { port, url: `http://127.0.0.1:${port}`, connections: () => connections, closed: closed.promise }
}

export interface TestAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface TestRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string
}

/** Sends one request with these headers and no others that we can help, on a connection of its own. */
export function send(
  { url }: TestServer,
  { method = 'POST', path = '/', headers = {}, body }: TestRequest,
): Promise<TestAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}${path}`, { method, headers, agent: false }, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    outgoing.on('error', reject).end(body)
  })
}

/** A raw client: bytes out as they are given, bytes in as they come. */
export class RawClient {
  readonly socket: Socket
  readonly closed: Promise<void>
  #received = ''

  constructor({ port }: TestServer) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => undefined) // A reset is a way to close; tests look at what was received.
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.#received += text
    })
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
  }

  get received(): string {
    return this.#received
  }

  write(...lines: readonly string[]): void {
    this.socket.write(lines.join('\r\n'))
  }

  /** Resolves when what was received matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) {
      await new Promise<void>((resolve, reject) => {
        this.socket.once('data', () => resolve())
        this.socket.once('close', () => reject(new Error(`closed after: ${this.#received}`)))
      })
    }
    return this.#received
  }
}

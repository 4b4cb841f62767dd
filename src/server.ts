import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assembleGateway, type Gateway, type GatewayOptions } from './app/assemble.ts'
import { type Config, isLoopback } from './config.ts'
import { GatewayError } from './errors.ts'
import { Connections } from './http/connections.ts'
import { corsHeaders } from './http/cors.ts'
import { HttpExchange } from './http/http-exchange.ts'

/** A gateway that listens. */
export interface RunningGateway extends AsyncDisposable {
  /** Where it listens, as in `http://127.0.0.1:8080`. */
  readonly url: string
  readonly gateway: Gateway
  /** Takes no new request, lets running ones finish (10 s at most), writes what waits and closes everything. */
  stop(): Promise<void>
}

const DRAIN_MS = 10_000
const HEADERS_MS = 10_000
const HEADERS_MAX = 100

/**
 * Opens the gateway and listens.
 *
 * @throws GatewayError `config_invalid` for what must not start, and when the address is taken.
 */
export async function startServer(config: Config, options: GatewayOptions = {}): Promise<RunningGateway> {
  const gateway = await assembleGateway(config, options)
  const server = createServer({
    // A client that is slow to send is cut off by Node itself with 408.
    requestTimeout: config.requestTimeoutMs,
    headersTimeout: Math.min(HEADERS_MS, config.requestTimeoutMs),
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: 32_768,
    // A repeated Authorization arrives joined and is refused; Node would silently keep the first.
    joinDuplicateHeaders: true,
    noDelay: true,
  })
  server.maxHeadersCount = HEADERS_MAX
  const connections = new Connections(server)
  server.on('request', listener(server, gateway, { config, connections, now: options.now ?? Date.now }))
  try {
    const url = await listen(server, config)
    gateway.listensOn(url)
    let stopping: Promise<void> | undefined
    const stop = () => {
      stopping ??= closeServer(server, connections).then(() => gateway.close())
      return stopping
    }
    return { url, gateway, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await gateway.close()
    throw error
  }
}

interface ListenerParts {
  readonly config: Config
  readonly connections: Connections
  readonly now: () => number
}

function listener(server: Server, gateway: Gateway, { config, connections, now }: ListenerParts) {
  const options = {
    bodyBytesMax: config.bodyBytesMax,
    now,
    answerHeaders: (request: IncomingMessage) => {
      const cors = corsHeaders(request.headers.origin, gateway.hostRules())
      // The last answer on this connection: kept alive, it would hold up the stop until it is cut off.
      return server.listening ? cors : { ...cors, Connection: 'close' }
    },
  }
  return (request: IncomingMessage, response: ServerResponse) => {
    const exchange = new HttpExchange(request, response, options)
    connections.carries(request.socket, exchange)
    gateway.app(exchange).catch((error: unknown) => {
      // The surfaces answer their own errors; this is a defect, and the client must not wait for it.
      gateway.log.error(`Request ${exchange.requestId} failed: ${error instanceof Error ? error.name : 'unknown'}`)
      exchange.send({ status: 500, body: '{"error":"internal"}' })
    })
  }
}

function listen(server: Server, { host, port }: Config): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken =
        error.code === 'EADDRINUSE'
          ? 'is taken by another program: choose another with --port'
          : `cannot be used (${error.code})`
      reject(new GatewayError('config_invalid', `${host}:${port} ${taken}.`, { cause: error }))
    })
    server.listen({ host, port, backlog: 1024 }, () => resolve(urlOf(server, host)))
  })
}

function urlOf(server: Server, host: string): string {
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  // Somebody who listens on every address is reached on this one from here.
  const name =
    isLoopback(host) || !/^[\d.:]+$/.test(host) ? host : host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

function closeServer(server: Server, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    const cutOff = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
    server.close(() => {
      clearTimeout(cutOff)
      resolve()
    })
    connections.closeIdle()
  })
}

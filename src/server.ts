import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assembleGateway, type Gateway, type StoredGateway } from './app/assemble.ts'
import type { GatewayOptions } from './app/foundation.ts'
import { assembleProtect, type Protected } from './app/protect.ts'
import { type Config, isLoopback } from './config.ts'
import { GatewayError } from './errors.ts'
import { AnswerBatch } from './http/answer-batch.ts'
import { BodyRequest } from './http/body-request.ts'
import { createReadForwarded } from './http/client-address.ts'
import { Connections } from './http/connections.ts'
import { corsHeaders } from './http/cors.ts'
import { HttpExchange } from './http/http-exchange.ts'
import { forwardedOrigins } from './http/public-urls.ts'
import { RunningRequests } from './http/running-requests.ts'

/** A gateway that listens. */
export interface RunningGateway<Served extends Gateway = StoredGateway> extends AsyncDisposable {
  /** Where it listens, as in `http://127.0.0.1:8080`. With several ports the first. */
  readonly url: string
  readonly urls: readonly string[]
  readonly gateway: Served
  /** Takes no new request, lets running ones finish (10 s at most), writes what waits and closes everything. */
  stop(): Promise<void>
}

const DRAIN_MS = 10_000
/** Who is cut off has a record all the same. */
const RECORD_MS = 2_000
const HEADERS_MS = 10_000
const HEADERS_MAX = 100

/**
 * Opens the gateway and listens.
 *
 * @throws GatewayError `config_invalid` for what must not start, and when the address is taken.
 */
export async function startServer(config: Config, options: GatewayOptions = {}): Promise<RunningGateway> {
  return listenFor(await assembleGateway(config, options), config, { ...options, ports: [config.port] })
}

/** The same in front of one MCP server, without a store, on one port or several. */
export async function startProtect(
  config: Config,
  target: Protected,
  options: GatewayOptions & { readonly ports?: readonly number[] } = {},
): Promise<RunningGateway<Gateway>> {
  const { ports = [config.port] } = options
  return listenFor(await assembleProtect(config, target, options), config, { ...options, ports })
}

async function listenFor<Served extends Gateway>(
  gateway: Served,
  config: Config,
  { now = Date.now, ports }: GatewayOptions & { readonly ports: readonly number[] },
): Promise<RunningGateway<Served>> {
  const doors: Door[] = []
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= closeDoors(gateway, doors)
    return stopping
  }
  try {
    for (const port of ports) doors.push(await openDoor(gateway, { ...config, port }, now))
    const urls = doors.map(({ url }) => url)
    const [url = ''] = urls
    gateway.publicUrls.listensOn(url)
    return { url, urls, gateway, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function closeDoors(gateway: Gateway, doors: readonly Door[]): Promise<void> {
  const closed = doors.map(({ server, connections }) => closeServer(server, connections))
  gateway.endStreams()
  await Promise.all(closed)
  // With its connection a request has not ended: it is told that nobody waits for it, and leaves its record.
  await Promise.all(doors.map(({ running }) => running.whenNone(RECORD_MS)))
  await gateway.close()
}

/** One port that we listen on. */
interface Door {
  readonly server: Server
  readonly connections: Connections
  readonly running: RunningRequests
  readonly url: string
}

async function openDoor(gateway: Gateway, config: Config, now: () => number): Promise<Door> {
  const server = createServer({
    IncomingMessage: BodyRequest,
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
  const running = new RunningRequests()
  server.on('request', listener(server, gateway, { config, connections, running, now }))
  return { server, connections, running, url: await listen(server, config) }
}

interface ListenerParts {
  readonly config: Config
  readonly connections: Connections
  readonly running: RunningRequests
  readonly now: () => number
}

function listener(server: Server, gateway: Gateway, { config, connections, running, now }: ListenerParts) {
  const options = {
    bodyBytesMax: config.bodyBytesMax,
    readForwarded:
      config.trustProxy.length === 0
        ? undefined
        : createReadForwarded(config.trustProxy, { origins: forwardedOrigins(config) }),
    now,
    batch: new AnswerBatch(),
    answerHeaders: (request: IncomingMessage) => {
      const cors = corsHeaders(request.headers.origin, gateway.hostRules())
      // The last answer on this connection: kept alive, it would hold up the stop until it is cut off.
      return server.listening ? cors : { ...cors, Connection: 'close' }
    },
  }
  const end = () => running.end()
  return (request: BodyRequest, response: ServerResponse) => {
    const exchange = new HttpExchange(request, response, options)
    connections.carries(request.socket, exchange)
    const failed = (error: unknown) => {
      // The surfaces answer their own errors; this is a defect, and the client must not wait for it.
      gateway.log.error(`Request ${exchange.requestId} failed: ${error instanceof Error ? error.name : 'unknown'}`)
      exchange.send({ status: 500, body: '{"error":"internal"}' })
    }
    try {
      const ended = gateway.app(exchange)
      if (ended === undefined) return
      running.begin()
      // One promise and not two: every call comes by here.
      void ended.then(end, (error: unknown) => {
        failed(error)
        end()
      })
    } catch (error) {
      failed(error)
    }
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
    connections.closeWhenIdle()
  })
}

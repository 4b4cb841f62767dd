import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import type { Certificate } from '../flows/certificate.ts'
import { findRedis } from './find-redis.ts'

const START_DEADLINE_MS = 20_000

/** A Redis of our own on a Unix socket, with nothing of the system's configuration. It ends with its scope. */
export class RedisServer implements AsyncDisposable {
  readonly folder: string
  readonly socketPath: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  private constructor(folder: string, args: readonly string[]) {
    this.folder = folder
    this.socketPath = join(folder, 'redis.sock')
    this.#args = args
  }

  /** `args` are options of redis-server. What it is given it writes to the disk before it answers. */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), 'gatehouse-redis-')), args)
    try {
      await server.start()
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  async start(): Promise<void> {
    const binary = findRedis()
    if (binary === undefined) throw new Error('redis-server is not installed')
    const place = ['--port', '0', '--unixsocket', this.socketPath, '--dir', this.folder]
    const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
    const child = spawn(binary, [...place, ...durable, ...this.#args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    // Killed with us: nothing of a test may stay behind.
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    child.once('exit', () => process.off('exit', kill))
    await untilReady(child)
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** It holds its connections and answers nobody, until `resume`. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume()
    await this.stop()
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function untilReady(child: ChildProcess): Promise<void> {
  const ready = Promise.withResolvers<void>()
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
    // Capital or not by version.
    if (/ready to accept connections/i.test(said)) ready.resolve()
  })
  const fail = () => ready.reject(new Error(`redis-server did not start:\n${said}`))
  child.once('error', fail).once('exit', fail)
  const timer = setTimeout(fail, START_DEADLINE_MS)
  try {
    await ready.promise
  } finally {
    clearTimeout(timer)
  }
}

/** A way to a Redis over TCP, with or without TLS, that can be cut. Redis itself cannot take port 0. */
export async function startRelay(socketPath: string, tls?: Certificate) {
  const sockets = new Set<Socket>()
  let isCut = false
  const relay = (client: Socket) => {
    if (isCut) return client.destroy()
    const redis = connect(socketPath)
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(from)
      from
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      from.pipe(to)
    }
    return client
  }
  const server = tls === undefined ? createServer(relay) : createTlsServer(tls, relay)
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      isCut = false
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** A listener inside the network that nobody may be led to. */
export interface Canary extends AsyncDisposable {
  readonly port: number
  /** Connections that were ever opened, with or without a byte. */
  readonly connections: () => number
}

/** Starts one on every address of this machine, of both families where there are two. It answers nothing. */
export async function startCanary(): Promise<Canary> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => sockets.delete(socket)).destroy()
  })
  await listenOn(server, '::').catch(() => listenOn(server, '0.0.0.0'))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function listenOn(server: Server, host: string): Promise<void> {
  server.listen({ host, port: 0 })
  await once(server, 'listening')
}

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpExchange } from './http-exchange.ts'

/**
 * The open connections of a server, each with its latest exchange.
 *
 * One listener a connection tells an exchange that its client has gone. A `close` listener on every response would do the
 * same, but made each request outlive several collections of garbage (measured: 4 KB promoted a call instead of 0.6).
 */
export class Connections {
  /** Undefined before the first request. Of a client that sends several at once the last one counts. */
  readonly #latest = new Map<Socket, HttpExchange | undefined>()

  /** Follows the connections that this server takes from now on. */
  constructor(server: Server) {
    server.on('connection', (socket) => {
      this.#latest.set(socket, undefined)
      socket.once('close', () => {
        this.#latest.get(socket)?.clientLeft()
        this.#latest.delete(socket)
      })
    })
  }

  /** Notes the exchange that this connection carries now. */
  carries(socket: Socket, exchange: HttpExchange): void {
    if (this.#latest.has(socket)) this.#latest.set(socket, exchange)
    else exchange.clientLeft()
  }

  /**
   * Closes every connection as soon as it carries no request; Node's own `closeIdleConnections` spares those that never sent
   * one, and those that are busy now.
   */
  closeWhenIdle(): void {
    for (const [socket, exchange] of this.#latest) {
      if (exchange === undefined || exchange.isFinished) socket.destroy()
      else exchange.onFinish(() => socket.destroySoon())
    }
  }
}

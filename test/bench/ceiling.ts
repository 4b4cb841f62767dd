import { createServer } from 'node:net'
import { modernCall, type StartContender, UPSTREAM_MARKER } from './contender.ts'
import { listen } from './listen.ts'

/**
 * Not a contender: the cheapest server there can be, to learn how fast the load generator is by itself.
 *
 * Takes every piece of data for a whole request, which holds for small requests on loopback, one at a time.
 */
export const start: StartContender = async (setup) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: UPSTREAM_MARKER }] } })
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  const answer = Buffer.from(head + body)
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', () => socket.write(answer))
    // The load generator hangs up when it is done.
    socket.on('error', () => socket.destroy())
  })
  return modernCall(setup, await listen(server))
}

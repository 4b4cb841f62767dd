import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerBytes, findAnswer, type HttpAnswer } from './answer.ts'

/** A bare socket that carries one request at a time: a client library would cost more than some contenders do. */
export class BenchConnection {
  /** Told of every answer; of a connection that broke while it waited for one, undefined. */
  onAnswer: (answer: HttpAnswer | undefined) => void = () => {}
  readonly #socket: Socket
  readonly #closed: Promise<void>
  #received = ''
  #bytesNeeded = 0
  #isWaiting = false

  static async open(url: URL): Promise<BenchConnection> {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
    await once(socket, 'connect')
    return new BenchConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => this.#read(part))
    // Destroying follows, and 'close' counts it.
    socket.on('error', () => {})
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        if (this.#isWaiting) this.onAnswer(undefined)
        resolve()
      })
    })
  }

  send(request: Buffer | string): void {
    this.#isWaiting = true
    this.#socket.write(request)
  }

  close(): Promise<void> {
    this.#socket.destroy()
    return this.#closed
  }

  get closed(): Promise<void> {
    return this.#closed
  }

  #read(part: string): void {
    this.#received = this.#received === '' ? part : this.#received + part
    // Of a long answer the head is looked at once, not with every part.
    if (this.#received.length < this.#bytesNeeded) return
    const answer = findAnswer(this.#received)
    if (answer === undefined) {
      this.#bytesNeeded = answerBytes(this.#received) ?? 0
      return
    }
    this.#received = ''
    this.#bytesNeeded = 0
    this.#isWaiting = false
    this.onAnswer(answer)
  }
}

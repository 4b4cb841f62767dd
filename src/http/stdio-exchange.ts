import { Cancellation, type CancelSignal } from '../egress/cancel-signal.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'
import type { Answer, Exchange, ReplyTo } from './exchange.ts'
import { nextRequestId } from './http-exchange.ts'
import type { EventSink } from './server-events.ts'

/** One JSON-RPC message over stdio (MCP, transports: one message a line). Only an answer's body is sent: stdio has no status. */
export class StdioExchange implements Exchange {
  readonly transport = 'stdio'
  readonly requestId = nextRequestId()
  readonly method = 'POST'
  readonly path: string
  readonly query = ''
  readonly clientAddress = ''
  readonly startedAt: number
  replyTo: ReplyTo | undefined
  readonly #line: string
  readonly #write: (line: string) => void
  readonly #cancellation = new Cancellation()
  #status: number | undefined

  constructor(line: string, options: { path: string; now: () => number; write: (line: string) => void }) {
    this.#line = line
    this.#write = options.write
    this.path = options.path
    this.startedAt = options.now()
  }

  get signal(): CancelSignal {
    return this.#cancellation
  }

  get status(): number | undefined {
    return this.#status
  }

  header(): undefined {
    return undefined
  }

  headersNamed(): HeaderSet {
    return {}
  }

  readBody(): string {
    return this.#line
  }

  cancel(): void {
    this.#cancellation.abort()
  }

  send(answer: Answer): void {
    if (this.#status !== undefined) return
    this.#status = answer.status
    // A cancelled request gets no answer (MCP, cancellation).
    if (answer.body !== undefined && !this.#cancellation.aborted) this.#write(`${answer.body}\n`)
  }

  openEvents(): EventSink {
    const closed = new Cancellation()
    const end = () => closed.abort()
    if (this.#status !== undefined || this.#cancellation.aborted) closed.abort()
    else this.#cancellation.addEventListener('abort', { handleEvent: end })
    this.#status ??= 200
    return {
      send: ({ data }) => {
        // One message a line: a line break in JSON stands between its parts only.
        if (data && !closed.aborted) this.#write(`${data.replaceAll(/[\r\n]/g, ' ')}\n`)
        return true
      },
      whenDrained: async () => {},
      end,
      cut: end,
      closed,
    }
  }

  /** The one stream there is on stdio carries everything already. */
  answerOn(): void {}
}

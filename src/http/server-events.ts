import type { CancelSignal } from '../egress/cancel-signal.ts'

/** One server-sent event, or a comment (WHATWG HTML §9.2.6). */
export interface ServerEvent {
  /** The block as it stands on the wire, with the empty line that ends it. */
  readonly raw: string
  /** Its `data` lines, joined; undefined when it has none. */
  readonly data: string | undefined
}

/** Where events are written. */
export interface EventSink {
  /** False when the reader lags behind: write no more before `whenDrained`. Events after the end go nowhere. */
  send(event: ServerEvent): boolean
  /** Resolves when more can be written, or nobody reads any more. */
  whenDrained(): Promise<void>
  end(): void
  /** Aborted when the stream has closed, whoever closed it. */
  readonly closed: CancelSignal
}

/** A comment, which every client ignores: it keeps proxies from taking the connection for a dead one (FEATURES F16). */
export const PING: ServerEvent = { raw: ': ping\n\n', data: undefined }

/** The event that carries one JSON-RPC message. The text has no line break, as `JSON.stringify` writes it. */
export function messageEvent(json: string): ServerEvent {
  return { raw: `event: message\ndata: ${json}\n\n`, data: json }
}

/** The same event with other data; its `id`, `event` and `retry` lines stay. */
export function withData({ raw }: ServerEvent, data: string): ServerEvent {
  const lines = raw.split(LINE_END).filter((line) => line !== '' && !/^data(:|$)/.test(line))
  return { raw: `${[...lines, `data: ${data}`].join('\n')}\n\n`, data }
}

const LINE_END = /\r\n|\n|\r/
// A `\r` at the end of what has come may be half of a line end; taken for a whole one it makes an empty line, which says nothing.
const BLOCK_END = /(?:\r\n|\r(?!\n)|\n)(?:\r\n|\r(?!\n)|\n)/g

/** Cuts a stream of bytes into events. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  readonly #charactersMax: number
  #waiting = ''

  /** @param charactersMax A longer event ends the reading. */
  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  /** The events that this piece completes; undefined when one is too long. */
  read(chunk: Uint8Array): readonly ServerEvent[] | undefined {
    const searchFrom = Math.max(0, this.#waiting.length - 3)
    this.#waiting += this.#decoder.decode(chunk, { stream: true })
    const events: ServerEvent[] = []
    let start = 0
    BLOCK_END.lastIndex = searchFrom
    while (BLOCK_END.test(this.#waiting)) {
      const raw = this.#waiting.slice(start, BLOCK_END.lastIndex)
      start = BLOCK_END.lastIndex
      events.push({ raw, data: dataOf(raw) })
    }
    this.#waiting = this.#waiting.slice(start)
    return this.#waiting.length > this.#charactersMax ? undefined : events
  }
}

function dataOf(raw: string): string | undefined {
  const lines = raw.split(LINE_END).filter((line) => /^data(:|$)/.test(line))
  return lines.length === 0 ? undefined : lines.map((line) => line.replace(/^data:? ?/, '')).join('\n')
}

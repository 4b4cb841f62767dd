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
  /** Ends it for a reader who takes nothing any more: what waits for him is dropped. */
  cut(): void
  /** Aborted when the stream has closed, whoever closed it. */
  readonly closed: CancelSignal
}

/** A comment, which every client ignores: it keeps proxies from taking the connection for a dead one (FEATURES F16). */
export const PING: ServerEvent = { raw: ': ping\n\n', data: undefined }

/** The event that carries one JSON-RPC message. A text of several lines becomes several `data` lines. */
export function messageEvent(json: string): ServerEvent {
  return { raw: `event: message\n${dataLines(json)}\n\n`, data: json }
}

/** The same event with other data; its `id`, `event` and `retry` lines stay. */
export function withData({ raw }: ServerEvent, data: string): ServerEvent {
  const lines = raw.split(LINE_END).filter((line) => line !== '' && !/^data(:|$)/.test(line))
  return { raw: `${[...lines, dataLines(data)].join('\n')}\n\n`, data }
}

/** Whether a client that has seen the event can ask for what comes after it (`Last-Event-ID`). */
export function hasEventId({ raw }: ServerEvent): boolean {
  return /(?:^|[\r\n])id:/.test(raw)
}

const LINE_END = /\r\n|\n|\r/

function dataLines(text: string): string {
  return `data: ${text.split(LINE_END).join('\ndata: ')}`
}

/** Cuts a stream of bytes into events. Each byte is looked at once, however small the pieces in which they come. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  readonly #charactersMax: number
  /** The pieces of the event that is not complete. */
  #pieces: string[] = []
  #length = 0
  /** Nothing has come since the last line end: one more makes the empty line that ends an event. */
  #isAtLineStart = true
  /** The last character was a `\r`: a `\n` now belongs to the same line end. */
  #endsInReturn = false

  /** @param charactersMax A longer event ends the reading. */
  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  /** The events that this piece completes; undefined when one is too long. Empty lines between events are left out. */
  read(chunk: Uint8Array): readonly ServerEvent[] | undefined {
    const text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return []
    const events: ServerEvent[] = []
    const lineEnds = /\r\n|\n|\r/g
    let taken = 0
    let lineStart = 0
    if (this.#endsInReturn && text.startsWith('\n')) {
      // Of an event that is complete, or of a line that has been seen to end.
      if (this.#length === 0) taken = 1
      lineStart = 1
      lineEnds.lastIndex = 1
    }
    for (let found = lineEnds.exec(text); found !== null; found = lineEnds.exec(text)) {
      const isEmptyLine = found.index === lineStart && this.#isAtLineStart
      lineStart = lineEnds.lastIndex
      this.#isAtLineStart = true
      if (!isEmptyLine) continue
      const raw = this.#take(text.slice(taken, lineStart))
      if (raw.length > this.#charactersMax) return undefined
      taken = lineStart
      if (!/^[\r\n]*$/.test(raw)) events.push({ raw, data: dataOf(raw) })
    }
    if (lineStart < text.length) this.#isAtLineStart = false
    this.#endsInReturn = text.endsWith('\r')
    this.#keep(text.slice(taken))
    return this.#length > this.#charactersMax ? undefined : events
  }

  #keep(piece: string): void {
    if (piece === '') return
    this.#pieces.push(piece)
    this.#length += piece.length
  }

  #take(lastPiece: string): string {
    this.#pieces.push(lastPiece)
    const raw = this.#pieces.join('')
    this.#pieces = []
    this.#length = 0
    return raw
  }
}

function dataOf(raw: string): string | undefined {
  const lines = raw.split(LINE_END).filter((line) => /^data(:|$)/.test(line))
  return lines.length === 0 ? undefined : lines.map((line) => line.replace(/^data:? ?/, '')).join('\n')
}

import { GatewayError } from '../errors.ts'
import { type EventSink, PING, type ServerEvent } from './server-events.ts'

/** Whose stream it is and for how long. */
export interface StreamTerms {
  /** The caller of one workspace, as one text: nobody holds more than his share. */
  readonly owner: string
  /** Milliseconds since the epoch: the end of the credential that opened it. */
  readonly endsAt: number
  /** Said before the end that we choose: the client may come again. */
  readonly farewell?: ServerEvent | undefined
}

/** Bounds and delays; every field has a default. */
export interface OpenStreamsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A stream without an event for so long gets a ping. Default 15,000 (FEATURES F16). */
  readonly pingMs?: number
  /** Default 10,000. */
  readonly streamsMax?: number
  /** Default 1,000. */
  readonly streamsOfOneOwnerMax?: number
}

interface Entry {
  readonly sink: EventSink
  readonly terms: StreamTerms
  lastSentAt: number
}

const LOOK_EVERY_MS = 1000

/**
 * Every stream of events that stays open, with one coarse timer for all: pings the silent ones, and ends each with the
 * credential that opened it. The timer does not keep the process alive.
 */
export class OpenStreams {
  readonly #options: Required<OpenStreamsOptions>
  readonly #entries = new Map<EventSink, Entry>()
  readonly #owned = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(options: OpenStreamsOptions) {
    this.#options = { pingMs: 15_000, streamsMax: 10_000, streamsOfOneOwnerMax: 1_000, ...options }
  }

  /**
   * Whether this owner may hold one more.
   *
   * @throws GatewayError `unavailable`
   */
  checkRoom(owner: string): void {
    const isFull = this.#entries.size >= this.#options.streamsMax
    if (!this.#isClosing && !isFull && (this.#owned.get(owner) ?? 0) < this.#options.streamsOfOneOwnerMax) return
    throw new GatewayError('unavailable', 'Too many streams are open. Try again later.', { retryAfterSeconds: 30 })
  }

  /** Watches over a stream until it closes. What is sent on the result counts as life; send nothing past it. */
  watch(sink: EventSink, terms: StreamTerms): EventSink {
    const entry: Entry = { sink, terms, lastSentAt: this.#options.now() }
    if (sink.closed.aborted) return sink
    this.#entries.set(sink, entry)
    this.#owned.set(terms.owner, (this.#owned.get(terms.owner) ?? 0) + 1)
    sink.closed.addEventListener('abort', { handleEvent: () => this.#forget(entry) })
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    if (this.#isClosing) this.#end(entry)
    return {
      send: (event) => {
        entry.lastSentAt = this.#options.now()
        return sink.send(event)
      },
      whenDrained: () => sink.whenDrained(),
      end: () => sink.end(),
      closed: sink.closed,
    }
  }

  /** Ends every stream, and every one that is opened from now on. */
  close(): void {
    this.#isClosing = true
    for (const entry of [...this.#entries.values()]) this.#end(entry)
  }

  #look(): void {
    const now = this.#options.now()
    for (const entry of [...this.#entries.values()]) {
      if (entry.terms.endsAt <= now) this.#end(entry)
      else if (now - entry.lastSentAt >= this.#options.pingMs) {
        entry.lastSentAt = now
        // A reader that does not even take pings has gone without a word.
        if (!entry.sink.send(PING)) entry.sink.end()
      }
    }
  }

  #end({ sink, terms }: Entry): void {
    if (terms.farewell !== undefined) sink.send(terms.farewell)
    sink.end()
  }

  #forget({ sink, terms }: Entry): void {
    this.#entries.delete(sink)
    const left = (this.#owned.get(terms.owner) ?? 1) - 1
    if (left > 0) this.#owned.set(terms.owner, left)
    else this.#owned.delete(terms.owner)
    if (this.#entries.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

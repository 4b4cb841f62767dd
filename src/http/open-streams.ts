import { GatewayError } from '../errors.ts'
import { type EventSink, PING, type ServerEvent } from './server-events.ts'

/** How long a stream is open. */
export interface StreamTerms {
  /** Milliseconds since the epoch: the end of the credential that opened it. */
  readonly endsAt: number
  /** Whether the credential still stands, asked every second: it may be revoked. Undefined: nobody here can revoke it. */
  readonly isGood?: (() => boolean) | undefined
  /** Said before the end that we choose: the client may come again. */
  readonly farewell?: ServerEvent | undefined
  /** It is an answer that comes to an end by itself: `close` lets it. */
  readonly isAnswer?: boolean | undefined
}

/** Room for one stream, or for a call whose answer may become one. */
export interface StreamPlace {
  /** Watches over the stream until it closes; that gives the place back. What is sent on the result counts as life; send nothing past it. */
  watch(sink: EventSink, terms: StreamTerms): EventSink
  /** Gives the place back, unless a stream that is watched still has it. */
  leave(): void
}

/** Bounds and delays; every field has a default. */
export interface OpenStreamsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A stream without an event for so long gets a ping. Default 15,000 (FEATURES F16). */
  readonly pingMs?: number
  /** A reader may take so long to catch up, then he is cut off. Default 120,000. */
  readonly lagMsMax?: number
  /** Default 10,000. */
  readonly streamsMax?: number
  /** Default 1,000. */
  readonly streamsOfOneOwnerMax?: number
}

interface Entry {
  readonly sink: EventSink
  readonly terms: StreamTerms
  lastSentAt: number
  laggingSince: number | undefined
}

const LOOK_EVERY_MS = 1000

/**
 * Every stream of events that stays open, with one coarse timer for all: pings the silent ones, cuts off readers who take
 * nothing, and ends each with the credential that opened it. The timer does not keep the process alive.
 */
export class OpenStreams {
  readonly #options: Required<OpenStreamsOptions>
  readonly #entries = new Set<Entry>()
  /** Places that are taken, by owner. */
  readonly #owned = new Map<string, number>()
  #taken = 0
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(options: OpenStreamsOptions) {
    const defaults = { pingMs: 15_000, lagMsMax: 120_000, streamsMax: 10_000, streamsOfOneOwnerMax: 1_000 }
    this.#options = { ...defaults, ...options }
  }

  /** Places that are taken. */
  get count(): number {
    return this.#taken
  }

  /**
   * Takes one place. `owner` is the caller of one workspace, as one text: nobody holds more than his share.
   *
   * @throws GatewayError `unavailable` when there is none, or after `close`.
   */
  enter(owner: string): StreamPlace {
    if (this.#isClosing) throw new GatewayError('unavailable', 'Gatehouse is stopping.', { retryAfterSeconds: 5 })
    const owned = this.#owned.get(owner) ?? 0
    if (this.#taken >= this.#options.streamsMax || owned >= this.#options.streamsOfOneOwnerMax) {
      throw new GatewayError('unavailable', 'Too many calls and streams are open. Try again later.', {
        retryAfterSeconds: 30,
      })
    }
    this.#taken += 1
    this.#owned.set(owner, owned + 1)
    let isTaken = true
    let isWatched = false
    const giveBack = () => {
      if (isTaken) this.#giveBack(owner)
      isTaken = false
    }
    return {
      watch: (sink, terms) => {
        isWatched = true
        return this.#watch(sink, terms, giveBack)
      },
      leave: () => {
        if (!isWatched) giveBack()
      },
    }
  }

  /** Ends every stream, and every one that is opened from now on, except answers: they come to their own end. */
  close(): void {
    this.#isClosing = true
    for (const entry of [...this.#entries]) if (entry.terms.isAnswer !== true) this.#end(entry)
  }

  #watch(sink: EventSink, terms: StreamTerms, onClosed: () => void): EventSink {
    if (sink.closed.aborted) {
      onClosed()
      return sink
    }
    const entry: Entry = { sink, terms, lastSentAt: this.#options.now(), laggingSince: undefined }
    this.#entries.add(entry)
    sink.closed.addEventListener('abort', {
      handleEvent: () => {
        this.#forget(entry)
        onClosed()
      },
    })
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    if (this.#isClosing && terms.isAnswer !== true) this.#end(entry)
    return {
      send: (event) => this.#send(entry, event),
      whenDrained: () => sink.whenDrained(),
      end: () => sink.end(),
      cut: () => sink.cut(),
      closed: sink.closed,
    }
  }

  #look(): void {
    const now = this.#options.now()
    for (const entry of [...this.#entries]) {
      const { sink, terms, laggingSince, lastSentAt } = entry
      if (terms.endsAt <= now || terms.isGood?.() === false) this.#end(entry)
      else if (laggingSince !== undefined) {
        if (now - laggingSince >= this.#options.lagMsMax) sink.cut()
      } else if (now - lastSentAt >= this.#options.pingMs) this.#send(entry, PING)
    }
  }

  #send(entry: Entry, event: ServerEvent): boolean {
    entry.lastSentAt = this.#options.now()
    const isKeepingUp = entry.sink.send(event)
    if (!isKeepingUp && entry.laggingSince === undefined) {
      entry.laggingSince = entry.lastSentAt
      void entry.sink.whenDrained().then(() => {
        entry.laggingSince = undefined
      })
    }
    return isKeepingUp
  }

  #end({ sink, terms }: Entry): void {
    if (terms.farewell !== undefined) sink.send(terms.farewell)
    sink.end()
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry)
    if (this.#entries.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #giveBack(owner: string): void {
    this.#taken -= 1
    const left = (this.#owned.get(owner) ?? 1) - 1
    if (left > 0) this.#owned.set(owner, left)
    else this.#owned.delete(owner)
  }
}

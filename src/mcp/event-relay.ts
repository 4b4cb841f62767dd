import { Cancellation, type CancelSignal } from '../egress/cancel-signal.ts'
import type { ResponseHead, StreamFlow, StreamSink } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import {
  EventReader,
  type EventSink,
  hasEventId,
  messageEvent,
  type ServerEvent,
  withData,
} from '../http/server-events.ts'
import { filterTools, type View } from './filter-tools.ts'
import { isRecord, type RpcId } from './json-rpc.ts'
import { isToolError } from './tool-error.ts'

export interface EventRelayOptions {
  /** Opens the client's side, once there is something to pass on. What it throws ends the request to the server. */
  readonly open: (head: ResponseHead) => EventSink
  /** The client's own: given when it leaves. */
  readonly signal: CancelSignal
  /** Undefined: everything may be seen. */
  readonly view: View | undefined
  /** The server may not be silent for longer; undefined: for as long as it likes. Milliseconds. */
  readonly silenceMs: number | undefined
  /** A longer event ends the stream. */
  readonly charactersMax: number
  /** The request whose answer the client waits for; undefined: none. */
  readonly answers: RpcId | undefined
  /** The client can take the stream up again after an event with an id (2025-11-25, "Resumability"). */
  readonly canResume: boolean
}

/** Passes the events of an MCP server on to its client: whole ones, so that pings can stand between them. */
export class EventRelay {
  readonly #options: EventRelayOptions
  readonly #reader: EventReader
  readonly #stopped = new Cancellation()
  #sink: EventSink | undefined
  #failure: GatewayError | undefined
  #hasIds = false
  #isAnswered = false
  #sawToolError = false

  constructor(options: EventRelayOptions) {
    this.#options = options
    this.#reader = new EventReader(options.charactersMax)
    if (options.signal.aborted) this.#stopped.abort()
    else options.signal.addEventListener('abort', this)
  }

  /** For the request to the server: given when the client has left, when its stream was ended, or when the answer is of no use. */
  get signal(): CancelSignal {
    return this.#stopped
  }

  get hasStarted(): boolean {
    return this.#sink !== undefined
  }

  get sawToolError(): boolean {
    return this.#sawToolError
  }

  /** The client waits for an answer that has not come, and has no means to ask for it again. */
  get owesAnswer(): boolean {
    return this.#options.answers !== undefined && !this.#isAnswered && !(this.#hasIds && this.#options.canResume)
  }

  /**
   * Takes an answer that is a stream of events; any other is left to be read whole.
   *
   * @throws GatewayError `upstream_unreachable` when the stream is packed in a way that nobody asked for.
   */
  start(head: ResponseHead, flow: StreamFlow): StreamSink | undefined {
    const { 'content-type': type, 'content-encoding': encoding = 'identity' } = head.headers
    if (head.status !== 200 || typeof type !== 'string' || !/^text\/event-stream\s*(;|$)/i.test(type)) return undefined
    if (encoding !== '' && encoding !== 'identity') {
      throw new GatewayError('upstream_unreachable', 'The MCP server compresses its stream of events, unasked.')
    }
    const sink = this.#options.open(head)
    this.#sink = sink
    if (sink.closed.aborted) this.#stopped.abort()
    else sink.closed.addEventListener('abort', this)
    return { silenceMs: this.#options.silenceMs, take: (chunk) => this.#take(chunk, sink, flow) }
  }

  /** Nothing more comes: lets go of the client's signal, and ends its stream. */
  end(): void {
    this.#options.signal.removeEventListener('abort', this)
    this.#sink?.closed.removeEventListener('abort', this)
    this.#sink?.end()
  }

  /** The server's stream broke off: who waits for an answer is told. Gives what really went wrong. */
  breakOff(error: unknown, answerTo: (error: unknown) => string | undefined): unknown {
    const failure = this.#failure ?? error
    const answer = this.owesAnswer ? answerTo(failure) : undefined
    if (answer !== undefined) this.#sink?.send(messageEvent(answer))
    this.end()
    return failure
  }

  handleEvent(): void {
    this.#stopped.abort()
  }

  #take(chunk: Buffer, sink: EventSink, flow: StreamFlow): void {
    const events = this.#reader.read(chunk)
    if (events === undefined) {
      this.#failure = new GatewayError('upstream_too_large', 'The MCP server sent an event that is too long.')
      this.#stopped.abort()
      return
    }
    let isKeepingUp = true
    for (const event of events) isKeepingUp = sink.send(this.#shown(event)) && isKeepingUp
    if (isKeepingUp) return
    flow.pause()
    void sink.whenDrained().then(() => flow.resume())
  }

  #shown(event: ServerEvent): ServerEvent {
    const { data } = event
    this.#hasIds ||= hasEventId(event)
    if (data === undefined || data === '') return event
    this.#isAnswered ||= isAnswerTo(data, this.#options.answers)
    this.#sawToolError ||= isToolError(data)
    if (this.#options.view === undefined) return event
    const shown = filterTools(data, this.#options.view)
    // No JSON, so no list of tools for anybody.
    return shown === undefined || shown === data ? event : withData(event, shown)
  }
}

/** Notifications and questions have no result, and are not parsed to find out. */
function isAnswerTo(data: string, id: RpcId | undefined): boolean {
  if (id === undefined || !/"(?:result|error)"/.test(data)) return false
  try {
    const value: unknown = JSON.parse(data)
    return [value].flat().some((one) => isRecord(one) && one['id'] === id && ('result' in one || 'error' in one))
  } catch {
    // It is passed on as it came; an answer it is not.
    return false
  }
}

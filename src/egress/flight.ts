import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { type GatewayError, toGatewayError } from '../errors.ts'
import type { Deadlined, Deadlines } from './deadlines.ts'
import { decodeBody, isEncoded } from './decode-body.ts'
import { DialRefused } from './dial.ts'
import type { OutgoingRequest, OutgoingResponse, StreamSink } from './egress.ts'
import { cancelled, refused, timedOut, tooLarge, unreachable } from './failure.ts'

/** What a flight needs to know of the world around it. */
export interface FlightPlan {
  readonly request: OutgoingRequest
  readonly deadlineAt: number
  readonly deadlines: Deadlines
  readonly lane: FlightLane
  readonly resolve: (response: OutgoingResponse) => void
  readonly reject: (error: GatewayError) => void
}

/** What the requests to one origin share. */
export interface FlightLane {
  /** Each counts until undici has let go of it: what still waits for a connection is held, though it has landed. */
  underWay: number
  /** Resolves when no answer is being unpacked; never rejects. */
  unpacked: Promise<void>
}

/**
 * One request under way: collects the answer, and ends by itself at the deadline, at the caller's abort or when the answer
 * grows too large. It settles once; whatever undici reports afterwards is ignored.
 */
export class Flight implements Dispatcher.DispatchHandler, Deadlined {
  deadlineAt: number
  watchedAt = -1
  readonly #plan: FlightPlan
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #headers: IncomingHttpHeaders = {}
  #controller: Dispatcher.DispatchController | undefined
  #sink: StreamSink | undefined
  #landed = false
  #counts = true

  constructor(plan: FlightPlan) {
    this.#plan = plan
    this.deadlineAt = plan.deadlineAt
    plan.lane.underWay += 1
    plan.deadlines.add(this)
    plan.request.signal?.addEventListener('abort', this)
  }

  /** The caller's abort. */
  handleEvent(): void {
    this.#fail(cancelled())
  }

  expire(): void {
    this.#fail(timedOut(this.#plan.request))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It may have ended while it waited for a connection: then it must not go out any more.
    if (this.#landed) {
      this.#leaveLane()
      controller.abort(cancelled())
    } else this.#controller = controller
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    this.#guarded(() => {
      this.#sink = this.#plan.request.streamTo?.({ status, headers }, controller)
    })
    if (this.#landed) return
    if (this.#sink !== undefined) {
      this.#listenOn(this.#sink)
      return
    }
    if (this.#plan.request.method === 'HEAD') return
    if (Number(headers['content-length']) > this.#plan.request.responseBytesMax) {
      this.#fail(tooLarge(this.#plan.request))
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink !== undefined) {
      if (this.#landed) return
      this.#listenOn(this.#sink)
      this.#guarded(() => this.#sink?.take(chunk))
      return
    }
    this.#bytes += chunk.length
    if (this.#bytes > this.#plan.request.responseBytesMax) this.#fail(tooLarge(this.#plan.request))
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (isEncoded(this.#headers, this.#bytes)) this.#unpackInTurn()
    else this.#finish(this.#response())
  }

  /** One after the other, as long as somebody waits for it: a thousand small answers can become large ones at the same moment. */
  #unpackInTurn(): void {
    const { lane, request } = this.#plan
    lane.unpacked = lane.unpacked.then(async () => {
      if (this.#landed) return
      try {
        this.#finish(await decodeBody(request, this.#response()))
      } catch (error) {
        this.#fail(toGatewayError(error))
      }
    })
  }

  #response(): OutgoingResponse {
    const [first] = this.#chunks
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#bytes)
    return { status: this.#status, headers: this.#headers, body }
  }

  #finish(response: OutgoingResponse): void {
    if (!this.#land()) return
    this.#leaveLane()
    this.#plan.resolve(response)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { request } = this.#plan
    this.#leaveLane()
    if (error instanceof DialRefused) this.#fail(refused(request, error.reason, error))
    else this.#fail(unreachable(request, error))
  }

  #listenOn({ silenceMs }: StreamSink): void {
    this.deadlineAt = silenceMs === undefined ? Number.POSITIVE_INFINITY : this.#plan.deadlines.in(silenceMs)
  }

  /** What fails in the reader's hands is not the connection's failure. */
  #guarded(read: () => void): void {
    try {
      read()
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  #fail(error: GatewayError): void {
    if (!this.#land()) return
    this.#chunks.length = 0
    this.#plan.reject(error)
    if (this.#controller === undefined) return
    this.#leaveLane()
    this.#controller.abort(error)
  }

  /** False when it had landed before. */
  #land(): boolean {
    if (this.#landed) return false
    this.#landed = true
    this.#plan.deadlines.delete(this)
    this.#plan.request.signal?.removeEventListener('abort', this)
    return true
  }

  #leaveLane(): void {
    if (!this.#counts) return
    this.#counts = false
    this.#plan.lane.underWay -= 1
  }
}

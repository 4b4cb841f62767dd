import { STATUS_CODES } from 'node:http'
import type { OutgoingResponse } from '../egress/egress.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import { mcpErrorAnswer } from '../http/error-response.ts'
import type { Exchange } from '../http/exchange.ts'
import { messagesOn } from '../http/message-stream.ts'
import { type McpServerCall, passedHeaders } from '../upstream/mcp-http.ts'
import type { CallerDescription, McpState } from './answer.ts'
import { EventRelay } from './event-relay.ts'
import { filterTools, type View } from './filter-tools.ts'
import type { FoundSession } from './find-session.ts'
import { openSseSession, streamOwner, untilClosed } from './listen.ts'
import type { Message } from './message.ts'
import { passedSession } from './passed-session.ts'
import { isToolError } from './tool-error.ts'
import { checkUnambiguous } from './unambiguous.ts'

/** One message on its way through, already authorized. */
export interface Passage extends CallerDescription {
  readonly exchange: Exchange
  readonly message: Message
  readonly session: FoundSession | undefined
  /** Undefined: this caller may see everything. */
  readonly view: View | undefined
  /** A stream ends when the MCP server says nothing for so long, unless it only listens. Milliseconds. */
  readonly silenceMs: number
  readonly eventCharactersMax: number
  /** Sends it with the workspace's credential, renewed once after a 401. */
  readonly send: (
    call: Pick<McpServerCall, 'method' | 'headers' | 'body' | 'signal' | 'streamTo'>,
  ) => Promise<OutgoingResponse>
}

/** What the record shows of the answer. */
export interface Passed {
  readonly upstreamStatus?: number
  readonly isToolError: boolean
}

const NOTHING: Passed = { isToolError: false }

/**
 * Passes one message to an MCP server and its answer back, in either era, unchanged but for three things: the session id is
 * ours and bound to the caller, lists and hellos show what the caller may use, and nothing that only concerns our own sign-in
 * comes back. Resolves when the answer is complete; for a stream when it has closed.
 *
 * @throws GatewayError as the egress does, and `upstream_refused` when the server does not take our credential.
 */
export async function passThrough(passage: Passage, state: McpState): Promise<Passed> {
  const { exchange, message, session } = passage
  if (message.kind === 'listen' && message.over === 'sse') return serveSseClient(passage, state)
  const isListening = isListen(message)
  const place = state.streams.enter(streamOwner(exchange, passage.owner))
  const terms = isListening
    ? { endsAt: passage.endsAt, isGood: passage.isGood }
    : { endsAt: Number.POSITIVE_INFINITY, isAnswer: true }
  const relay = new EventRelay({
    open: (head) => place.watch(exchange.openEvents(passedSession(passage, head, state)), terms),
    signal: exchange.signal,
    view: passage.view,
    silenceMs: isListening ? undefined : passage.silenceMs,
    charactersMax: passage.eventCharactersMax,
    answers: message.kind === 'request' ? message.id : undefined,
    canResume: session?.sse === undefined,
  })
  try {
    const response = await passage.send({ ...(await requestOf(passage, state)), ...follow(relay) })
    if (!relay.hasStarted) return answerWhole(passage, response, state)
    if (relay.owesAnswer && !isListening) throw notMcp('ended its stream before it had answered')
    relay.end()
    return { upstreamStatus: response.status, isToolError: relay.sawToolError }
  } catch (error) {
    if (!relay.hasStarted) throw error
    const failure = relay.breakOff(error, (told) => errorText(exchange, told))
    // Nobody expects a stream that only listens to end by itself.
    if (isListening && failure instanceof GatewayError && failure.code === 'cancelled') return NOTHING
    throw failure
  } finally {
    place.leave()
    if (session?.sse !== undefined && isInitialized(message)) void relayUnasked(passage, session.sse.state.upstreamId)
  }
}

function isListen(message: Message): boolean {
  return message.kind === 'listen' || (message.kind === 'request' && message.method === 'subscriptions/listen')
}

function isInitialized(message: Message): boolean {
  return message.kind === 'notification' && message.method === 'notifications/initialized'
}

function follow(relay: EventRelay): Pick<McpServerCall, 'signal' | 'streamTo'> {
  return { signal: relay.signal, streamTo: (head, flow) => relay.start(head, flow) }
}

type ServerRequest = Pick<McpServerCall, 'method' | 'headers' | 'body'>

function requestOf(passage: Passage, { sessions }: McpState): ServerRequest | Promise<ServerRequest> {
  const { exchange, message, session, owner } = passage
  const upstreamId = session?.upstreamId
  const ownName = exchange.header('x-mcp-session-id')
  const headers = {
    ...passedHeaders(exchange),
    ...(upstreamId === undefined ? {} : { 'mcp-session-id': upstreamId }),
    ...(ownName === undefined ? {} : { 'x-mcp-session-id': sessions.nameOf(owner, ownName) }),
  }
  if (message.kind === 'listen') return { method: 'GET', headers }
  if (message.kind === 'end-session') return { method: 'DELETE', headers }
  const body = exchange.readBody()
  return typeof body === 'string' ? posted(headers, body) : body.then((text) => posted(headers, text))
}

function posted(headers: HeaderSet, body: string): ServerRequest {
  checkUnambiguous(body)
  return { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body }
}

function answerWhole(passage: Passage, response: OutgoingResponse, state: McpState): Passed {
  const { exchange, message } = passage
  const { status } = response
  checkAcceptance(status)
  if (message.kind === 'end-session' && (status < 300 || status === 404)) state.sessions.end(message.sessionId)
  const headers = { ...passedSession(passage, response, state), ...toldHeaders(response) }
  // On a stream of the 2024 transport, as elsewhere, the client would wait for what never comes.
  if (message.kind === 'request' && status < 300 && response.body.length === 0) {
    throw notMcp(`took the message without an answer (${status})`)
  }
  // What is no request has no answer: a word like "Accepted" is for nobody.
  if (response.body.length === 0 || (message.kind !== 'request' && status < 300)) {
    exchange.send({ status, headers })
    return { upstreamStatus: status, isToolError: false }
  }
  const text = jsonTextOf(response)
  // What is no JSON would be a page of theirs under our name: a client can do nothing with it, a browser too much.
  if (text === undefined && status < 400) throw notMcp('answered with something that is not MCP')
  const answer = `answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()
  const given = text ?? errorText(exchange, notMcp(answer)) ?? ''
  const shown = passage.view === undefined ? given : filterTools(given, passage.view)
  if (shown === undefined) throw notMcp('answered with broken JSON')
  exchange.send({ status, headers, body: shown })
  return { upstreamStatus: status, isToolError: isToolError(shown) }
}

/** 401 and 403 concern our sign-in there, and a redirect would lead our credential astray: none of it is the caller's affair. */
function checkAcceptance(status: number): void {
  if (status === 401 || status === 403) {
    throw new GatewayError('upstream_refused', 'The MCP server does not accept the credential of this gateway.', {
      cause: `it answered ${status}`,
    })
  }
  if (status >= 300 && status <= 399) throw notMcp(`answered ${status}: redirects are not followed`)
}

/** A client of the 2024-11-05 transport in front of a server that speaks a later one. Resolves when the client has left. */
async function serveSseClient(passage: Passage, state: McpState): Promise<Passed> {
  const session = openSseSession(passage.exchange, passage, state)
  await untilClosed(session.stream)
  const { upstreamId } = session.state
  if (upstreamId === undefined) return NOTHING
  const headers = { accept: 'application/json', 'mcp-session-id': upstreamId }
  const signal = AbortSignal.timeout(COURTESY_MS)
  const end = { method: 'DELETE', headers, signal, streamTo: () => undefined } as const
  // Out of courtesy: a server that does not take it ends its sessions by itself.
  await passage.send(end).catch(() => undefined)
  return NOTHING
}

const COURTESY_MS = 3_000

/** What the server says without being asked goes to the client's one stream too, for as long as that is open. */
async function relayUnasked(passage: Passage, upstreamId: string | undefined): Promise<void> {
  const session = passage.session?.sse
  if (session === undefined || upstreamId === undefined || session.hearsUnasked) return
  session.hearsUnasked = true
  const relay = new EventRelay({
    open: () => messagesOn(session.stream, () => {}),
    signal: session.stream.closed,
    view: passage.view,
    silenceMs: undefined,
    charactersMax: passage.eventCharactersMax,
    answers: undefined,
    canResume: false,
  })
  const version = passage.session?.protocolVersion
  const headers = {
    accept: 'text/event-stream',
    'mcp-session-id': upstreamId,
    ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
  }
  // A server need not have such a stream (405); without it the client hears nothing unasked, as it would there.
  await passage.send({ method: 'GET', headers, ...follow(relay) }).catch(() => undefined)
  relay.end()
  session.hearsUnasked = false
}

function toldHeaders({ headers }: OutgoingResponse): Record<string, string> {
  const told: Record<string, string> = {}
  const { allow, 'retry-after': retryAfter } = headers
  if (typeof allow === 'string') told['Allow'] = allow
  if (typeof retryAfter === 'string') told['Retry-After'] = retryAfter
  return told
}

function jsonTextOf({ headers, body }: OutgoingResponse): string | undefined {
  const type = headers['content-type']
  return typeof type === 'string' && /^application\/json\s*(;|$)/i.test(type) ? body.toString('utf8') : undefined
}

function errorText({ replyTo }: Exchange, error: unknown): string | undefined {
  return mcpErrorAnswer(error, { replyTo, resourceMetadataUrl: undefined }).body
}

function notMcp(what: string): GatewayError {
  return new GatewayError('upstream_unreachable', `The MCP server ${what}.`)
}

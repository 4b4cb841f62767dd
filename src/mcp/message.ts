import { GatewayError } from '../errors.ts'
import type { Era, Exchange } from '../http/exchange.ts'
import {
  checkStandardHeaders,
  claimsEnvelope,
  claimsModernVersion,
  headerIsModern,
  readEnvelope,
  readVersion,
} from './envelope.ts'
import { parseRpcMessage, type RpcId, type RpcMessage, type RpcParams } from './json-rpc.ts'
import { LEGACY_VERSIONS } from './revisions.ts'

/** One MCP message, its era decided and its envelope checked. The body decides; a header that disagrees is refused. */
export type Message =
  | {
      readonly kind: 'request'
      readonly era: Era
      readonly id: RpcId
      readonly method: string
      readonly params: RpcParams
      /** The revision it is written in; undefined for an older-era message that does not say. */
      readonly protocolVersion: string | undefined
      readonly client: string | undefined
      /** The older era's `Mcp-Session-Id`, not yet checked. */
      readonly sessionId: string | undefined
    }
  | {
      readonly kind: 'notification'
      readonly era: Era
      readonly method: string
      readonly params: RpcParams
      readonly sessionId: string | undefined
    }
  | { readonly kind: 'response'; readonly sessionId: string | undefined }
  | { readonly kind: 'end-session'; readonly sessionId: string }
  /** GET: the client wants to hear what comes without its asking. `sse` is the 2024-11-05 transport, which answers there too. */
  | { readonly kind: 'listen'; readonly over: 'streamable-http' | 'sse'; readonly sessionId: string | undefined }

/** How a message is read. */
export interface ReadingRules {
  /** Who it is passed on to decides which revisions there are; otherwise only ours are read. */
  readonly anyRevision: boolean
}

const OURS_ONLY: ReadingRules = { anyRevision: false }

/**
 * Reads the one message of an exchange and decides its era: `_meta` with a protocol version is 2026-07-28 or later; a POST
 * without it, `initialize`, GET and DELETE are the older era. Sets `exchange.replyTo` as soon as the id is known.
 *
 * At once, when the body is here already. @throws (or rejects with) GatewayError with the code that its era assigns: wrong HTTP method, media type, JSON, envelope, header, version.
 */
export function readMessage(exchange: Exchange, rules: ReadingRules = OURS_ONLY): Message | Promise<Message> {
  if (exchange.method === 'DELETE') return endOfSession(exchange)
  if (exchange.method === 'GET') return wishToListen(exchange)
  if (exchange.method !== 'POST') throw methodNotAllowed('Method not allowed: send messages by POST.')
  if (exchange.transport === 'http') checkMediaTypes(exchange)
  const body = exchange.readBody()
  return typeof body === 'string' ? messageOf(body, exchange, rules) : body.then((it) => messageOf(it, exchange, rules))
}

function messageOf(body: string, exchange: Exchange, rules: ReadingRules): Message {
  const parsed = parseRpcMessage(body)
  const sessionId = exchange.header('mcp-session-id')
  if (parsed.kind === 'response') return { kind: 'response', sessionId }
  const era = decideEra(parsed, exchange)
  exchange.replyTo = { id: parsed.kind === 'request' ? parsed.id : null, era }
  return era === 'modern' ? modernMessage(parsed, exchange, rules) : legacyMessage(parsed, exchange, sessionId, rules)
}

type Call = Exclude<RpcMessage, { kind: 'response' }>

function decideEra(message: Call, exchange: Exchange): Era {
  if (hasEnvelope(message)) return 'modern'
  return headerIsModern(exchange.header('mcp-protocol-version')) ? 'modern' : 'legacy'
}

/** `initialize` is the older era's; only an envelope of the modern one makes it an unknown method there. */
function hasEnvelope({ method, params }: Call): boolean {
  return method === 'initialize' ? claimsModernVersion(params) : claimsEnvelope(params)
}

function modernMessage(message: Call, exchange: Exchange, rules: ReadingRules): Message {
  const header = exchange.header('mcp-protocol-version')
  if (message.kind === 'notification') {
    // Notifications need no envelope in this revision; what they do say must agree.
    const version = hasEnvelope(message) ? readVersion(message.params, header, rules) : header
    checkHeaders(message, version?.trim() ?? '', exchange)
    return { kind: 'notification', era: 'modern', method: message.method, params: message.params, sessionId: undefined }
  }
  if (message.method === 'initialize' && !hasEnvelope(message)) {
    throw new GatewayError(
      'header_mismatch',
      `Header mismatch: initialize is not part of ${header ?? 'this revision'}.`,
    )
  }
  const envelope = readEnvelope(message.params, header, rules)
  checkHeaders(message, envelope.protocolVersion, exchange)
  return {
    kind: 'request',
    era: 'modern',
    id: message.id,
    method: message.method,
    params: message.params,
    protocolVersion: envelope.protocolVersion,
    client: envelope.client,
    sessionId: undefined,
  }
}

function legacyMessage(
  message: Call,
  exchange: Exchange,
  sessionId: string | undefined,
  { anyRevision }: ReadingRules,
): Message {
  const { method, params } = message
  if (message.kind === 'notification') return { kind: 'notification', era: 'legacy', method, params, sessionId }
  const header = exchange.header('mcp-protocol-version')?.trim()
  // `initialize` negotiates: it says its version in the body, and an unknown one is answered with ours.
  const isOurs = header === undefined || LEGACY_VERSIONS.includes(header)
  if (!isOurs && method !== 'initialize' && !anyRevision) {
    throw new GatewayError('unsupported_version', 'Bad Request: Unsupported protocol version.', {
      data: { supported: LEGACY_VERSIONS, requested: header.slice(0, 40) },
    })
  }
  const { id } = message
  return { kind: 'request', era: 'legacy', id, method, params, protocolVersion: header, client: undefined, sessionId }
}

function checkHeaders(message: Call, protocolVersion: string, exchange: Exchange): void {
  if (exchange.transport === 'stdio') return
  checkStandardHeaders(message, protocolVersion, {
    protocolVersion: exchange.header('mcp-protocol-version'),
    method: exchange.header('mcp-method'),
    name: exchange.header('mcp-name'),
  })
}

/** FEATURES F4: a GET that does not take events is no wish to listen. */
function wishToListen(exchange: Exchange): Message {
  const takesEvents = /(^|[\s,])text\/event-stream\s*(;|,|$)/i.test(exchange.header('accept') ?? '')
  // The stateless revision has `subscriptions/listen` instead; `/message` belongs to the POSTs of the 2024 transport.
  const isModern = headerIsModern(exchange.header('mcp-protocol-version'))
  if (!takesEvents || isModern || /\/messages?\/?$/.test(exchange.path)) {
    throw methodNotAllowed('Method not allowed: send messages by POST, or accept text/event-stream.')
  }
  const sessionId = exchange.header('mcp-session-id')
  return { kind: 'listen', over: /\/sse\/?$/.test(exchange.path) ? 'sse' : 'streamable-http', sessionId }
}

function methodNotAllowed(message: string): GatewayError {
  return new GatewayError('method_not_allowed', message, { allow: ['GET', 'POST', 'DELETE', 'OPTIONS'] })
}

function endOfSession(exchange: Exchange): Message {
  const sessionId = exchange.header('mcp-session-id')
  if (sessionId !== undefined) return { kind: 'end-session', sessionId }
  throw new GatewayError('invalid_request', 'Bad Request: Mcp-Session-Id is missing.')
}

function checkMediaTypes(exchange: Exchange): void {
  const contentType = exchange.header('content-type') ?? ''
  if (contentType !== 'application/json' && !/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new GatewayError('unsupported_media_type', 'Unsupported Media Type: Content-Type must be application/json.')
  }
  // The revisions ask clients to accept both JSON and event streams; the seeds' curls send `*/*`, and all but streams is JSON.
  const accept = exchange.header('accept')
  // What the official clients send, word for word.
  if (accept === 'application/json, text/event-stream') return
  if (accept === undefined || /(^|[\s,])(application\/json|application\/\*|\*\/\*)\s*(;|,|$)/i.test(accept)) return
  throw new GatewayError('not_acceptable', 'Not Acceptable: Client must accept application/json.')
}

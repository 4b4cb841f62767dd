import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { OpenStreams } from '../http/open-streams.ts'
import type { ToolResult } from '../upstream/to-tool-result.ts'
import { clientName } from './envelope.ts'
import { isRecord, type RpcParams, rpcResult } from './json-rpc.ts'
import { listen, listenModern } from './listen.ts'
import type { Message } from './message.ts'
import { LEGACY_VERSIONS, META_SERVER_INFO, MODERN_VERSIONS } from './revisions.ts'
import type { RunningCalls } from './running-calls.ts'
import type { McpSessions, SessionOwner } from './sessions.ts'
import { type SseSessions, sseSessionId } from './sse-sessions.ts'
import type { ToolChanges } from './tool-changes.ts'

/** What an MCP endpoint does, as far as the protocol is concerned. */
export interface McpHandler {
  readonly server: ServerDescription
  /** Asked by what opens a session or a stream: most calls do not. */
  describeCaller(): CallerDescription
  /** The tools this caller may see, as the JSON text of an array. */
  listTools(): string
  callTool(name: string, args: unknown): Promise<ToolResult>
  /** The result that tells the model what failed; throws the error on when it is none of the tool's: an unknown tool, a missing scope. */
  toolFailed(error: unknown): ToolResult
}

/** Whose sessions and streams are opened, and for how long. */
export interface CallerDescription {
  /** Whose sessions these are: the workspace and the caller. */
  readonly owner: SessionOwner
  /** When the caller's credential ends, milliseconds since the epoch: no stream outlives it. */
  readonly endsAt: number
  /** Whether it still stands; undefined where nobody here can revoke it. */
  readonly isGood?: (() => boolean) | undefined
  /** Where clients reach us: a proxy may serve us below a path. */
  readonly publicUrl: () => string
}

export interface ServerDescription {
  readonly name: string
  readonly title: string
  readonly version: string
  readonly instructions?: string | undefined
}

export interface McpState {
  readonly sessions: McpSessions
  readonly running: RunningCalls
  readonly streams: OpenStreams
  readonly sse: SseSessions
  readonly changes: ToolChanges
}

/** How long a list may be kept, milliseconds: a change of tools reaches clients of the modern era within that time. */
const LIST_TTL_MS = 60_000
const CAPABILITIES = { tools: { listChanged: true } }

type Request = Extract<Message, { kind: 'request' }>

/**
 * Answers one MCP message: a closed table of methods for each era, everything else is `method_not_found`.
 *
 * Does not authorize: `handler` and the stages before it do.
 */
export function answerMessage(
  exchange: Exchange,
  message: Message,
  handler: McpHandler,
  state: McpState,
): Promise<void> | undefined {
  switch (message.kind) {
    case 'request':
      return answerRequest(exchange, message, handler, state)
    case 'notification':
      if (message.method === 'notifications/cancelled') {
        state.running.cancel(callScope(exchange, message), message.params['requestId'])
      }
      exchange.send({ status: 202 })
      return undefined
    case 'response':
      // We never ask a client anything, so this answers nothing.
      exchange.send({ status: 202 })
      return undefined
    case 'end-session':
      state.sessions.end(message.sessionId)
      exchange.send({ status: 204 })
      return undefined
    case 'listen':
      return listen(exchange, message, handler.describeCaller(), state)
  }
}

function answerRequest(
  exchange: Exchange,
  message: Request,
  handler: McpHandler,
  state: McpState,
): Promise<void> | undefined {
  if (message.method === 'tools/call') return callTool(exchange, message, handler, state.running)
  if (message.method === 'subscriptions/listen' && message.era === 'modern') {
    return listenUntilCancelled(exchange, message, handler, state)
  }
  const answer = answerAtOnce(message, handler, state.sessions)
  if (answer === undefined) throw new GatewayError('method_not_found', 'Method not found')
  reply(exchange, message, answer.result, answer.headers)
  return undefined
}

/** The answers that wait for nothing; undefined for a method that this era does not have. */
function answerAtOnce(
  message: Request,
  handler: McpHandler,
  sessions: McpSessions,
): { readonly result: string; readonly headers?: Record<string, string> } | undefined {
  const isModern = message.era === 'modern'
  switch (message.method) {
    case 'tools/list':
      refuseCursor(message.params)
      return { result: listResult(message, handler) }
    case 'initialize':
      return isModern ? undefined : initialize(message, handler, sessions)
    case 'ping':
      return isModern ? undefined : { result: '{}' }
    case 'server/discover':
      return isModern ? { result: discoverResult(handler) } : undefined
    default:
      return undefined
  }
}

async function callTool(
  exchange: Exchange,
  message: Request,
  handler: McpHandler,
  running: RunningCalls,
): Promise<void> {
  const { name, arguments: args = {} } = message.params
  if (typeof name !== 'string') throw new GatewayError('invalid_params', 'Invalid params: name must be a string.')
  if (!isRecord(args)) throw new GatewayError('invalid_params', 'Invalid params: arguments must be an object.')
  const scope = callScope(exchange, message)
  running.start(scope, message.id, exchange)
  try {
    let result: ToolResult
    try {
      result = await handler.callTool(name, args)
    } catch (error) {
      result = handler.toolFailed(error)
    }
    reply(exchange, message, toolResultJson(message, handler, result))
  } finally {
    running.finish(scope, message.id)
  }
}

/** Over HTTP the client closes the connection; over stdio it cancels by a message. */
async function listenUntilCancelled(
  exchange: Exchange,
  message: Request,
  handler: McpHandler,
  state: McpState,
): Promise<void> {
  const scope = callScope(exchange, message)
  state.running.start(scope, message.id, exchange)
  try {
    await listenModern(exchange, message, handler, state)
  } finally {
    state.running.finish(scope, message.id)
  }
}

/** Within what a request id is unique: one session, or the one client at the other end of stdio. */
function callScope(exchange: Exchange, message: { readonly sessionId: string | undefined }): string | undefined {
  return exchange.transport === 'stdio' ? 'stdio' : (sseSessionId(exchange) ?? message.sessionId)
}

function initialize(
  message: Request,
  handler: McpHandler,
  sessions: McpSessions,
): { readonly result: string; readonly headers: Record<string, string> } {
  const { protocolVersion: asked, clientInfo } = message.params
  if (typeof asked !== 'string') {
    throw new GatewayError('invalid_params', 'Invalid params: protocolVersion must be a string.')
  }
  // An unknown version is answered with our newest; the client decides whether it can speak that (2025-11-25, "Version Negotiation").
  const protocolVersion = LEGACY_VERSIONS.find((version) => version === asked) ?? LEGACY_VERSIONS[0] ?? asked
  const { instructions, ...serverInfo } = handler.server
  const result = { protocolVersion, capabilities: CAPABILITIES, serverInfo, ...(instructions ? { instructions } : {}) }
  const sessionId = sessions.open(handler.describeCaller().owner, { protocolVersion, client: clientName(clientInfo) })
  return { result: JSON.stringify(result), headers: { 'Mcp-Session-Id': sessionId } }
}

function discoverResult(handler: McpHandler): string {
  const { instructions, ...serverInfo } = handler.server
  return JSON.stringify({
    resultType: 'complete',
    supportedVersions: MODERN_VERSIONS,
    capabilities: CAPABILITIES,
    ...(instructions ? { instructions } : {}),
    ttlMs: LIST_TTL_MS,
    cacheScope: 'private',
    _meta: { [META_SERVER_INFO]: serverInfo },
  })
}

/** `private`: what is listed depends on the caller (2026-07-28, caching). */
function listResult(message: Request, handler: McpHandler): string {
  const tools = handler.listTools()
  if (message.era === 'legacy') return `{"tools":${tools}}`
  return `{"resultType":"complete","tools":${tools},"ttlMs":${LIST_TTL_MS},"cacheScope":"private"${serverMeta(handler)}}`
}

function toolResultJson(message: Request, handler: McpHandler, result: ToolResult): string {
  const json = JSON.stringify(result)
  if (message.era === 'legacy') return json
  return `{"resultType":"complete"${serverMeta(handler)},${json.slice(1)}`
}

/** Every modern answer repeats it, and a workspace describes itself with one object. */
const knownMeta = new WeakMap<ServerDescription, string>()

function serverMeta({ server }: McpHandler): string {
  const known = knownMeta.get(server)
  if (known !== undefined) return known
  const { name, version } = server
  const meta = `,"_meta":{"${META_SERVER_INFO}":{"name":${JSON.stringify(name)},"version":${JSON.stringify(version)}}}`
  knownMeta.set(server, meta)
  return meta
}

/** The list is never cut into pages, so a cursor cannot be one of ours. */
function refuseCursor(params: RpcParams): void {
  if (params['cursor'] === undefined) return
  throw new GatewayError('invalid_params', 'Invalid params: unknown cursor.')
}

function reply(exchange: Exchange, message: Request, resultJson: string, headers?: Record<string, string>): void {
  exchange.send({ status: 200, body: rpcResult(message.id, resultJson), ...(headers ? { headers } : {}) })
}

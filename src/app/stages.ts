import { authorize, isStranger, toolFilter, unknownTool, type Wish } from '../authorize/authorize.ts'
import type { Terms } from '../authorize/tool-rules.ts'
import type { Egress } from '../egress/egress.ts'
import { GatewayError, toGatewayError } from '../errors.ts'
import type { Noted, Passing, Stages, UpstreamCall } from '../gateway.ts'
import { mcpErrorAnswer } from '../http/error-response.ts'
import type { Caller } from '../identify/caller.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import { answerMessage, type CallerDescription, type McpState } from '../mcp/answer.ts'
import { findSession } from '../mcp/find-session.ts'
import { type Message, readMessage } from '../mcp/message.ts'
import { type Passage, passThrough } from '../mcp/pass-through.ts'
import type { SessionOwner } from '../mcp/sessions.ts'
import { resourceMetadataUrl } from '../oauth/resource-metadata.ts'
import type { WriteRecord } from '../records/record.ts'
import { redactArguments } from '../records/redact.ts'
import { type OpenLine, type RecordInProgress, startRecord } from '../records/start-record.ts'
import { callWithRenewal } from '../upstream/call-with-renewal.ts'
import { callHttpApi } from '../upstream/http-api.ts'
import { callMcpServer, type McpServer } from '../upstream/mcp-http.ts'
import { type ToolResult, toolErrorFrom, toToolResult } from '../upstream/to-tool-result.ts'
import type { WorkspaceDirectory } from '../workspaces/resolve.ts'

export interface StageParts {
  readonly directory: WorkspaceDirectory<OpenWorkspace>
  readonly egress: Egress
  readonly mcp: McpState
  readonly publicUrl: () => string
  readonly writeRecord: WriteRecord
  readonly recordArguments: 'redacted' | 'names' | 'none'
  readonly now: () => number
}

/** An MCP server that is silent for so long in the middle of an answer has lost it. Long enough for a person to be asked. */
const STREAM_SILENCE_MS = 300_000

/** Fills each line of `gateway.ts` with the room that does it. */
export function createStages(parts: StageParts): Stages<OpenWorkspace> {
  return {
    startRecord: (exchange) => startRecord(exchange, parts.writeRecord, parts.now),
    note: (record, what) => note(record, what, parts),
    resolve: (exchange) => parts.directory.get(exchange.path),
    identify: (exchange, { identity, workspace }) => identity.identify(exchange, workspace.id),
    readMessage: (exchange, { mcpServer }) => readMessage(exchange, { anyRevision: mcpServer !== undefined }),
    findSession: (exchange, message, caller, open) => findSession(exchange, message, ownerOf(caller, open), parts.mcp),
    limit: ({ clientAddress: address }, caller, { checkLimits }, message) => {
      checkLimits?.({ caller, address, tool: toolOf(message), now: parts.now() })
    },
    authorize: (caller, open, message) => authorize(caller, wishOf(message), termsOf(caller, open)),
    accept: (exchange, session) => {
      if (session?.sse !== undefined) exchange.answerOn(session.sse.stream)
    },
    isPassedThrough: ({ mcpServer }) => mcpServer !== undefined,
    passThrough: (passing) => pass(passing, parts),
    answer: (exchange, message, handler) => answerMessage(exchange, message, handler, parts.mcp),
    describeServer: ({ server }) => server,
    describeCaller: (caller, open) => describeCaller(caller, open, parts),
    visibleTools: (caller, open) => {
      const isVisible = toolFilter(caller, termsOf(caller, open))
      return isVisible === undefined ? open.catalog.listJson : open.catalog.listOf(isVisible)
    },
    findTool: (_caller, { catalog }, name) => {
      const tool = catalog.enabled.get(name)
      if (tool === undefined) throw unknownTool(name)
      return tool
    },
    checkArguments: (tool, args) => {
      const checked = tool.check(args)
      // Told in the result, not as a protocol error, so that a model can correct itself (MCP 2025-11-25, SEP-1303).
      if (!checked.ok) throw new GatewayError('invalid_arguments', checked.reason)
      return tool.request(checked.value)
    },
    credentialFor: (exchange, { credentials }, { tool }) => credentials.of(tool.operation.security).get(exchange),
    callUpstream: (call) => callApi(call, parts),
    toolFailed: (record, error) => {
      const result = toolErrorFrom(toGatewayError(error))
      record.fail(error)
      record.line.outcome = 'tool_error'
      return result
    },
    sendError: (exchange, error, open) => {
      const resource =
        open === undefined
          ? undefined
          : resourceMetadataUrl(exchange.forwarded?.origin ?? parts.publicUrl(), exchange.path)
      exchange.send(mcpErrorAnswer(error, { resourceMetadataUrl: resource, replyTo: exchange.replyTo }))
    },
  }
}

// No `async` on the hot path where a promise is only handed on: each one costs an object and a turn of the queue.
function callApi(call: UpstreamCall<OpenWorkspace>, { egress, now }: StageParts): Promise<ToolResult> {
  const { exchange, workspace: open, tool, request, credential, record } = call
  const { workspace } = open
  let sentAt = 0
  return callWithRenewal(open.credentials.of(tool.tool.operation.security), exchange, credential, {
    send: (sent) => {
      sentAt = now()
      return callHttpApi({
        egress,
        server: open.apiServer(tool.tool),
        request,
        credential: sent,
        timeoutMs: workspace.upstream.timeoutMs,
        responseBytesMax: workspace.upstream.responseBytesMax,
        reach: workspace.reach,
        requestId: exchange.requestId,
        signal: exchange.signal,
      })
    },
    finish: (answer, used) => {
      record.line.upstreamStatus = answer.status
      record.line.upstreamMs = now() - sentAt
      const result = toToolResult(request, answer, used)
      if (result.isError === true) record.line.outcome = 'tool_error'
      return result
    },
  })
}

async function pass(passing: Passing<OpenWorkspace>, parts: StageParts): Promise<void> {
  const { exchange, workspace: open, caller, message, session, record } = passing
  const wish = wishOf(message)
  if (wish.kind === 'tool') note(record, { toolName: wish.name, args: wish.args?.value }, parts)
  const startedAt = parts.now()
  const passage: Passage = {
    exchange,
    message,
    session,
    ...describeCaller(caller, open, parts),
    view: viewOf(caller, termsOf(caller, open)),
    silenceMs: STREAM_SILENCE_MS,
    eventCharactersMax: open.workspace.upstream.responseBytesMax,
    send: (request) => sendToServer(request, exchange.requestId, open, parts),
  }
  const { upstreamStatus, isToolError } = await passThrough(passage, parts.mcp)
  record.line.upstreamStatus = upstreamStatus
  record.line.upstreamMs = parts.now() - startedAt
  if (isToolError) record.line.outcome = 'tool_error'
}

function viewOf(caller: Caller, terms: Terms): Passage['view'] {
  const isVisible = toolFilter(caller, terms)
  return isVisible === undefined ? undefined : { isVisible, isToolsOnly: isStranger(caller, terms) }
}

function sendToServer(
  request: Parameters<Passage['send']>[0],
  requestId: string,
  { workspace, credentials, mcpServer }: OpenWorkspace,
  { egress }: StageParts,
) {
  const server = requireServer(mcpServer)
  const context = { requestId, signal: request.signal }
  const source = credentials.of(undefined)
  return callWithRenewal(source, context, source.get(context), {
    send: (credential) =>
      callMcpServer({
        ...request,
        egress,
        server,
        credential,
        timeoutMs: workspace.upstream.timeoutMs,
        responseBytesMax: workspace.upstream.responseBytesMax,
        reach: workspace.reach,
        requestId,
      }),
    finish: (answer) => answer,
  })
}

function requireServer(server: McpServer | undefined): McpServer {
  if (server === undefined) throw new GatewayError('internal', 'Internal error', { cause: 'no MCP server' })
  return server
}

function describeCaller(caller: Caller, open: OpenWorkspace, { publicUrl }: StageParts): CallerDescription {
  const { expiresAtSeconds } = caller
  return {
    owner: ownerOf(caller, open),
    endsAt: expiresAtSeconds === undefined ? Number.POSITIVE_INFINITY : expiresAtSeconds * 1000,
    isGood: caller.issuedId === undefined ? undefined : () => open.identity.isGood(caller, open.workspace.id),
    publicUrl,
  }
}

function ownerOf(caller: Caller, open: OpenWorkspace): SessionOwner {
  return { workspaceId: open.workspace.id, issuer: caller.issuer, subject: caller.subject }
}

function termsOf(caller: Caller, { rules, identity }: OpenWorkspace): Terms {
  return { rules, required: identity.requiredScopes(caller), isOpenToAll: identity.isOpenToAll }
}

const GREETINGS: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover'])

/** Also of a call that is sent as a notification, as in `wishOf`. */
function toolOf(message: Message): string | undefined {
  if (message.kind !== 'request' && message.kind !== 'notification') return undefined
  if (message.method !== 'tools/call') return undefined
  const { name } = message.params
  return typeof name === 'string' ? name : ''
}

/** A call that is sent as a notification is a call: a server that is passed through may run it all the same (T20). */
function wishOf(message: Message): Wish {
  // Whoever may open a session may end it: findSession() has seen that it is his.
  if (message.kind === 'end-session') return { kind: 'greeting' }
  if (message.kind !== 'request' && message.kind !== 'notification') return { kind: 'other' }
  const { method } = message
  if (method === 'tools/list') return { kind: 'list' }
  if (method !== 'tools/call') {
    if (method.trim().toLowerCase() === 'tools/call') return { kind: 'misspelt' }
    const isGreeting = GREETINGS.has(method) || (message.kind === 'notification' && method.startsWith('notifications/'))
    return { kind: isGreeting ? 'greeting' : 'other' }
  }
  const { name } = message.params
  if (typeof name === 'string') return { kind: 'tool', name, args: { value: message.params['arguments'] } }
  throw new GatewayError('invalid_params', 'Invalid params: name must be a string.')
}

// Field by field: this runs for each request, and objects made to be copied from would be six more.
function note({ line }: RecordInProgress, what: Noted<OpenWorkspace>, parts: StageParts): void {
  if ('workspace' in what) {
    const { id, slug } = what.workspace.workspace
    line.workspaceId = id
    line.workspace = slug
  } else if ('caller' in what) {
    line.issuer = what.caller.issuer
    line.subject = what.caller.subject
  } else if ('toolName' in what) {
    line.tool = what.toolName
    line.arguments = redactArguments(what.args, parts.recordArguments)
  } else {
    noteMessage(line, what)
  }
}

function noteMessage(line: OpenLine, { message, session }: Extract<Noted<OpenWorkspace>, { message: unknown }>): void {
  if (message.kind !== 'request' && message.kind !== 'notification') {
    line.method = message.kind
    return
  }
  const request = message.kind === 'request' ? message : undefined
  line.method = message.method
  // Known already here, so that a refused call says which tool it wanted.
  line.tool = toolOf(message)
  line.protocolVersion = request?.protocolVersion ?? session?.protocolVersion
  line.client = request?.client ?? session?.client
}

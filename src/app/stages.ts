import { checkScopes } from '../authorize/scopes.ts'
import type { Egress } from '../egress/egress.ts'
import { GatewayError, toGatewayError } from '../errors.ts'
import type { Noted, Stages } from '../gateway.ts'
import { mcpErrorAnswer } from '../http/error-response.ts'
import type { Caller } from '../identify/caller.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import { answerMessage, findSession, type McpState } from '../mcp/answer.ts'
import { readMessage } from '../mcp/message.ts'
import type { SessionOwner } from '../mcp/sessions.ts'
import { resourceMetadataUrl } from '../oauth/resource-metadata.ts'
import type { WriteRecord } from '../records/record.ts'
import { redactArguments } from '../records/redact.ts'
import { type RecordInProgress, startRecord } from '../records/start-record.ts'
import { callWithRenewal } from '../upstream/call-with-renewal.ts'
import { callHttpApi } from '../upstream/http-api.ts'
import { toolErrorFrom, toToolResult } from '../upstream/to-tool-result.ts'
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

/** Fills each line of `gateway.ts` with the room that does it. */
export function createStages(parts: StageParts): Stages<OpenWorkspace> {
  return {
    startRecord: (exchange) => startRecord(exchange, parts.writeRecord, parts.now),
    note: (record, what) => note(record, what, parts),
    resolve: (exchange) => parts.directory.get(exchange.path),
    identify: (exchange, { identity, workspace }) => identity.identify(exchange, workspace.id),
    readMessage,
    findSession: (message, caller, open) => findSession(message, ownerOf(caller, open), parts.mcp.sessions),
    authorize: (caller, { identity }) => checkScopes(caller, identity.requiredScopes(caller)),
    answer: (exchange, message, handler) => answerMessage(exchange, message, handler, parts.mcp),
    describe: (caller, open) => ({ owner: ownerOf(caller, open), server: open.server }),
    visibleTools: (_caller, { catalog }) => catalog.listJson,
    findTool: (_caller, { catalog }, name) => {
      const tool = catalog.enabled.get(name)
      // The same words for a tool that is off and one that never was.
      if (tool === undefined) throw new GatewayError('invalid_params', `Unknown tool: ${name.slice(0, 100)}`)
      return tool
    },
    checkArguments: (tool, args) => {
      const checked = tool.check(args)
      // Told in the result, not as a protocol error, so that a model can correct itself (MCP 2025-11-25, SEP-1303).
      if (!checked.ok) throw new GatewayError('invalid_arguments', checked.reason)
      return tool.request(checked.value)
    },
    credentialFor: ({ requestId, signal }, { credentials }, { tool }) =>
      credentials.of(tool.operation.security).get({ requestId, signal }),
    callUpstream: async ({ exchange, workspace: open, tool, request, credential, record }) => {
      const { workspace, credentials } = open
      const { requestId, signal } = exchange
      const server = open.apiServer(tool.tool)
      const source = credentials.of(tool.tool.operation.security)
      let used = credential
      const answer = await callWithRenewal(source, { requestId, signal }, credential, (sent) => {
        used = sent
        return callHttpApi({
          egress: parts.egress,
          server,
          request,
          credential: sent,
          timeoutMs: workspace.upstream.timeoutMs,
          responseBytesMax: workspace.upstream.responseBytesMax,
          reach: workspace.reach,
          requestId,
          signal,
          now: parts.now,
        })
      })
      record.set({ upstreamStatus: answer.status, upstreamMs: answer.durationMs })
      const result = toToolResult(request, answer, used)
      if (result.isError === true) record.set({ outcome: 'tool_error' })
      return result
    },
    toolFailed: (record, error) => {
      const result = toolErrorFrom(toGatewayError(error))
      record.fail(error)
      record.set({ outcome: 'tool_error' })
      return result
    },
    sendError: (exchange, error, open) => {
      const resource = open === undefined ? undefined : resourceMetadataUrl(parts.publicUrl(), exchange.path)
      exchange.send(mcpErrorAnswer(error, { resourceMetadataUrl: resource, replyTo: exchange.replyTo }))
    },
  }
}

function ownerOf(caller: Caller, open: OpenWorkspace): SessionOwner {
  return { workspaceId: open.workspace.id, issuer: caller.issuer, subject: caller.subject }
}

function note(record: RecordInProgress, what: Noted<OpenWorkspace>, parts: StageParts): void {
  if ('workspace' in what) {
    const { id, slug } = what.workspace.workspace
    record.set({ workspaceId: id, workspace: slug })
  } else if ('caller' in what) {
    record.set({ issuer: what.caller.issuer, subject: what.caller.subject })
  } else if ('tool' in what) {
    record.set({ tool: what.tool.tool.name, arguments: redactArguments(what.args, parts.recordArguments) })
  } else {
    noteMessage(record, what)
  }
}

function noteMessage(
  record: RecordInProgress,
  { message, session }: Extract<Noted<OpenWorkspace>, { message: unknown }>,
): void {
  if (message.kind === 'response' || message.kind === 'end-session') {
    record.set({ method: message.kind })
    return
  }
  const request = message.kind === 'request' ? message : undefined
  record.set({
    method: message.method,
    protocolVersion: request?.protocolVersion ?? session?.protocolVersion,
    client: request?.client ?? session?.client,
  })
}

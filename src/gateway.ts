import type { Credential } from './credentials/credential.ts'
import type { Exchange } from './http/exchange.ts'
import type { Caller } from './identify/caller.ts'
import type { CallerDescription, McpHandler, ServerDescription } from './mcp/answer.ts'
import type { FoundSession } from './mcp/find-session.ts'
import type { Message } from './mcp/message.ts'
import type { RecordInProgress } from './records/start-record.ts'
import type { CallableTool } from './tools/catalog.ts'
import type { UpstreamRequest } from './upstream/http-api.ts'
import type { ToolResult } from './upstream/to-tool-result.ts'

/**
 * Serves one MCP request. Read this function first: every folder in src/ is one line of it.
 *
 * Never throws and always answers, unless the client has gone.
 */
export async function serve<Workspace>(exchange: Exchange, stage: Stages<Workspace>): Promise<void> {
  const record = stage.startRecord(exchange)
  let workspace: Workspace | undefined
  try {
    // Resolve before identify: the challenge and the audience check both name the workspace (RFC 9728 §5.1, RFC 8707 §2).
    const found = stage.resolve(exchange)
    workspace = found
    stage.note(record, { workspace: found })
    const caller = await stage.identify(exchange, found)
    stage.note(record, { caller })
    const message = await stage.readMessage(exchange, found) // once: era, method, parameters
    const session = stage.findSession(exchange, message, caller, found) // another caller's session is 404
    stage.note(record, { message, session })
    stage.limit(exchange, caller, found, message)
    stage.authorize(caller, found, message) // throws the challenge with every scope the call needs
    stage.accept(exchange, session) // the 2024 transport answers on a stream of its own
    if (stage.isPassedThrough(found)) {
      await stage.passThrough({ exchange, workspace: found, caller, message, session, record })
      return
    }
    await stage.answer(exchange, message, {
      server: stage.describeServer(found),
      describeCaller: () => stage.describeCaller(caller, found),
      listTools: () => stage.visibleTools(caller, found),
      callTool: (name, args) => {
        const tool = stage.findTool(caller, found, name) // what is not listed cannot be called
        stage.note(record, { toolName: name, args })
        const request = stage.checkArguments(tool, args)
        const credential = stage.credentialFor(exchange, found, tool) // what its operation wants: cached, refreshed or a login
        return stage.callUpstream({ exchange, workspace: found, tool, request, credential, record }) // renewed once after a 401
      },
      toolFailed: (error) => stage.toolFailed(record, error), // told to the model in the result, or thrown on
    })
  } catch (error) {
    record.fail(error)
    stage.sendError(exchange, error, workspace)
  } finally {
    record.end(exchange.status) // for a stream: when it has closed
  }
}

/** The stages of a request. Built once, in `app/stages.ts`, from config and store: the only dependency injection there is. */
export interface Stages<Workspace> {
  startRecord(exchange: Exchange): RecordInProgress
  note(record: RecordInProgress, what: Noted<Workspace>): void
  resolve(exchange: Exchange): Workspace
  identify(exchange: Exchange, workspace: Workspace): Caller | Promise<Caller>
  readMessage(exchange: Exchange, workspace: Workspace): Message | Promise<Message>
  findSession(exchange: Exchange, message: Message, caller: Caller, workspace: Workspace): FoundSession | undefined
  limit(exchange: Exchange, caller: Caller, workspace: Workspace, message: Message): void
  authorize(caller: Caller, workspace: Workspace, message: Message): void
  accept(exchange: Exchange, session: FoundSession | undefined): void
  isPassedThrough(workspace: Workspace): boolean
  passThrough(passing: Passing<Workspace>): Promise<void>
  answer(exchange: Exchange, message: Message, handler: McpHandler): Promise<void> | undefined
  describeServer(workspace: Workspace): ServerDescription
  describeCaller(caller: Caller, workspace: Workspace): CallerDescription
  visibleTools(caller: Caller, workspace: Workspace): string
  findTool(caller: Caller, workspace: Workspace, name: string): CallableTool
  checkArguments(tool: CallableTool, args: unknown): UpstreamRequest
  credentialFor(exchange: Exchange, workspace: Workspace, tool: CallableTool): Credential | Promise<Credential>
  callUpstream(call: UpstreamCall<Workspace>): Promise<ToolResult>
  toolFailed(record: RecordInProgress, error: unknown): ToolResult
  sendError(exchange: Exchange, error: unknown, workspace: Workspace | undefined): void
}

/** One tool call, ready to go out. */
export interface UpstreamCall<Workspace> {
  readonly exchange: Exchange
  readonly workspace: Workspace
  readonly tool: CallableTool
  readonly request: UpstreamRequest
  readonly credential: Credential | Promise<Credential>
  readonly record: RecordInProgress
}

/** One message on its way through to an MCP server. */
export interface Passing<Workspace> {
  readonly exchange: Exchange
  readonly workspace: Workspace
  readonly caller: Caller
  readonly message: Message
  readonly session: FoundSession | undefined
  readonly record: RecordInProgress
}

/** What a stage has found out, for the record. */
export type Noted<Workspace> =
  | { readonly workspace: Workspace }
  | { readonly caller: Caller }
  | { readonly message: Message; readonly session: FoundSession | undefined }
  | { readonly toolName: string; readonly args: unknown }

import type { ErrorCode } from '../errors.ts'

/** `request`: one MCP request. `login`, `refresh`: a sign-in at an upstream that a request caused. */
export type RecordKind = 'request' | 'login' | 'refresh'

/** `tool_error`: the upstream or the arguments failed, told to the client in the result. `denied`: 401 or 403. `failed`: anything else. */
export type Outcome = 'ok' | 'tool_error' | 'denied' | 'failed'

/** One line in the log: one wide event. It never holds a secret; `redact.ts` says what becomes of arguments. */
export interface RecordLine {
  readonly requestId: string
  readonly kind: RecordKind
  /** Start, milliseconds since the epoch. Lines are kept in the order in which they ended. */
  readonly at: number
  readonly durationMs: number
  readonly outcome: Outcome
  /** Why it was not `ok`, from the closed list of `errors.ts`. */
  readonly code?: ErrorCode | undefined
  /** The operator's detail, in words: what failed, never a secret. */
  readonly detail?: string | undefined
  readonly workspaceId?: string | undefined
  /** Slug of the workspace. */
  readonly workspace?: string | undefined
  /** The MCP method (`tools/call`), or the HTTP method where there was no message; `POST <path>` for sign-ins. */
  readonly method?: string | undefined
  readonly tool?: string | undefined
  /** Redacted arguments as JSON text, at most 2,000 characters. */
  readonly arguments?: string | undefined
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  /** `name/version` as the client calls itself. */
  readonly client?: string | undefined
  /** The caller's own `X-MCP-Session-Id`, else the start of the protocol's `Mcp-Session-Id`. */
  readonly session?: string | undefined
  readonly protocolVersion?: string | undefined
  readonly clientAddress?: string | undefined
  /** Status of our answer. */
  readonly status?: number | undefined
  readonly upstreamStatus?: number | undefined
  readonly upstreamMs?: number | undefined
}

/** Takes a finished line. Never throws and never waits: writing is batched behind it. */
export type WriteRecord = (line: RecordLine) => void

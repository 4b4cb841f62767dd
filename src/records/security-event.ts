import type { AuditEvent } from './audit-event.ts'
import type { RecordLine } from './record.ts'
import { redactText } from './redact.ts'

/** What the security log tells of. */
export type SecurityEventName =
  | 'auth_success'
  | 'auth_failure'
  | 'rate_limit_exceeded'
  | 'ip_blocked'
  | 'tool_access_denied'
  | 'access_denied'
  | 'host_or_origin_denied'
  | 'session_not_found'
  | 'login_failed'
  | 'admin_action'
  | 'alert'

export type SecurityLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line of the security log. No field holds a secret. */
export interface SecurityEvent {
  /** ISO 8601. */
  readonly time: string
  readonly level: SecurityLevel
  readonly event: SecurityEventName
  readonly requestId?: string | undefined
  readonly workspace?: string | undefined
  readonly tool?: string | undefined
  readonly method?: string | undefined
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  readonly clientAddress?: string | undefined
  /** From the closed list of `errors.ts`, or the action of the audit. */
  readonly code?: string | undefined
  readonly detail?: string | undefined
  readonly count?: number | undefined
}

const LEVELS: readonly SecurityLevel[] = ['debug', 'info', 'warn', 'error']

/** Whether an event of this level is at least that level. */
export function reaches(level: SecurityLevel, least: SecurityLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least)
}

/** What a record is in the security log; undefined: nothing. A caller who was let in is `auth_success`. */
export function eventNameOf({ kind, code, subject, outcome, tool }: RecordLine): SecurityEventName | undefined {
  if (kind !== 'request') return outcome === 'ok' ? undefined : 'login_failed'
  switch (code) {
    case 'missing_token':
    case 'invalid_token':
      return 'auth_failure'
    case 'insufficient_scope':
      return 'tool_access_denied'
    case 'forbidden':
      // A rule denies a tool. Anything else is `/api` or a sign-in: a role that is too small, a wrong code or password.
      return tool === undefined ? 'access_denied' : 'tool_access_denied'
    case 'rate_limited':
      // Nobody knows the caller yet: it is the address that has shown too many refused credentials.
      return subject === undefined ? 'ip_blocked' : 'rate_limit_exceeded'
    case 'host_not_allowed':
    case 'origin_not_allowed':
      return 'host_or_origin_denied'
    case 'session_not_found':
      return 'session_not_found'
    default:
      return subject === undefined || subject === 'anonymous' ? undefined : 'auth_success'
  }
}

/** A first request without a token is how every client finds out where to sign in; anything else refused is a warning. */
export function levelOf(name: SecurityEventName, code: string | undefined): SecurityLevel {
  switch (name) {
    case 'auth_success':
    case 'session_not_found':
    case 'admin_action':
      return 'info'
    case 'auth_failure':
      return code === 'missing_token' ? 'info' : 'warn'
    case 'rate_limit_exceeded':
    case 'tool_access_denied':
    case 'access_denied':
    case 'host_or_origin_denied':
    case 'login_failed':
      return 'warn'
    case 'ip_blocked':
    case 'alert':
      return 'error'
  }
}

/** The event of a record. Names that a stranger chose are bounded, and what looks like a credential is taken out. */
export function eventOfRecord(name: SecurityEventName, line: RecordLine, at: number): SecurityEvent {
  return {
    time: new Date(at).toISOString(),
    level: levelOf(name, line.code),
    event: name,
    requestId: line.requestId,
    workspace: line.workspace,
    tool: shown(line.tool),
    method: shown(line.method),
    issuer: shown(line.issuer),
    subject: shown(line.subject),
    clientAddress: line.clientAddress,
    code: line.code,
    detail: shown(line.detail),
  }
}

/** The event of a change that somebody made. */
export function eventOfAudit({ action, by, target, reason }: AuditEvent, at: number): SecurityEvent {
  const { actor, issuer, subject, clientAddress, requestId } = by
  return {
    time: new Date(at).toISOString(),
    level: levelOf('admin_action', undefined),
    event: 'admin_action',
    requestId,
    workspace: target?.kind === 'workspace' ? shown(target.label) : undefined,
    issuer: shown(issuer),
    subject: shown(subject ?? actor),
    clientAddress,
    code: action,
    detail: shown(reason),
  }
}

function shown(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : redactText(text)
}

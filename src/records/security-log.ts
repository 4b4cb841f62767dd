import type { AuditEvent, Origin } from './audit-event.ts'
import type { RecordLine } from './record.ts'
import {
  eventNameOf,
  eventOfAudit,
  eventOfRecord,
  reaches,
  type SecurityEvent,
  type SecurityLevel,
} from './security-event.ts'

const SEEN_CALLERS_MAX = 10_000
const SEEN_MS = 60_000

/** Where events go: a file, a webhook, the ordinary log. Never throws and never waits. */
export interface SecuritySink {
  take(event: SecurityEvent): void
  /** Resolves when what was taken is out, or the sink has given up on it. */
  close(): Promise<void>
}

export interface SecurityLogOptions {
  /** Least level that is told. */
  readonly level: SecurityLevel
  readonly sinks: readonly SecuritySink[]
  /** So many failures in a window are an alert of their own; at most one a window. */
  readonly alerts: { readonly failures: number; readonly windowMs: number }
  readonly now: () => number
}

/** Tells whoever watches over the gateway what concerns its security. */
export interface SecurityLog {
  /** `by`: who it was, where more is known than the record holds. */
  record(line: RecordLine, by?: Origin): void
  audit(event: AuditEvent): void
  close(): Promise<void>
}

export function createSecurityLog({ level, sinks, alerts, now }: SecurityLogOptions): SecurityLog {
  /** Caller and workspace to the time when they were last told of; a full map is emptied, so some are told twice. */
  const seen = new Map<string, number>()
  let window = { from: 0, failures: 0 }

  const tell = (event: SecurityEvent) => {
    if (!reaches(event.level, level)) return
    for (const sink of sinks) sink.take(event)
  }

  /** Callers come in bursts, and this is asked at every call. */
  let latest: Pick<RecordLine, 'workspaceId' | 'issuer' | 'subject'> & { readonly until: number } = { until: 0 }

  function isNews({ workspaceId, issuer, subject }: RecordLine, at: number): boolean {
    const isLatest = latest.subject === subject && latest.issuer === issuer && latest.workspaceId === workspaceId
    if (isLatest && at < latest.until) return false
    const caller = `${workspaceId}\n${issuer}\n${subject}`
    const last = seen.get(caller)
    const isKnown = last !== undefined && at - last < SEEN_MS
    latest = { workspaceId, issuer, subject, until: (isKnown ? last : at) + SEEN_MS }
    if (isKnown) return false
    if (seen.size >= SEEN_CALLERS_MAX) seen.clear()
    seen.set(caller, at)
    return true
  }

  function countFailure(at: number): void {
    if (at - window.from >= alerts.windowMs) window = { from: at, failures: 0 }
    window.failures += 1
    if (window.failures !== alerts.failures) return
    const detail = `${alerts.failures} requests were refused within ${alerts.windowMs / 1000} s`
    tell({ time: new Date(at).toISOString(), level: 'error', event: 'alert', count: alerts.failures, detail })
  }

  return {
    record(line, by) {
      const name = eventNameOf(line)
      if (name === undefined) return
      const at = now()
      if (name === 'auth_success') {
        if (reaches('info', level) && isNews(line, at)) tell(eventOfRecord(name, line, at))
        return
      }
      tell(
        eventOfRecord(
          name,
          by === undefined ? line : { ...line, issuer: by.issuer, subject: by.subject ?? by.actor },
          at,
        ),
      )
      if (name !== 'session_not_found' && line.code !== 'missing_token') countFailure(at)
    },
    audit(event) {
      // Denials come as records, one by one.
      if (event.action !== 'access.denied' && event.by.actor !== 'system') tell(eventOfAudit(event, now()))
    },
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()))
    },
  }
}

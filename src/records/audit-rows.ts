import type { AuditRow } from '../store/schema.ts'
import { hashOf, type Link } from './audit-chain.ts'
import type { AuditEvent } from './audit-event.ts'
import { redactText } from './redact.ts'

const LABEL_LENGTH_MAX = 200
const REASON_LENGTH_MAX = 500
const DETAIL_LENGTH_MAX = 8000

/** One line of the audit as it is shown. */
export interface AuditLine {
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly action: string
  readonly outcome: 'ok' | 'denied' | 'failed'
  readonly actor: string
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  readonly targetKind?: string | undefined
  readonly targetId?: string | undefined
  readonly target?: string | undefined
  /** A list of `SettingChange`, unless somebody has changed the line. */
  readonly changes: unknown
  readonly reason?: string | undefined
  readonly clientAddress?: string | undefined
  readonly requestId?: string | undefined
  readonly count: number
  readonly previousHash: string
  readonly hash: string
  readonly accountId?: string | undefined
  /** A person's e-mail at that time. */
  readonly actorName?: string | undefined
}

/**
 * The line that follows `before`. Texts are bounded, and what looks like a credential is taken out once more. Half a
 * surrogate pair, which a stranger can name a tool and a cut can leave, would come back from the store as another character,
 * and the line would look tampered with: it is replaced before the hash is made.
 */
export function rowAfter(before: Link, event: AuditEvent, { key, at }: { key: Uint8Array; at: number }): AuditRow {
  const { by, target } = event
  const row: Omit<AuditRow, 'hash'> = {
    seq: before.seq + 1,
    at: Math.round(at),
    action: event.action,
    outcome: event.outcome ?? 'ok',
    actor: by.actor,
    issuer: shown(by.issuer),
    subject: shown(by.subject),
    target_kind: target?.kind ?? null,
    target_id: cut(target?.id),
    target: shown(target?.label),
    detail: detailOf(event),
    reason: event.reason === undefined ? null : redactText(event.reason, REASON_LENGTH_MAX).toWellFormed(),
    client_address: cut(by.clientAddress),
    request_id: cut(by.requestId),
    count: event.count ?? 1,
    previous_hash: before.hash,
    account_id: cut(event.accountId),
    actor_name: shown(by.name),
  }
  return { ...row, hash: hashOf(key, row) }
}

export function lineOf(row: AuditRow): AuditLine {
  return {
    seq: row.seq,
    at: row.at,
    action: row.action,
    outcome: row.outcome,
    actor: row.actor,
    issuer: row.issuer ?? undefined,
    subject: row.subject ?? undefined,
    targetKind: row.target_kind ?? undefined,
    targetId: row.target_id ?? undefined,
    target: row.target ?? undefined,
    changes: parsed(row.detail),
    reason: row.reason ?? undefined,
    clientAddress: row.client_address ?? undefined,
    requestId: row.request_id ?? undefined,
    count: row.count,
    previousHash: row.previous_hash,
    hash: row.hash,
    accountId: row.account_id ?? undefined,
    actorName: row.actor_name ?? undefined,
  }
}

function detailOf({ changes = [] }: AuditEvent): string {
  const kept: string[] = []
  let length = 0
  for (const change of changes) {
    const text = JSON.stringify(change)
    length += text.length + 1
    if (length > DETAIL_LENGTH_MAX) {
      kept.push(JSON.stringify({ setting: `${changes.length - kept.length} more`, isChanged: true }))
      break
    }
    kept.push(text)
  }
  return `[${kept.join(',')}]`
}

function parsed(detail: string): unknown {
  try {
    return JSON.parse(detail)
  } catch {
    // Somebody has changed the line: it is shown as it is, and `verify` names it.
    return detail
  }
}

function shown(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : redactText(text, LABEL_LENGTH_MAX).toWellFormed()
}

function cut(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text.slice(0, LABEL_LENGTH_MAX).toWellFormed()
}

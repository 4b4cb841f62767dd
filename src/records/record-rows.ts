import type { NewRecordRow, RecordRow } from '../store/schema.ts'
import type { RecordLine } from './record.ts'

/** A line that has its place in the order in which lines ended. */
export interface StoredLine extends RecordLine {
  readonly seq: number
}

/** The line as the store keeps it. */
export function toRow(line: RecordLine): NewRecordRow {
  return {
    request_id: line.requestId,
    kind: line.kind,
    at: Math.round(finite(line.at) ?? 0),
    duration_ms: finite(line.durationMs) ?? 0,
    outcome: line.outcome,
    code: line.code ?? null,
    detail: line.detail ?? null,
    workspace_id: line.workspaceId ?? null,
    workspace: line.workspace ?? null,
    method: line.method ?? null,
    tool: line.tool ?? null,
    arguments: line.arguments ?? null,
    issuer: line.issuer ?? null,
    subject: line.subject ?? null,
    client: line.client ?? null,
    session: line.session ?? null,
    protocol_version: line.protocolVersion ?? null,
    client_address: line.clientAddress ?? null,
    status: finite(line.status),
    upstream_status: finite(line.upstreamStatus),
    upstream_ms: finite(line.upstreamMs),
  }
}

/** The line that was kept. */
export function fromRow(row: RecordRow): StoredLine {
  return {
    seq: row.seq,
    requestId: row.request_id,
    kind: row.kind,
    at: row.at,
    durationMs: row.duration_ms,
    outcome: row.outcome,
    code: row.code ?? undefined,
    detail: row.detail ?? undefined,
    workspaceId: row.workspace_id ?? undefined,
    workspace: row.workspace ?? undefined,
    method: row.method ?? undefined,
    tool: row.tool ?? undefined,
    arguments: row.arguments ?? undefined,
    issuer: row.issuer ?? undefined,
    subject: row.subject ?? undefined,
    client: row.client ?? undefined,
    session: row.session ?? undefined,
    protocolVersion: row.protocol_version ?? undefined,
    clientAddress: row.client_address ?? undefined,
    status: row.status ?? undefined,
    upstreamStatus: row.upstream_status ?? undefined,
    upstreamMs: row.upstream_ms ?? undefined,
  }
}

/** One NaN would make the store refuse the whole batch. */
function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}

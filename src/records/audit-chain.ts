import { equalInConstantTime, hmacSha256 } from '../crypto/hash.ts'
import type { AuditChainRow, AuditRow } from '../store/schema.ts'

/** A place in the chain and the hash of its line; place 0 has no line. */
export interface Link {
  readonly seq: number
  readonly hash: string
}

/** What is wrong with one line, or with the chain. */
export interface AuditProblem {
  /** Place of the line; 0 for the chain itself. */
  readonly seq: number
  /**
   * `changed`: the line is not as it was written. `missing`: there is no line. `misplaced`: it does not follow the line
   * before it. `added`: it stands where the chain has ended. `chain`: where the chain begins and ends is not as it was written.
   */
  readonly problem: 'changed' | 'missing' | 'misplaced' | 'added' | 'chain'
  /** Of `missing` and `added`: the last of the places. */
  readonly through?: number | undefined
}

export const START: Link = { seq: 0, hash: '' }

/**
 * The hash that a line must have: HMAC-SHA-256 over the JSON text of all its other columns in this order, the hash of the
 * line before it among them. The key is derived from the master secret, so the database alone is not enough to rewrite it.
 */
export function hashOf(key: Uint8Array, row: Omit<AuditRow, 'hash'>): string {
  const { seq, at, action, outcome, actor, issuer, subject, target_kind, target_id, target } = row
  const { detail, reason, client_address, request_id, count, previous_hash, account_id, actor_name } = row
  const what = [action, outcome, target_kind, target_id, target, detail, reason, count]
  const who = [actor, issuer, subject, client_address, request_id]
  // Lines of schema 4 have neither, and the hash that they had then: a list that is longer can be no such line's.
  const whose = account_id === null && actor_name === null ? [] : [account_id, actor_name]
  return hmacSha256(key, JSON.stringify(['line', seq, at, ...what, ...who, previous_hash, ...whose]))
}

/** The row that says where the chain begins and ends: without it nobody could tell that the last lines are missing. */
export function chainRow(
  key: Uint8Array,
  { anchor, head }: { readonly anchor: Link; readonly head: Link },
): AuditChainRow {
  const columns = { anchor_seq: anchor.seq, anchor_hash: anchor.hash, head_seq: head.seq, head_hash: head.hash }
  return { ...columns, proof: proofOf(key, columns) }
}

/** Whether the row is as `chainRow` made it. */
export function isProven(key: Uint8Array, row: AuditChainRow): boolean {
  return equalInConstantTime(proofOf(key, row), row.proof)
}

function proofOf(key: Uint8Array, row: Omit<AuditChainRow, 'proof'>): string {
  const { anchor_seq, anchor_hash, head_seq, head_hash } = row
  return hmacSha256(key, JSON.stringify(['chain', anchor_seq, anchor_hash, head_seq, head_hash]))
}

/** The problems of lines that should follow `before`, in the order of their places; and the link that the next must follow. */
export function checkLines(
  key: Uint8Array,
  before: Link,
  rows: readonly AuditRow[],
): { readonly problems: readonly AuditProblem[]; readonly last: Link } {
  const problems: AuditProblem[] = []
  let last = before
  // Behind a line that is changed or missing nothing can be said about the hash that the next one names.
  let isSound = true
  for (const row of rows) {
    if (row.seq > last.seq + 1) {
      problems.push({ seq: last.seq + 1, problem: 'missing', through: row.seq - 1 })
      isSound = false
    }
    const isChanged = !equalInConstantTime(hashOf(key, row), row.hash)
    if (isChanged) problems.push({ seq: row.seq, problem: 'changed' })
    else if (isSound && row.previous_hash !== last.hash) problems.push({ seq: row.seq, problem: 'misplaced' })
    isSound = !isChanged
    last = { seq: row.seq, hash: row.hash }
  }
  return { problems, last }
}

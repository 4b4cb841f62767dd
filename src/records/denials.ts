import type { AuditEvent, AuditTarget, Origin } from './audit-event.ts'
import type { Log } from './log.ts'
import type { RecordLine } from './record.ts'
import { failureFields } from './start-record.ts'

const FLUSH_MS = 5000
const KINDS_MAX = 100
const KINDS_PER_HOUR_MAX = 1000
/** A name that a stranger chose may be as long as a body. */
const TEXT_MAX = 500
const HOUR_MS = 3_600_000

/** What is noted of a refused request: a record, or as much of one as there is. */
export type Denial = Pick<
  RecordLine,
  | 'requestId'
  | 'code'
  | 'detail'
  | 'workspaceId'
  | 'workspace'
  | 'tool'
  | 'method'
  | 'issuer'
  | 'subject'
  | 'clientAddress'
> & {
  /** Who it was, where more is known than a record holds. */
  readonly by?: Origin | undefined
  readonly accountId?: string | undefined
}

export interface DenialsOptions {
  readonly append: (events: readonly AuditEvent[]) => Promise<void>
  readonly log: Pick<Log, 'error'>
  readonly now: () => number
  /** How far the audit may be behind, milliseconds. Default: 5 s. */
  readonly flushMs?: number | undefined
}

/**
 * Brings denials into the audit in batches: those of the same caller, for the same reason at the same place are one event
 * with a count. A flood from everywhere costs at most 1,000 such events an hour; what is more is one event for each reason.
 */
export class Denials {
  readonly #options: DenialsOptions
  #waiting = new Map<string, { denial: Denial; count: number; isOfMany: boolean }>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()
  #hour = 0
  #kindsThisHour = 0

  constructor(options: DenialsOptions) {
    this.#options = options
  }

  /** Never throws and never waits. */
  note(denial: Denial): void {
    const { requestId, code, workspaceId, workspace, issuer, subject, clientAddress } = denial
    const [tool, method, detail] = [denial.tool, denial.method, denial.detail].map((text) => text?.slice(0, TEXT_MAX))
    const { by, accountId } = denial
    const noted = {
      by,
      accountId,
      requestId,
      code,
      detail,
      workspaceId,
      workspace,
      tool,
      method,
      issuer,
      subject,
      clientAddress,
    }
    // What a person was refused in `/api` stands in `method`; a stranger could make up as many of those as he likes.
    const who = [issuer, subject ?? by?.subject ?? by?.actor, by?.subject === undefined ? undefined : method]
    const kind = JSON.stringify([code, workspaceId, tool, ...who, clientAddress, accountId])
    const isOfMany = !this.#waiting.has(kind) && !this.#hasRoom()
    const key = isOfMany ? `${code}` : kind
    const known = this.#waiting.get(key)
    if (known === undefined) this.#waiting.set(key, { denial: noted, count: 1, isOfMany })
    else known.count += 1
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.flushMs ?? FLUSH_MS).unref()
  }

  /** Resolves when what was noted is kept, or lost, which is logged. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const events = [...this.#waiting.values()].map(eventOf)
    this.#waiting = new Map()
    if (events.length > 0) this.#flushing = this.#flushing.then(() => this.#keep(events))
    return this.#flushing
  }

  async #keep(events: readonly AuditEvent[]): Promise<void> {
    try {
      await this.#options.append(events)
    } catch (error) {
      // Not tried again: the records tell of each of them, and what waits must not grow.
      const { code, detail } = failureFields(error)
      this.#options.log.error('denials are missing from the audit', { code, detail, events: events.length })
    }
  }

  #hasRoom(): boolean {
    const hour = Math.floor(this.#options.now() / HOUR_MS)
    if (hour !== this.#hour) this.#kindsThisHour = 0
    this.#hour = hour
    if (this.#waiting.size >= KINDS_MAX || this.#kindsThisHour >= KINDS_PER_HOUR_MAX) return false
    this.#kindsThisHour += 1
    return true
  }
}

function eventOf({ denial, count, isOfMany }: { denial: Denial; count: number; isOfMany: boolean }): AuditEvent {
  const { code = 'internal', detail } = denial
  const what = { action: 'access.denied', outcome: 'denied', count } as const
  if (isOfMany) return { ...what, by: { actor: 'anonymous' }, reason: `${code} (of many callers together)` }
  const { issuer, subject, clientAddress, requestId } = denial
  const { accountId } = denial
  if (denial.by !== undefined) {
    return { ...what, by: denial.by, accountId, target: targetOf(denial), reason: reasonOf(code, detail) }
  }
  const actor: Origin['actor'] = subject === undefined || subject === 'anonymous' ? 'anonymous' : 'caller'
  const by = { actor, issuer, subject: actor === 'caller' ? subject : undefined, clientAddress, requestId }
  return { ...what, by, accountId, target: targetOf(denial), reason: reasonOf(code, detail) }
}

/** No colon: `invalid_token: …` would look like a token with its value, and be taken out. */
function reasonOf(code: string, detail: string | undefined): string {
  return detail === undefined ? code : `${code} (${detail})`
}

function targetOf({ workspaceId, workspace, tool, method }: Denial): AuditTarget {
  if (workspaceId === undefined) return { kind: 'api', label: method }
  if (tool === undefined) return { kind: 'workspace', id: workspaceId, label: workspace }
  return { kind: 'tool', id: workspaceId, label: `${workspace}/${tool}` }
}

import type { Keyring } from '../crypto/keyring.ts'
import type { AuditChainRow, AuditRow } from '../store/schema.ts'
import type { AuditFilter, AuditTable, ChangeTables, Store } from '../store/store.ts'
import { type AuditProblem, chainRow, checkLines, isProven, type Link, START } from './audit-chain.ts'
import { type AuditEvent, bySystem } from './audit-event.ts'
import { type AuditLine, lineOf, rowAfter } from './audit-rows.ts'

/** The calls of all wait while the hashes of so many lines are made: some milliseconds. */
const PAGE_LINES = 250
const PRUNED_LINES_MAX = 10_000
const PROBLEMS_MAX = 100
const LIMIT_MAX = 1000
const LIMIT_DEFAULT = 100

export interface AuditOptions {
  readonly store: Store
  readonly keyring: Keyring
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of every event that is kept, after it is. */
  readonly onEvent?: ((event: AuditEvent) => void) | undefined
}

/** What `verify` found. */
export interface Verification {
  readonly ok: boolean
  readonly lines: number
  /** After this place the chain begins: what stood there before has expired. */
  readonly anchor: Link
  /** The last line. Noted somewhere else, it also proves that nobody has put an older copy of the whole store in place. */
  readonly head: Link
  /** At most 100. */
  readonly problems: readonly AuditProblem[]
}

export type AuditQuery = Omit<AuditFilter, 'limit'> & { readonly limit?: number | undefined }

/** The audit: lines that hang together, so that nobody can change, remove, add or move one without `verify` naming it. */
export class Audit {
  readonly #store: Store
  readonly #key: Uint8Array
  readonly #now: () => number
  readonly #onEvent: (event: AuditEvent) => void

  constructor({ store, keyring, now, onEvent = () => {} }: AuditOptions) {
    this.#store = store
    this.#key = keyring.derive('audit chain')
    this.#now = now
    this.#onEvent = onEvent
  }

  /** Begins the chain in a store that has none, so that an empty audit is told from a lost one. */
  async start(): Promise<void> {
    const { audit } = this.#store
    if ((await audit.chain()) === undefined && (await audit.lastSeq()) === 0) {
      await this.append([{ action: 'audit.started', by: bySystem, target: { kind: 'gateway' } }])
    }
  }

  /**
   * Makes a change and keeps the event that tells of it in one transaction: both are there afterwards, or neither. `work`
   * may use only the tables that it is given. Gives what it gives, rejects as it does.
   */
  async change<Result>(event: AuditEvent, work: (tables: ChangeTables) => Promise<Result>): Promise<Result> {
    const result = await this.#store.transaction(async (tables) => {
      const made = await work(tables)
      await this.#append(tables.audit, [event])
      return made
    })
    this.#onEvent(event)
    return result
  }

  /** Keeps events that tell of no change: denials and sign-ins. All or none. */
  async append(events: readonly AuditEvent[]): Promise<void> {
    if (events.length === 0) return
    await this.#store.transaction(({ audit }) => this.#append(audit, events))
    for (const event of events) this.#onEvent(event)
  }

  /** The newest lines that match, or with `after` those that follow it; newest last. At most 1,000. */
  async read(query: AuditQuery): Promise<AuditLine[]> {
    const limit = Math.min(Math.max(1, Math.trunc(query.limit ?? LIMIT_DEFAULT)), LIMIT_MAX)
    return (await this.#store.audit.read({ ...query, limit })).map(lineOf)
  }

  /** Reads every line and says which are not as they were written. Lines that come meanwhile are checked too. */
  async verify(): Promise<Verification> {
    const { audit } = this.#store
    const first = await audit.chain()
    const anchor = first === undefined ? START : { seq: first.anchor_seq, hash: first.anchor_hash }
    // From the very first place, not from the anchor: what stands before it was put there.
    const before = await audit.read({ before: anchor.seq + 1, limit: PROBLEMS_MAX })
    const problems: AuditProblem[] = before.map(({ seq }) => ({ seq, problem: 'added' }))
    let { last, lines } = await this.#walk(anchor, problems)
    for (;;) {
      // Read after the lines: what it names and we have not seen came meanwhile, or is gone.
      const chain = await audit.chain()
      const more = await this.#walk(last, problems)
      if (more.lines === 0) {
        // Retention has moved the beginning meanwhile, and what it deleted is not missing.
        if (chain !== undefined && chain.anchor_seq !== anchor.seq && isProven(this.#key, chain)) return this.verify()
        problems.push(...endProblems(this.#key, chain, { last, known: problems }))
        const head = chain === undefined ? START : { seq: chain.head_seq, hash: chain.head_hash }
        return { ok: problems.length === 0, lines, anchor, head, problems: problems.slice(0, PROBLEMS_MAX) }
      }
      last = more.last
      lines += more.lines
    }
  }

  /**
   * Deletes lines from before this time, oldest first, and moves the anchor to the last of them. Lines that are not as they
   * were written stay, and what follows them: they are evidence. Deletes at most 10,000.
   */
  async prune(before: number): Promise<Pruned> {
    const none: Pruned = { lines: 0, isStopped: false }
    const stopped: Pruned = { lines: 0, isStopped: true }
    return this.#store.transaction(async ({ audit }) => {
      const chain = await audit.chain()
      if (chain === undefined) return none
      if (!isProven(this.#key, chain)) return stopped
      let last: Link = { seq: chain.anchor_seq, hash: chain.anchor_hash }
      let lines = 0
      for (let isMore = true; isMore && lines < PRUNED_LINES_MAX; ) {
        const oldest = await audit.read({ after: last.seq, limit: PAGE_LINES })
        const young = oldest.findIndex(({ seq, at }) => at >= before || seq === chain.head_seq)
        const rows = young === -1 ? oldest : oldest.slice(0, young)
        const checked = checkLines(this.#key, last, rows)
        if (checked.problems.length > 0) return stopped
        last = checked.last
        lines += rows.length
        isMore = rows.length === PAGE_LINES
      }
      if (lines === 0) return none
      await audit.deleteThrough(last.seq)
      const head = { seq: chain.head_seq, hash: chain.head_hash }
      await audit.keepChain(chainRow(this.#key, { anchor: last, head }))
      await this.#append(audit, [pruned(last, lines)])
      return { lines, isStopped: false }
    })
  }

  async #append(audit: AuditTable, events: readonly AuditEvent[]): Promise<void> {
    const chain = await audit.chain()
    const isOurs = chain !== undefined && isProven(this.#key, chain)
    const anchor = isOurs ? { seq: chain.anchor_seq, hash: chain.anchor_hash } : START
    let last: Link = isOurs ? { seq: chain.head_seq, hash: chain.head_hash } : START
    // Where somebody has tampered, the chain goes on behind it: `verify` keeps naming the place, and nothing stops.
    last = { seq: Math.max(last.seq, await audit.lastSeq()), hash: last.hash }
    const rows: AuditRow[] = []
    for (const event of events) {
      const row = rowAfter(last, event, { key: this.#key, at: this.#now() })
      rows.push(row)
      last = { seq: row.seq, hash: row.hash }
    }
    await audit.append(rows)
    await audit.keepChain(chainRow(this.#key, { anchor, head: last }))
  }

  async #walk(from: Link, problems: AuditProblem[]): Promise<{ readonly last: Link; readonly lines: number }> {
    let last = from
    let lines = 0
    for (;;) {
      const rows = await this.#store.audit.read({ after: last.seq, limit: PAGE_LINES })
      if (rows.length === 0) return { last, lines }
      const checked = checkLines(this.#key, last, rows)
      if (problems.length < PROBLEMS_MAX) problems.push(...checked.problems)
      last = checked.last
      lines += rows.length
    }
  }
}

/** What became of old lines. */
export interface Pruned {
  readonly lines: number
  /** A line among them is not as it was written, so all stay. */
  readonly isStopped: boolean
}

function pruned({ seq }: Link, lines: number): AuditEvent {
  const changes = [{ setting: 'first kept line', from: seq - lines + 1, to: seq + 1 }]
  return { action: 'audit.pruned', by: bySystem, target: { kind: 'gateway' }, changes }
}

/** Compares where the lines end with where they should. */
function endProblems(
  key: Uint8Array,
  chain: AuditChainRow | undefined,
  { last, known }: { readonly last: Link; readonly known: readonly AuditProblem[] },
): AuditProblem[] {
  if (chain === undefined || !isProven(key, chain)) return [{ seq: 0, problem: 'chain' }]
  const { head_seq: seq, head_hash: hash } = chain
  if (seq > last.seq) return [{ seq: last.seq + 1, problem: 'missing', through: seq }]
  if (seq < last.seq) return [{ seq: seq + 1, problem: 'added', through: last.seq }]
  if (hash === last.hash || known.some((problem) => problem.seq === seq)) return []
  return [{ seq, problem: 'changed' }]
}

import { RecordBatch } from '../store/record-batch.ts'
import type { NewRecordRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Log } from './log.ts'
import type { RecordLine, WriteRecord } from './record.ts'
import { toRow } from './record-rows.ts'
import { failureFields } from './start-record.ts'

/** Small enough that who waits for the store behind one, which takes its time, waits for some milliseconds. */
const BATCH_LINES_MAX = 500
const FIELD_LENGTH_MAX = 500
const ARGUMENTS_LENGTH_MAX = 2000
/** Whatever their number of lines: a quarter of a megabyte each. */
const FULL_BATCHES_MAX = 256
/** Full batches that wait: from here on the store has to hurry. */
const BEHIND_BATCHES = 4
/** The oldest stored lines are deleted after this many new ones: more would keep the store busy for long. */
const TRIM_EVERY_LINES = 1000

/** Where finished lines go. */
export interface RecordWriter {
  readonly write: WriteRecord
  /** Resolves when every line that was written before is stored, or the store has refused it. */
  flush(): Promise<void>
  /** Flushes once more; lines that the store still refuses are lost, and that is logged. Later lines are not taken. */
  close(): Promise<void>
}

/** Bounds and delays. Defaults: 250 ms, 1 s, 100,000 waiting and 1,000,000 kept lines. */
export interface RecordWriterOptions {
  /** How far the store may be behind, milliseconds. */
  readonly flushMs?: number
  /** After a failure, milliseconds. */
  readonly retryMs?: number
  /** More lines than this do not wait: the oldest are dropped, a batch of 500 at a time, counted and logged. At least 1,000. */
  readonly waitingMax?: number
  /** More lines than this are not kept in the store: the oldest are deleted. */
  readonly keptMax?: number
}

/** Writes lines to the log at once and to the store in batches. */
export function createRecordWriter(store: Store, log: Log, options: RecordWriterOptions = {}): RecordWriter {
  const writer = new BatchedWriter(store, log, options)
  return { write: (line) => writer.write(line), flush: () => writer.flush(), close: () => writer.close() }
}

class BatchedWriter {
  readonly #store: Store
  readonly #log: Log
  readonly #options: Required<RecordWriterOptions>
  #filling = new RecordBatch()
  /** The oldest first, without the one that the store has just now. */
  #full: RecordBatch[] = []
  /** An empty one, to be used again. */
  #spare: RecordBatch | undefined
  /** In the one that is being filled and in the full ones. */
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  /** How many wait for a flush. */
  #flushes = 0
  #isFailing = false
  #isClosed = false
  /** Since the store last took lines. */
  #dropped = 0
  #sinceTrim = 0

  constructor(store: Store, log: Log, options: RecordWriterOptions) {
    this.#store = store
    this.#log = log
    this.#options = { flushMs: 250, retryMs: 1000, waitingMax: 100_000, keptMax: 1_000_000, ...options }
  }

  write(given: RecordLine): void {
    if (this.#isClosed) return
    const line = bounded(given)
    this.#log.record(line)
    this.#add(toRow(line))
    if (this.#isTooMuch()) this.#dropOldest()
    if (this.#full.length > 0 && !this.#isFailing) this.#begin()
    else this.#timer ??= setTimeout(() => this.#begin(), this.#delayMs()).unref()
  }

  async flush(): Promise<void> {
    this.#flushes += 1
    try {
      // What is under way may have begun before the latest lines came.
      await this.#flushing
      await this.#begin()
    } finally {
      this.#flushes -= 1
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.flush()
    clearTimeout(this.#timer)
    if (this.#waiting > 0) this.#log.error('records were lost at the stop', { lines: this.#waiting })
  }

  #add(row: NewRecordRow): void {
    if (!this.#filling.add(row)) {
      this.#closeFilling()
      this.#filling.add(row)
    }
    this.#waiting += 1
    if (this.#filling.count >= BATCH_LINES_MAX) this.#closeFilling()
  }

  #closeFilling(): void {
    this.#full.push(this.#filling)
    this.#filling = this.#spare ?? new RecordBatch()
    this.#spare = undefined
  }

  #isTooMuch(): boolean {
    return this.#waiting > this.#options.waitingMax || this.#full.length > FULL_BATCHES_MAX
  }

  /** Somebody waits for it, or it falls behind; otherwise the store may take its time. */
  #isAwaited(): boolean {
    return this.#flushes > 0 || this.#full.length >= BEHIND_BATCHES
  }

  #delayMs(): number {
    return this.#isFailing ? this.#options.retryMs : this.#options.flushMs
  }

  /** One flush at a time. Never rejects. */
  #begin(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing ??= this.#storeAll().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #storeAll(): Promise<void> {
    for (let batch = this.#next(); batch !== undefined; batch = this.#next()) {
      try {
        await this.#store.records.append(batch, { unhurried: !this.#isAwaited() })
      } catch (error) {
        const isRetried = this.#refused(batch, error)
        if (isRetried) return
        this.#useAgain(batch)
        continue
      }
      this.#stored(batch.count)
      this.#useAgain(batch)
      await this.#trim()
    }
  }

  #next(): RecordBatch | undefined {
    if (this.#full.length === 0 && this.#filling.count > 0) this.#closeFilling()
    const batch = this.#full.shift()
    this.#waiting -= batch?.count ?? 0
    return batch
  }

  #useAgain(batch: RecordBatch): void {
    batch.clear()
    this.#spare = batch
  }

  /** Keeps the batch for later when the store was to blame. Otherwise its lines would stand in the way of all others. */
  #refused(batch: RecordBatch, error: unknown): boolean {
    const { code, detail } = failureFields(error)
    if (code !== 'unavailable') {
      this.#log.error('records were refused by the store', { code, detail, lines: batch.count })
      return false
    }
    this.#full.unshift(batch)
    this.#waiting += batch.count
    if (!this.#isFailing) this.#log.error('records cannot be stored, they wait', { code, detail, lines: this.#waiting })
    this.#isFailing = true
    if (this.#isTooMuch()) this.#dropOldest()
    if (!this.#isClosed) this.#timer ??= setTimeout(() => this.#begin(), this.#delayMs()).unref()
    return true
  }

  #stored(lines: number): void {
    this.#sinceTrim += lines
    if (this.#isFailing || this.#dropped > 0) this.#log.warn('records are stored again', { dropped: this.#dropped })
    this.#isFailing = false
    this.#dropped = 0
  }

  /** A whole batch: dropping lines one by one would move all of them each time. */
  #dropOldest(): void {
    const dropped = this.#full.shift()?.count ?? 0
    this.#waiting -= dropped
    if (this.#dropped === 0) this.#log.error('too many records wait, the oldest are dropped', { lines: dropped })
    this.#dropped += dropped
  }

  async #trim(): Promise<void> {
    if (this.#sinceTrim < TRIM_EVERY_LINES) return
    this.#sinceTrim = 0
    try {
      await this.#store.records.trim({ keep: this.#options.keptMax })
    } catch (error) {
      const { code, detail } = failureFields(error)
      this.#log.error('old records cannot be deleted', { code, detail })
    }
  }
}

function hasLongField(line: RecordLine): boolean {
  return (
    isLong(line.arguments) ||
    isLong(line.requestId) ||
    isLong(line.detail) ||
    isLong(line.method) ||
    isLong(line.tool) ||
    isLong(line.issuer) ||
    isLong(line.subject) ||
    isLong(line.client) ||
    isLong(line.session) ||
    isLong(line.protocolVersion)
  )
}

function isLong(text: string | undefined): boolean {
  return text !== undefined && text.length > FIELD_LENGTH_MAX
}

/** Names and texts that a stranger chooses may be as long as a body; a line may not. */
function bounded(line: RecordLine): RecordLine {
  if (!hasLongField(line)) return line
  const cut = (text: string | undefined) => text?.slice(0, FIELD_LENGTH_MAX)
  return {
    ...line,
    requestId: line.requestId.slice(0, FIELD_LENGTH_MAX),
    detail: cut(line.detail),
    method: cut(line.method),
    tool: cut(line.tool),
    arguments: line.arguments?.slice(0, ARGUMENTS_LENGTH_MAX),
    issuer: cut(line.issuer),
    subject: cut(line.subject),
    client: cut(line.client),
    session: cut(line.session),
    protocolVersion: cut(line.protocolVersion),
  }
}

import type { Config } from '../config.ts'
import type { Audit } from '../records/audit.ts'
import type { Log } from '../records/log.ts'
import { failureFields } from '../records/start-record.ts'
import type { Store } from '../store/store.ts'

const DAY_MS = 86_400_000
const EVERY_MS = 3_600_000
/** Rows of one statement: others wait while it runs. */
const RECORDS_AT_ONCE = 5_000

export interface RetentionOptions {
  readonly store: Store
  readonly audit: Audit
  readonly config: Pick<Config, 'auditRetentionDays' | 'recordRetentionDays'>
  readonly log: Pick<Log, 'error'>
  readonly now: () => number
}

/** Deletes what is older than the configuration keeps: now, and every hour until it is stopped. */
export function startRetention(options: RetentionOptions): { stop(): Promise<void> } {
  let isStopped = false
  let running = expire(options, () => isStopped)
  const timer = setInterval(() => {
    running = running.then(() => expire(options, () => isStopped))
  }, EVERY_MS).unref()
  return {
    async stop() {
      isStopped = true
      clearInterval(timer)
      await running
    },
  }
}

/** Never rejects. */
async function expire({ store, audit, config, log, now }: RetentionOptions, isStopped: () => boolean): Promise<void> {
  try {
    const recordsBefore = now() - config.recordRetentionDays * DAY_MS
    let deleted = RECORDS_AT_ONCE
    while (deleted === RECORDS_AT_ONCE && !isStopped()) {
      deleted = await store.records.expire({ before: recordsBefore, limit: RECORDS_AT_ONCE })
    }
    const pruned = await audit.prune(now() - config.auditRetentionDays * DAY_MS)
    if (pruned.isStopped)
      log.error('Old lines of the audit are not as they were written, so they stay: gatehouse audit verify')
  } catch (error) {
    const { code, detail } = failureFields(error)
    log.error('what is too old cannot be deleted', { code, detail })
  }
}

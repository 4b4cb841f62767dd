import type { Keyring } from '../crypto/keyring.ts'
import type { OauthItems } from '../store/oauth-items.ts'
import { createAdapter, type ModelAdapter } from './adapter.ts'
import { commitAnswer } from './commit-answer.ts'
import { Grants } from './grants.ts'
import { RefreshReplay } from './refresh-replay.ts'
import { Revocations } from './revocations.ts'
import { SealedItems } from './sealed-items.ts'
import { UnitsOfWork } from './unit-of-work.ts'

const EXPIRE_EVERY_MS = 300_000
/** Of one statement: others wait while it runs. */
const EXPIRED_AT_ONCE = 1_000

export interface SessionStorageOptions {
  /** Closed by whoever opened it. */
  readonly items: OauthItems
  readonly keyring: Keyring
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The longest life of an access token, milliseconds. */
  readonly tokenLifeMs: number
  /** Told when something fails that no request waits for. */
  readonly onError?: (error: unknown) => void
}

/** What the authorization server needs of its storage. */
export interface SessionStorage {
  /** The library's `adapter`. */
  readonly adapter: (model: string) => ModelAdapter
  /** The library's first middleware: `provider.use(storage.commitAnswer)`. */
  readonly commitAnswer: ReturnType<typeof commitAnswer>
  /** For what is done outside of the library's routes, and around them to hear of failures: `units.serve(…)`. */
  readonly units: UnitsOfWork
  /** Asked at every use of an access token. */
  readonly revocations: Revocations
  readonly grants: Grants
  /** Waits for what was begun. */
  close(): Promise<void>
}

/** Reads what was revoked, and deletes what has ended, now and then. */
export async function openSessionStorage(options: SessionStorageOptions): Promise<SessionStorage> {
  const { items, keyring, now, onError } = options
  const sealed = new SealedItems(keyring)
  const revocations = new Revocations({ ...options, sealed })
  await revocations.start()
  const units = new UnitsOfWork({ items, sealed, revocations, now })
  const replay = new RefreshReplay({ items, sealed, now })
  let expiring: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    expiring = expiring.then(() => expire(items, now)).catch((error) => onError?.(error))
  }, EXPIRE_EVERY_MS).unref()
  return {
    adapter: createAdapter({ units, sealed, now }),
    commitAnswer: commitAnswer({ units, replay }),
    units,
    revocations,
    grants: new Grants({ items, sealed, units, revocations, now }),
    async close() {
      clearInterval(timer)
      await expiring
      await replay.settled()
      await revocations.close()
    },
  }
}

async function expire(items: OauthItems, now: () => number): Promise<void> {
  let deleted = EXPIRED_AT_ONCE
  while (deleted === EXPIRED_AT_ONCE) deleted = await items.expire({ endedBy: now(), limit: EXPIRED_AT_ONCE })
}

import type { IssuedRow } from '../store/schema.ts'
import type { IssuedTable } from '../store/store.ts'

/** Whether a credential that we issued opens a workspace at this moment, or why not. */
export type Standing = 'good' | 'unknown' | 'revoked' | 'expired' | 'other_workspace'

/** Who an API key speaks for. */
export interface KeyOwner {
  readonly id: string
  readonly subject: string
  readonly scopes: ReadonlySet<string>
  /** Milliseconds since the epoch; infinite when it does not end. */
  readonly expiresAt: number
}

/** A credential as it is kept in memory: as small as can be, since there may be 100,000. */
interface Entry {
  readonly expiresAt: number
  readonly isRevoked: boolean
  /** Ids; shared among entries where it is one. */
  readonly workspaces: readonly string[]
}

const PAGE_ROWS = 5_000
const NONE: readonly string[] = []

/**
 * What was issued and which workspaces it opens, in memory: asked once a call, after the signature or the hash. Holds what
 * has not ended; only people who may issue credentials can fill it.
 */
export class IssuedIndex {
  readonly #entries = new Map<string, Entry>()
  readonly #keysByHash = new Map<string, KeyOwner>()
  /** One list for each workspace that is opened alone: most credentials open one. */
  readonly #alone = new Map<string, readonly string[]>()

  /** Reads everything that has not ended, a page at a time. */
  static async open(
    store: { readonly issued: Pick<IssuedTable, 'page' | 'workspacesOf'> },
    now: number,
  ): Promise<IssuedIndex> {
    const index = new IssuedIndex()
    for (let after = ''; ; ) {
      const rows = await store.issued.page({ after, limit: PAGE_ROWS })
      const last = rows.at(-1)
      if (last === undefined) return index
      const opens = new Map<string, string[]>()
      for (const { issued_id, workspace_id } of await store.issued.workspacesOf(rows.map(({ id }) => id))) {
        opens.set(issued_id, [...(opens.get(issued_id) ?? []), workspace_id])
      }
      for (const row of rows) {
        if (row.expires_at === null || row.expires_at > now) index.keep(row, opens.get(row.id) ?? NONE)
      }
      after = last.id
    }
  }

  get size(): number {
    return this.#entries.size
  }

  /** One lookup. `now` in milliseconds since the epoch. */
  standing(id: string, workspaceId: string, now: number): Standing {
    const entry = this.#entries.get(id)
    if (entry === undefined) return 'unknown'
    if (entry.isRevoked) return 'revoked'
    if (now >= entry.expiresAt) return 'expired'
    return entry.workspaces.includes(workspaceId) ? 'good' : 'other_workspace'
  }

  /** Whether this is a token that we let live for ever, since it can be revoked. */
  isEndless(id: string): boolean {
    return this.#entries.get(id)?.expiresAt === Number.POSITIVE_INFINITY
  }

  /** The API key of this hash. Says nothing about its standing. */
  findKey(hash: string): KeyOwner | undefined {
    return this.#keysByHash.get(hash)
  }

  keep(row: IssuedRow, workspaces: readonly string[]): void {
    const expiresAt = row.expires_at ?? Number.POSITIVE_INFINITY
    this.#entries.set(row.id, { expiresAt, isRevoked: row.revoked_at !== null, workspaces: this.#shared(workspaces) })
    if (row.key_hash === null) return
    const scopes = new Set(row.scopes.split(' ').filter((scope) => scope !== ''))
    this.#keysByHash.set(row.key_hash, { id: row.id, subject: row.subject, scopes, expiresAt })
  }

  revoke(id: string): void {
    this.#change(id, (entry) => ({ ...entry, isRevoked: true }))
  }

  associate(id: string, workspaceId: string): void {
    this.#change(id, (entry) => ({
      ...entry,
      workspaces: this.#shared([...new Set([...entry.workspaces, workspaceId])]),
    }))
  }

  dissociate(id: string, workspaceId: string): void {
    this.#change(id, (entry) => ({
      ...entry,
      workspaces: this.#shared(entry.workspaces.filter((workspace) => workspace !== workspaceId)),
    }))
  }

  /** Forgets what has ended. */
  sweep(now: number): void {
    for (const [id, { expiresAt }] of this.#entries) if (expiresAt <= now) this.#entries.delete(id)
    for (const [hash, { expiresAt }] of this.#keysByHash) if (expiresAt <= now) this.#keysByHash.delete(hash)
  }

  #change(id: string, change: (entry: Entry) => Entry): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) this.#entries.set(id, change(entry))
  }

  #shared(workspaces: readonly string[]): readonly string[] {
    const [first, second] = workspaces
    if (first === undefined) return NONE
    if (second !== undefined) return workspaces
    const known = this.#alone.get(first) ?? [first]
    this.#alone.set(first, known)
    return known
  }
}

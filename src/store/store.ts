import type { OauthItems } from './oauth-items.ts'
import type { RecordBatch } from './record-batch.ts'
import type {
  AccountRow,
  AuditChainRow,
  AuditRow,
  InvitationRow,
  IssuedRow,
  IssuedWorkspaceRow,
  MemberRow,
  PersonRow,
  RecordRow,
  SignInRow,
  SigningKeyRow,
  WorkspaceRow,
} from './schema.ts'

/**
 * Everything that outlives the process. What a promise of it acknowledges survives `kill -9` and a loss of power.
 *
 * Every call may throw a GatewayError: `unavailable` (the disk is full, the store is closed), `internal` (a bad value), or
 * what is said at the call. Every engine runs `store-contract.ts`.
 */
export interface Store extends ChangeTables {
  readonly records: RecordTable
  readonly issued: IssuedTable
  /** What the authorization server keeps. */
  readonly oauthItems: OauthItems
  /**
   * Runs the work in one transaction: all of its statements or, when it rejects, none. Only the tables that it is given may
   * be used in it: the store's own wait for its end, so it would wait for itself.
   */
  transaction<Result>(work: (tables: ChangeTables) => Promise<Result>): Promise<Result>
  /** Waits for what was begun, then lets go of the files. A second call does nothing. */
  close(): Promise<void>
}

/** What a change may touch together with the line of the audit that tells of it. */
export interface ChangeTables {
  readonly meta: MetaTable
  readonly accounts: AccountTable
  readonly people: PersonTable
  readonly members: MemberTable
  readonly signIns: SignInTable
  readonly invitations: InvitationTable
  readonly workspaces: WorkspaceTable
  readonly issued: IssuedChanges
  readonly signingKeys: SigningKeyTable
  readonly audit: AuditTable
}

/** What the store knows of itself: schema version, installation id, key check. */
export interface MetaTable {
  find(key: string): Promise<string | undefined>
  /** Keeps `value` when nothing is kept under `key` yet. Gives what is kept afterwards: the first value stands. */
  keepFirst(key: string, value: string): Promise<string>
}

export interface AccountTable {
  /** In the order in which they were made. There is always one. */
  list(): Promise<AccountRow[]>
  /** @throws GatewayError `conflict` when the id or the slug is taken. */
  insert(row: AccountRow): Promise<void>
  /** False: there is no such account. */
  rename(id: string, name: string): Promise<boolean>
  /**
   * Deletes it with its members, invitations and credentials. False: there was none.
   *
   * @throws GatewayError `conflict` while it has workspaces.
   */
  delete(id: string): Promise<boolean>
}

export interface PersonTable {
  find(id: string): Promise<PersonRow | undefined>
  findByEmail(email: string): Promise<PersonRow | undefined>
  isEmpty(): Promise<boolean>
  /** @throws GatewayError `conflict` when the id or the e-mail is taken. */
  insert(row: PersonRow): Promise<void>
  /** False: there is no such person. */
  setPassword(id: string, passwordHash: string): Promise<boolean>
  /** With memberships, sign-ins and invitations. False: there was none. */
  delete(id: string): Promise<boolean>
}

/** A member with what people see of each other. */
export interface MemberView extends MemberRow {
  readonly email: string
  readonly name: string
}

export interface MemberTable {
  ofPerson(personId: string): Promise<MemberRow[]>
  /** In the order in which they came. */
  ofAccount(accountId: string): Promise<MemberView[]>
  /** @throws GatewayError `conflict` for one who is a member. */
  insert(row: MemberRow): Promise<void>
  /** Puts role and `disabled_at` in place. False: there is no such member. */
  update(row: Pick<MemberRow, 'account_id' | 'person_id' | 'role' | 'disabled_at'>): Promise<boolean>
  /** False: there was no such member. */
  delete(row: Pick<MemberRow, 'account_id' | 'person_id'>): Promise<boolean>
}

export interface SignInTable {
  find(tokenHash: string): Promise<SignInRow | undefined>
  /** Ends the person's oldest, so that at most `keep` are left with this one. */
  insert(row: SignInRow, options: { readonly keep: number }): Promise<void>
  seen(tokenHash: string, at: number): Promise<void>
  delete(tokenHash: string): Promise<boolean>
  /** All of a person but the one with this hash. */
  deleteOf(personId: string, except?: string): Promise<void>
  /** Deletes what has ended by `endedBy` or was last seen at `idleSince` or earlier. Gives how many. */
  deleteEnded(options: { readonly endedBy: number; readonly idleSince: number }): Promise<number>
}

export interface InvitationTable {
  findByCode(codeHash: string): Promise<InvitationRow | undefined>
  /** In the order in which they were made. */
  ofAccount(accountId: string): Promise<InvitationRow[]>
  insert(row: InvitationRow): Promise<void>
  /** False: there was no such invitation. */
  delete(row: Pick<InvitationRow, 'account_id' | 'id'>): Promise<boolean>
  /** Those to this address of this account. */
  deleteTo(row: Pick<InvitationRow, 'account_id' | 'email'>): Promise<void>
  deleteEnded(options: { readonly endedBy: number }): Promise<number>
}

export interface SigningKeyTable {
  /** In the order in which they were made. */
  list(): Promise<SigningKeyRow[]>
  /** Keeps a key that signs from now on, and retires the others at `retiredAt`: their private halves are deleted. */
  replace(key: SigningKeyRow, retiredAt: number): Promise<void>
  delete(kid: string): Promise<void>
}

/** Credentials that this gateway has issued, and the workspaces that they open. */
export interface IssuedTable extends IssuedChanges {
  /** All of them, a page at a time: the next `limit` whose id comes after `after`. */
  page(options: { readonly after: string; readonly limit: number }): Promise<IssuedRow[]>
  /** What these credentials open. */
  workspacesOf(ids: readonly string[]): Promise<IssuedWorkspaceRow[]>
  /** Newest first. */
  list(filter: IssuedFilter): Promise<IssuedRow[]>
  find(id: string): Promise<IssuedRow | undefined>
  /** All or none of them. A time before the one that is kept changes nothing. */
  use(uses: readonly IssuedUse[]): Promise<void>
  /** Until when tokens need each signing key, by its `kid`: the latest end of those that are not revoked; null is never. */
  needsOfKeys(): Promise<{ readonly kid: string; readonly until: number | null }[]>
  /** Deletes session tokens whose end is `endedBy` or earlier. Gives how many. */
  deleteSessions(options: { readonly endedBy: number }): Promise<number>
}

/** What changes an issued credential, and is told of in the audit. */
export interface IssuedChanges {
  /** Both or nothing. @throws GatewayError `conflict` when the id is taken. */
  insert(row: IssuedRow, workspaces: readonly Omit<IssuedWorkspaceRow, 'issued_id'>[]): Promise<void>
  /** Lets a credential open a workspace; as its default it takes the place of the one before. */
  associate(row: IssuedWorkspaceRow): Promise<void>
  /** False: it did not open it. */
  dissociate(row: Pick<IssuedWorkspaceRow, 'issued_id' | 'workspace_id'>): Promise<boolean>
  /** The first revocation stands. False: there is no such credential. */
  revoke(id: string, revokedAt: number): Promise<boolean>
}

/** Every field that is set must match. */
export interface IssuedFilter {
  readonly accountId: string
  readonly kind: IssuedRow['kind']
  readonly workspaceId?: string | undefined
  readonly limit: number
}

/** That a credential was used, milliseconds since the epoch. */
export interface IssuedUse {
  readonly id: string
  readonly at: number
}

export interface WorkspaceTable {
  /** In the order in which they were made. */
  list(): Promise<WorkspaceRow[]>
  /** @throws GatewayError `conflict` when the id, or the slug in its account, is taken. */
  insert(row: WorkspaceRow): Promise<void>
  /** Replaces everything but id, account, slug and creation time. False: there is no such row. */
  update(row: WorkspaceRow): Promise<boolean>
  /** False: there was no such row. */
  delete(id: string): Promise<boolean>
}

export interface RecordTable {
  /**
   * All or none of them, in this order. The batch must not change before the promise is settled. `unhurried`: the store may take
   * three times as long for it, and leave the processor to the calls meanwhile.
   */
  append(records: RecordBatch, options?: { readonly unhurried?: boolean }): Promise<void>
  /** The newest that fit the filter, or with `after` the oldest; always in the order of `seq`. */
  read(filter: RecordFilter): Promise<RecordRow[]>
  /** Deletes the oldest, so that at most `keep` are left. Gives the number of deleted rows. */
  trim(options: { readonly keep: number }): Promise<number>
  /**
   * Deletes the oldest lines that began before `before` (milliseconds since the epoch), up to the first that did not.
   * Gives the number of deleted rows, at most `limit`.
   */
  expire(options: { readonly before: number; readonly limit: number }): Promise<number>
}

/** The lines of the audit as they are: `records/audit-chain.ts` knows how they hang together. */
export interface AuditTable {
  /** Where the chain begins and ends; undefined when there is none yet. In a transaction nobody else can change it. */
  chain(): Promise<AuditChainRow | undefined>
  keepChain(chain: AuditChainRow): Promise<void>
  /** The highest place of any line, 0 when there is none. */
  lastSeq(): Promise<number>
  /** @throws GatewayError `conflict` when a place is taken. */
  append(rows: readonly AuditRow[]): Promise<void>
  /** The newest that fit the filter, or with `after` the oldest; always in the order of `seq`. */
  read(filter: AuditFilter): Promise<AuditRow[]>
  /** Deletes the lines up to this place. Gives their number. */
  deleteThrough(seq: number): Promise<number>
}

/** Every field that is set must match. `before` and `after` are places, exclusive; `since` is a time, inclusive. */
export interface AuditFilter {
  readonly accountId?: string | undefined
  readonly action?: string | undefined
  readonly outcome?: AuditRow['outcome'] | undefined
  readonly actor?: string | undefined
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  readonly targetId?: string | undefined
  readonly requestId?: string | undefined
  readonly since?: number | undefined
  readonly before?: number | undefined
  readonly after?: number | undefined
  readonly limit: number
}

/** Every field that is set must match. `before` and `after` are exclusive. */
export interface RecordFilter {
  readonly accountId?: string | undefined
  readonly workspaceId?: string | undefined
  readonly kind?: RecordRow['kind'] | undefined
  readonly outcome?: RecordRow['outcome'] | undefined
  readonly tool?: string | undefined
  readonly requestId?: string | undefined
  readonly before?: number | undefined
  readonly after?: number | undefined
  readonly limit: number
}

import type { Generated, Selectable } from 'kysely'
import type { Reach } from '../egress/egress.ts'
import type { ErrorCode } from '../errors.ts'

/** The tables as Kysely sees them; `migrations.ts` makes them, `docs/storage.md` says what each column holds. */
export interface Tables {
  meta: MetaRow
  accounts: AccountRow
  people: PersonRow
  members: MemberRow
  sign_ins: SignInRow
  invitations: InvitationRow
  workspaces: WorkspaceRow
  records: RecordsTable
  signing_keys: SigningKeyRow
  issued: IssuedRow
  issued_workspaces: IssuedWorkspaceRow
  audit: AuditRow
  audit_chain: AuditChainTable
  oauth_items: OauthItemTable
}

/** What the store knows of itself. */
export interface MetaRow {
  readonly key: string
  readonly value: string
}

/** A tenant. */
export interface AccountRow {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly created_at: number
}

/** A human who signs in. */
export interface PersonRow {
  readonly id: string
  /** Trimmed and in lower case. */
  readonly email: string
  readonly name: string
  /** PHC text of argon2id. */
  readonly password_hash: string
  readonly created_at: number
}

/** That a person belongs to an account. */
export interface MemberRow {
  readonly account_id: string
  readonly person_id: string
  readonly role: 'owner' | 'admin' | 'developer' | 'viewer'
  readonly joined_at: number
  readonly disabled_at: number | null
}

/** That a person has signed in. Of the session's token only the hash is here. */
export interface SignInRow {
  readonly token_hash: string
  readonly person_id: string
  readonly created_at: number
  readonly last_seen_at: number
  readonly expires_at: number
}

/** A one-time code that makes its holder a member of an account or, with a person, sets that person's password anew. */
export interface InvitationRow {
  readonly id: string
  readonly account_id: string
  readonly person_id: string | null
  readonly email: string
  readonly role: MemberRow['role']
  readonly code_hash: string
  readonly created_at: number
  readonly expires_at: number
}

/** A key that tokens are signed with. A retired one signs no more, so its private half is gone. */
export interface SigningKeyRow {
  readonly kid: string
  /** JSON text. */
  readonly public_jwk: string
  readonly sealed_private_jwk: string | null
  readonly created_at: number
  readonly retired_at: number | null
}

/** A token, session token or API key that was issued. Its value is not here: of a key only the hash. */
export interface IssuedRow {
  readonly id: string
  readonly account_id: string
  readonly kind: 'token' | 'session' | 'key'
  readonly description: string
  readonly subject: string
  /** Separated by spaces. */
  readonly scopes: string
  readonly preview: string
  readonly key_hash: string | null
  readonly signing_kid: string | null
  readonly created_at: number
  readonly expires_at: number | null
  readonly last_used_at: number | null
  readonly revoked_at: number | null
}

/** That an issued credential opens a workspace. */
export interface IssuedWorkspaceRow {
  readonly issued_id: string
  readonly workspace_id: string
  readonly is_default: 0 | 1
}

/** One workspace as it is kept. Columns that start with `sealed_` hold what `crypto/seal.ts` made for this very row. */
export interface WorkspaceRow {
  readonly id: string
  readonly account_id: string
  readonly slug: string
  readonly name: string
  readonly kept_by: 'file' | 'api'
  readonly reach: Reach
  readonly sealed_settings: string
  /** JSON text. */
  readonly tools: string
  readonly sealed_document_url: string | null
  readonly document_text: string | null
  readonly document_imported_at: number | null
  readonly created_at: number
  readonly updated_at: number
}

/** One line of the log: a column for every field of `RecordLine`, and its place in the order of ending. */
export interface RecordsTable {
  readonly seq: Generated<number>
  readonly request_id: string
  readonly kind: 'request' | 'login' | 'refresh'
  readonly at: number
  readonly duration_ms: number
  readonly outcome: 'ok' | 'tool_error' | 'denied' | 'failed'
  readonly code: ErrorCode | null
  readonly detail: string | null
  readonly workspace_id: string | null
  readonly workspace: string | null
  readonly method: string | null
  readonly tool: string | null
  readonly arguments: string | null
  readonly issuer: string | null
  readonly subject: string | null
  readonly client: string | null
  readonly session: string | null
  readonly protocol_version: string | null
  readonly client_address: string | null
  readonly status: number | null
  readonly upstream_status: number | null
  readonly upstream_ms: number | null
  /** The workspace's, looked up when the line is written. */
  readonly account_id: string | null
}

/** A record as it is read back. */
export type RecordRow = Selectable<RecordsTable>
/** A record that has no place in the order yet. Every column has to be given: a missing one would be NULL in silence. */
export type NewRecordRow = Omit<RecordRow, 'seq' | 'account_id'>

/** One line of the audit. `hash` covers every other column, `previous_hash` among them. */
export interface AuditRow {
  /** Without gaps, given by the chain. */
  readonly seq: number
  readonly at: number
  readonly action: string
  readonly outcome: 'ok' | 'denied' | 'failed'
  readonly actor: string
  readonly issuer: string | null
  readonly subject: string | null
  readonly target_kind: string | null
  readonly target_id: string | null
  readonly target: string | null
  /** JSON text. */
  readonly detail: string
  readonly reason: string | null
  readonly client_address: string | null
  readonly request_id: string | null
  readonly count: number
  readonly previous_hash: string
  readonly hash: string
  /** Null: the line is the installation's, for its operator only. */
  readonly account_id: string | null
  /** A person's e-mail at that time. */
  readonly actor_name: string | null
}

/** Where the audit begins (after the last line that retention has deleted) and where it ends. */
export interface AuditChainRow {
  readonly anchor_seq: number
  readonly anchor_hash: string
  readonly head_seq: number
  readonly head_hash: string
  /** HMAC over the other columns. */
  readonly proof: string
}

/** The only row has the id 1. */
export interface AuditChainTable extends AuditChainRow {
  readonly id: number
}

/** What the authorization server keeps. Every name is a hash; `docs/storage.md` says of what. */
export interface OauthItemTable {
  readonly seq: Generated<number>
  readonly kind: string
  readonly id: string
  readonly sealed: string
  readonly uid: string | null
  readonly user_code: string | null
  readonly grant_id: string | null
  readonly owner: string | null
  readonly client: string | null
  readonly consumed_at: number | null
  readonly ends_at: number | null
  readonly kept_at: number
}

/** An item as it is read back. */
export type OauthItemRow = Selectable<OauthItemTable>

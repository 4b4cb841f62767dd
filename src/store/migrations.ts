import { type Kysely, sql } from 'kysely'
import { GatewayError } from '../errors.ts'
import type { Tables } from './schema.ts'

/** One step forward. Steps are never changed once they are released, and there is no way back but a backup. */
interface Migration {
  readonly version: number
  readonly statements: readonly string[]
}

// Comparisons, not `in (…)`: SQLite builds a table of such a list for every row, which took half the time of an insert.
const IS_RECORD_KIND = `kind = 'request' or kind = 'login' or kind = 'refresh'`
const IS_OUTCOME = `outcome = 'ok' or outcome = 'tool_error' or outcome = 'denied' or outcome = 'failed'`
const IS_ROLE = `role = 'owner' or role = 'admin' or role = 'developer' or role = 'viewer'`

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `create table meta (key text primary key not null, value text not null) strict`,
      `create table workspaces (
        id text primary key not null,
        slug text not null unique,
        name text not null,
        kept_by text not null check (kept_by in ('file', 'api')),
        reach text not null check (reach in ('operator', 'person')),
        sealed_settings text not null,
        tools text not null,
        sealed_document_url text,
        document_text text,
        document_imported_at integer,
        created_at integer not null,
        updated_at integer not null
      ) strict`,
      `create table records (
        seq integer primary key autoincrement,
        request_id text not null,
        kind text not null check (${IS_RECORD_KIND}),
        at integer not null,
        duration_ms real not null,
        outcome text not null check (${IS_OUTCOME}),
        code text,
        detail text,
        workspace_id text,
        workspace text,
        method text,
        tool text,
        arguments text,
        issuer text,
        subject text,
        client text,
        session text,
        protocol_version text,
        client_address text,
        status integer,
        upstream_status integer,
        upstream_ms real
      ) strict`,
      `create index records_workspace on records (workspace_id, seq)`,
    ],
  },
  {
    version: 3,
    statements: [
      // The places are given by the chain, not by SQLite: a missing one is a missing line.
      `create table audit (
        seq integer primary key not null,
        at integer not null,
        action text not null,
        outcome text not null check (outcome = 'ok' or outcome = 'denied' or outcome = 'failed'),
        actor text not null,
        issuer text,
        subject text,
        target_kind text,
        target_id text,
        target text,
        detail text not null,
        reason text,
        client_address text,
        request_id text,
        count integer not null,
        previous_hash text not null,
        hash text not null
      ) strict`,
      `create table audit_chain (
        id integer primary key not null check (id = 1),
        anchor_seq integer not null,
        anchor_hash text not null,
        head_seq integer not null,
        head_hash text not null,
        proof text not null
      ) strict`,
    ],
  },
  {
    version: 4,
    statements: [
      `create table accounts (
        id text primary key not null,
        slug text not null unique,
        name text not null,
        created_at integer not null
      ) strict`,
      // The one account that a store has until somebody makes more. Its id names it in tokens and is no secret.
      `insert into accounts (id, slug, name, created_at)
        values (lower(hex(randomblob(8))), 'default', 'Default', unixepoch() * 1000)`,
      // SQLite adds no column that is both a reference and not null, so the reference is kept by who writes it.
      `alter table workspaces add column account_id text not null default ''`,
      `update workspaces set account_id = (select id from accounts)`,
      `create table signing_keys (
        kid text primary key not null,
        public_jwk text not null,
        sealed_private_jwk text,
        created_at integer not null,
        retired_at integer,
        check ((retired_at is null) = (sealed_private_jwk is not null))
      ) strict`,
      `create table issued (
        id text primary key not null,
        account_id text not null references accounts (id),
        kind text not null check (kind in ('token', 'session', 'key')),
        description text not null,
        subject text not null,
        scopes text not null,
        preview text not null,
        key_hash text unique,
        signing_kid text,
        created_at integer not null,
        expires_at integer,
        last_used_at integer,
        revoked_at integer,
        check ((kind = 'key') = (key_hash is not null)),
        check ((kind = 'key') = (signing_kid is null))
      ) strict`,
      `create index issued_ended on issued (kind, expires_at)`,
      `create table issued_workspaces (
        issued_id text not null references issued (id) on delete cascade,
        workspace_id text not null references workspaces (id) on delete cascade,
        is_default integer not null check (is_default in (0, 1)),
        primary key (issued_id, workspace_id)
      ) strict, without rowid`,
      `create index issued_workspaces_workspace on issued_workspaces (workspace_id)`,
      `create unique index issued_workspaces_default on issued_workspaces (workspace_id) where is_default = 1`,
    ],
  },
  {
    version: 5,
    statements: [
      `create table people (
        id text primary key not null,
        email text not null unique,
        name text not null,
        password_hash text not null,
        created_at integer not null
      ) strict`,
      `create table members (
        account_id text not null references accounts (id),
        person_id text not null references people (id) on delete cascade,
        role text not null check (${IS_ROLE}),
        joined_at integer not null,
        disabled_at integer,
        primary key (account_id, person_id)
      ) strict, without rowid`,
      `create index members_person on members (person_id)`,
      `create table sign_ins (
        token_hash text primary key not null,
        person_id text not null references people (id) on delete cascade,
        created_at integer not null,
        last_seen_at integer not null,
        expires_at integer not null
      ) strict, without rowid`,
      `create index sign_ins_person on sign_ins (person_id, created_at)`,
      `create table invitations (
        id text primary key not null,
        account_id text not null references accounts (id) on delete cascade,
        person_id text references people (id) on delete cascade,
        email text not null,
        role text not null check (${IS_ROLE}),
        code_hash text not null unique,
        created_at integer not null,
        expires_at integer not null
      ) strict`,
      `create index invitations_account on invitations (account_id, created_at)`,
      `create index issued_account on issued (account_id, kind, created_at)`,
      // Until now there was one account, so what has a workspace is that one's.
      `alter table records add column account_id text`,
      `update records set account_id = (select id from accounts) where workspace_id is not null`,
      `create index records_account on records (account_id, seq)`,
      // No line is changed: the chain would break. What stands there already is the installation's.
      `alter table audit add column account_id text`,
      `alter table audit add column actor_name text`,
      `create index audit_account on audit (account_id, seq)`,
      // A slug is taken within its account only, or one account could feel for the slugs of another. SQLite drops no such
      // constraint, so the table is made again; what refers to it is kept aside, as a drop would delete it too.
      `create table kept_openings as select * from issued_workspaces`,
      `drop table issued_workspaces`,
      `alter table workspaces rename to workspaces_before`,
      `create table workspaces (
        id text primary key not null,
        account_id text not null,
        slug text not null,
        name text not null,
        kept_by text not null check (kept_by in ('file', 'api')),
        reach text not null check (reach in ('operator', 'person')),
        sealed_settings text not null,
        tools text not null,
        sealed_document_url text,
        document_text text,
        document_imported_at integer,
        created_at integer not null,
        updated_at integer not null,
        unique (account_id, slug)
      ) strict`,
      `insert into workspaces select id, account_id, slug, name, kept_by, reach, sealed_settings, tools,
        sealed_document_url, document_text, document_imported_at, created_at, updated_at from workspaces_before`,
      `drop table workspaces_before`,
      `create table issued_workspaces (
        issued_id text not null references issued (id) on delete cascade,
        workspace_id text not null references workspaces (id) on delete cascade,
        is_default integer not null check (is_default in (0, 1)),
        primary key (issued_id, workspace_id)
      ) strict, without rowid`,
      `insert into issued_workspaces select issued_id, workspace_id, is_default from kept_openings`,
      `drop table kept_openings`,
      `create index issued_workspaces_workspace on issued_workspaces (workspace_id)`,
      `create unique index issued_workspaces_default on issued_workspaces (workspace_id) where is_default = 1`,
    ],
  },
  {
    version: 6,
    statements: [
      `create table oauth_items (
        seq integer primary key,
        kind text not null,
        id text not null,
        sealed text not null,
        uid text,
        user_code text,
        grant_id text,
        owner text,
        client text,
        consumed_at integer,
        ends_at integer,
        kept_at integer not null,
        unique (kind, id)
      ) strict`,
      `create index oauth_items_uid on oauth_items (uid) where uid is not null`,
      `create index oauth_items_user_code on oauth_items (user_code) where user_code is not null`,
      `create index oauth_items_grant on oauth_items (grant_id) where grant_id is not null`,
      `create index oauth_items_owner on oauth_items (owner) where owner is not null`,
      `create index oauth_items_client on oauth_items (client) where client is not null`,
      `create index oauth_items_end on oauth_items (ends_at) where ends_at is not null`,
    ],
  },
]

/** What brings an empty database to this version. For tests of what comes after. */
export function statementsUpTo(version: number): readonly string[] {
  return MIGRATIONS.filter((migration) => migration.version <= version).flatMap(({ statements }) => statements)
}

/** The schema that this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.reduce((newest, { version }) => Math.max(newest, version), 0)

/**
 * Brings the schema up to `SCHEMA_VERSION`, all steps in one transaction.
 *
 * @throws GatewayError `config_invalid` when the schema is newer than this program; nothing is changed then.
 */
export async function migrate(database: Kysely<Tables>): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const current = await schemaVersion(transaction)
    if (current > SCHEMA_VERSION) {
      throw new GatewayError(
        'config_invalid',
        `The data folder was written by a newer Gatehouse (schema ${current}; this one knows ${SCHEMA_VERSION}). Install that version, or restore the backup from before the upgrade.`,
      )
    }
    for (const { version, statements } of MIGRATIONS) {
      if (version <= current) continue
      for (const statement of statements) await sql.raw(statement).execute(transaction)
      await transaction
        .insertInto('meta')
        .values({ key: 'schema_version', value: String(version) })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: String(version) }))
        .execute()
    }
  })
}

async function schemaVersion(database: Kysely<Tables>): Promise<number> {
  const tables = await database.introspection.getTables()
  if (!tables.some((table) => table.name === 'meta')) return 0
  const row = await database.selectFrom('meta').select('value').where('key', '=', 'schema_version').executeTakeFirst()
  const version = Number(row?.value)
  if (Number.isInteger(version) && version > 0) return version
  throw new GatewayError('config_invalid', 'The store does not say which schema it has. Restore a backup.')
}

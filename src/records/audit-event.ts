/** What the audit tells of: a closed list. */
export const AUDIT_ACTIONS = [
  'audit.started',
  'audit.pruned',
  'workspace.created',
  'workspace.changed',
  'workspace.imported',
  'workspace.deleted',
  'tools.switched',
  'token.created',
  'token.revoked',
  'key.created',
  'key.revoked',
  'token.associated',
  'token.dissociated',
  'key.associated',
  'key.dissociated',
  'signing_key.rotated',
  'account.created',
  'account.renamed',
  'account.deleted',
  'person.created',
  'person.invited',
  'person.joined',
  'person.changed',
  'person.removed',
  'person.signed_in',
  'person.signed_out',
  'invitation.withdrawn',
  'password.changed',
  'password.reset_issued',
  'app.connected',
  'app.disconnected',
  'access.denied',
] as const

export type AuditAction = (typeof AUDIT_ACTIONS)[number]

export const AUDIT_OUTCOMES = ['ok', 'denied', 'failed'] as const

/**
 * `admin_key`: whoever holds it, over `/api` or the CLI. `person`: one who has signed in. `caller`: a verified credential, with
 * issuer and subject. `config_file`:
 * what `gatehouse.yaml` says at a start. `system`: the gateway by itself. `anonymous`: nobody knows.
 */
export type Actor = 'admin_key' | 'person' | 'caller' | 'config_file' | 'system' | 'anonymous'

export const AUDIT_ACTORS = [
  'admin_key',
  'person',
  'caller',
  'config_file',
  'system',
  'anonymous',
] as const satisfies readonly Actor[]

/** Who did it, and in which request. */
export interface Origin {
  readonly actor: Actor
  /** The issuer that vouched for a `caller`. */
  readonly issuer?: string | undefined
  /** Of a `person` the id. */
  readonly subject?: string | undefined
  /** The e-mail of a `person`. */
  readonly name?: string | undefined
  readonly clientAddress?: string | undefined
  readonly requestId?: string | undefined
}

export const bySystem: Origin = { actor: 'system' }
export const byConfigFile: Origin = { actor: 'config_file' }

/** What it was done to. */
export interface AuditTarget {
  readonly kind:
    | 'workspace'
    | 'token'
    | 'key'
    | 'tool'
    | 'api'
    | 'gateway'
    | 'account'
    | 'person'
    | 'invitation'
    | 'app'
  readonly id?: string | undefined
  /** As people call it. */
  readonly label?: string | undefined
}

/** One setting that is another one than before. Of a secret only that it changed. */
export type SettingChange =
  | { readonly setting: string; readonly isChanged: true }
  | { readonly setting: string; readonly from: SettingValue; readonly to: SettingValue }
  | { readonly setting: string; readonly added: readonly string[]; readonly removed: readonly string[] }

/** Null: it was not, or is no longer, set. */
export type SettingValue = string | number | boolean | null

/** One thing that happened, before it has its place in the chain. No field may hold a secret. */
export interface AuditEvent {
  readonly action: AuditAction
  readonly by: Origin
  /** The account whose people may read it. Default: it is the installation's, for the operator only. */
  readonly accountId?: string | undefined
  readonly target?: AuditTarget | undefined
  readonly changes?: readonly SettingChange[] | undefined
  /** Default: `ok`. */
  readonly outcome?: 'ok' | 'denied' | 'failed' | undefined
  /** Why it was denied or failed: the code of `errors.ts` and the operator's detail. */
  readonly reason?: string | undefined
  /** Denials that are alike are one event. Default: 1. */
  readonly count?: number | undefined
}

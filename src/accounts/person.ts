import type { MemberRow, PersonRow } from '../store/schema.ts'

/** What a person may do in one account; `permissions.ts` says what each is worth. */
export type Role = MemberRow['role']

/** From the one that may most to the one that may least. */
export const ROLES = ['owner', 'admin', 'developer', 'viewer'] as const satisfies readonly Role[]

/** A person may be a member of several accounts, with a role in each. */
export interface Person {
  readonly id: string
  /** Trimmed and in lower case. */
  readonly email: string
  readonly name: string
  /** No account lets this person in any more. */
  readonly isDisabled: boolean
  /** Account id to role. A membership that an account has disabled is not here. */
  readonly roles: ReadonlyMap<string, Role>
}

export function personOf({ id, email, name }: PersonRow, members: readonly MemberRow[]): Person {
  const active = members.filter(({ disabled_at }) => disabled_at === null)
  const roles = new Map(active.map(({ account_id, role }) => [account_id, role]))
  return { id, email, name, isDisabled: roles.size === 0, roles }
}

/** The form in which e-mail addresses are compared and kept. */
export function normalEmail(email: string): string {
  return email.normalize('NFC').trim().toLowerCase()
}

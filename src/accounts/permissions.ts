import { GatewayError } from '../errors.ts'
import { ROLES, type Role } from './person.ts'

/**
 * What a role can be worth in its account. `read`: see workspaces, tools, logs, credentials without their values, people.
 * `workspaces`: make, change and delete workspaces, import, switch tools, ask the doctor. `credentials`: issue and revoke.
 * `doors`: who gets in and how often (`auth`, `access`, `rateLimiting`), and where saved secrets go. `people`: invite, change and remove all but owners.
 * `audit`: read it. `owners`: the same for owners. `account`: rename and delete the account.
 */
export type Permission = 'read' | 'workspaces' | 'credentials' | 'doors' | 'people' | 'audit' | 'owners' | 'account'

const VIEWER: readonly Permission[] = ['read']
const DEVELOPER: readonly Permission[] = [...VIEWER, 'workspaces', 'credentials']
const ADMIN: readonly Permission[] = [...DEVELOPER, 'doors', 'people', 'audit']
const OWNER: readonly Permission[] = [...ADMIN, 'owners', 'account']

/** Which role may do what in `/api`: the only such table. Who holds the admin key may do everything in every account. */
const PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  owner: OWNER,
  admin: ADMIN,
  developer: DEVELOPER,
  viewer: VIEWER,
}

/** Somebody who acts in an account: a member by role, or whoever holds the admin key. */
export type Standing = Role | 'operator'

export function may(standing: Standing, permission: Permission): boolean {
  return standing === 'operator' || PERMISSIONS[standing].includes(permission)
}

/** @throws GatewayError `forbidden`, saying which role it takes. */
export function requirePermission(standing: Standing, permission: Permission): void {
  if (may(standing, permission)) return
  // The last that may: who needs something asks for no more than that.
  const least = ROLES.findLast((role) => may(role, permission)) ?? 'owner'
  throw new GatewayError('forbidden', `This needs the role ${least} in this account; yours is ${standing}.`)
}

import type { AccessSettings } from '../workspaces/access-settings.ts'

/** What every access token is for: to use the workspace. Tools may want more. */
export const BASE_SCOPE = 'mcp'

/** Scopes about the person, known to every workspace (OpenID Connect Core §5.4). */
export const PERSON_SCOPES = ['openid', 'profile', 'email', 'offline_access'] as const

/** The scopes that a workspace's tools and rules speak of. */
export interface WorkspaceScopes {
  /** Anybody who may sign in to the workspace may give these to a client. */
  readonly ordinary: readonly string[]
  /** Only administrators may (FEATURES C14). */
  readonly forAdmins: readonly string[]
}

/** `'refunds' in caller.scopes`: how a rule asks for a scope. */
const IN_RULE = /(['"])([\x21\x23-\x5b\x5d-\x7e]+)\1\s+in\s+caller\.scopes/g

/** Reads them from the settings. A scope that makes an administrator is never among the ordinary ones. */
export function scopesOfWorkspace(access: AccessSettings, adminScopes: readonly string[]): WorkspaceScopes {
  const named = Object.values(access.toolScopes).flatMap(({ allOf, anyOf }) => [...allOf, ...anyOf])
  const inRules = access.rules.flatMap(({ when }) => [...when.matchAll(IN_RULE)].map((match) => match[2] ?? ''))
  const admin = new Set([access.adminScope, ...adminScopes])
  const ordinary = [BASE_SCOPE, ...named, ...inRules].filter((scope) => isScope(scope) && !admin.has(scope))
  return { ordinary: [...new Set(ordinary)], forAdmins: [...admin].filter(isScope) }
}

/** RFC 6749 §3.3: what cannot be asked for cannot be given. */
function isScope(scope: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)
}

/** What a scope lets a client do, for the person who is asked. */
export function scopeInWords(scope: string, workspace: string): string {
  switch (scope) {
    case BASE_SCOPE:
      return `Use the tools of ${workspace} as you`
    case 'openid':
      return 'Know who you are'
    case 'profile':
      return 'Read your name'
    case 'email':
      return 'Read your e-mail address'
    case 'offline_access':
      return 'Stay connected until you or the app end it'
    default:
      return `Use what needs the permission “${scope}”`
  }
}

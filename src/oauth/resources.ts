import type { WorkspaceScopes } from './workspace-scopes.ts'

/** A workspace as the authorization server knows it. */
export interface OAuthResource extends WorkspaceScopes {
  /** The audience of its tokens: its URL without alias (PRODUCT.md, 6). */
  readonly url: string
  readonly name: string
  /** Whose members may always sign in. */
  readonly accountId: string
}

/** The workspaces that take our access tokens, as clients of one issuer know them. */
export interface OAuthResources {
  /** The one behind a path below the public URL, alias or not. */
  find(path: string): OAuthResource | undefined
  /** The only one; undefined when there are none or several. */
  only(): OAuthResource | undefined
}

/**
 * The workspace that a `resource` names (RFC 8707 §2): the URL that the client was given, alias or not. Without one it is the
 * only workspace there is, for clients from before RFC 8707.
 */
export function findResource(
  resource: string | undefined,
  { resources, publicUrl }: { readonly resources: OAuthResources; readonly publicUrl: string },
): OAuthResource | undefined {
  if (resource === undefined) return resources.only()
  const asked = URL.parse(resource)
  const own = new URL(publicUrl)
  // By origin and path: clients write the host in capitals, and some add a slash (RFC 3986 §6.2.2).
  if (asked === null || asked.origin !== own.origin || asked.search !== '' || asked.hash !== '') return undefined
  if (asked.username !== '' || asked.password !== '') return undefined
  const base = own.pathname === '/' ? '' : own.pathname
  if (!asked.pathname.startsWith(base)) return undefined
  const path = asked.pathname.slice(base.length)
  // The bare origin is what some clients make of a URL: it can only mean the only one.
  return path === '' || path === '/' ? resources.only() : resources.find(path)
}

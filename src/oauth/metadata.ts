import type { OAuthResources } from './resources.ts'
import { PERSON_SCOPES } from './workspace-scopes.ts'

/** Where metadata of an authorization server is looked for (RFC 8414 §3, OpenID Connect Discovery §4). */
const SERVER_DOCUMENTS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const

const WELL_KNOWN = '/.well-known/'
/** Where some clients look, and are sent on. */
const FOREIGN_PREFIX = '/oidc/.well-known/'

export type MetadataPath = { readonly kind: 'document' } | { readonly kind: 'moved'; readonly to: string }

/**
 * What stands at this path. Besides the plain one, clients ask with the workspace's path put in (RFC 8414 §3.1) or put before
 * (as OpenID Connect has it), since to those of 2025-03-26 the workspace is the authorization server. Undefined: nothing.
 */
export function metadataAt(path: string, resources: OAuthResources): MetadataPath | undefined {
  if (!path.includes(WELL_KNOWN)) return undefined
  if (path.startsWith(FOREIGN_PREFIX)) {
    const to = path.slice('/oidc'.length)
    return SERVER_DOCUMENTS.some((document) => document === to) ? { kind: 'moved', to } : undefined
  }
  for (const document of SERVER_DOCUMENTS) {
    if (path === document) return { kind: 'document' }
    const of = path.startsWith(`${document}/`)
      ? path.slice(document.length)
      : path.endsWith(document)
        ? path.slice(0, -document.length)
        : undefined
    if (of !== undefined && resources.find(of) !== undefined) return { kind: 'document' }
  }
  return undefined
}

/**
 * The document as we publish it: the library's, with what only we know. Scopes of tools are not in it: they would tell strangers
 * of every workspace; each says its own (RFC 9728 §2, `scopes_supported`). That of every workspace is not in it either: clients of
 * 2025-03-26 know this list only and ask for all of it, and whoever asks for one scope of a workspace gets no other.
 */
export function publishedMetadata(libraryDocument: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...libraryDocument, scopes_supported: [...PERSON_SCOPES] }
}

import type { AccessSettings } from '../workspaces/access-settings.ts'
import type { InboundAuthSettings, SchemeCredentialSettings, UpstreamAuthSettings } from '../workspaces/settings.ts'
import { type Workspace, workspacePath } from '../workspaces/workspace.ts'

/** Stands where a secret is kept: no answer ever holds the value itself. */
const SAVED = { saved: true } as const

/** A workspace as `/api` and the CLI show it. */
export interface WorkspaceView {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly url: string
  readonly keptBy: Workspace['keptBy']
  /** Null: the gateway's own setting counts. */
  readonly auth: unknown
  readonly access: AccessSettings
  /** Null: the gateway's own setting counts. */
  readonly rateLimiting: Workspace['rateLimiting'] | null
  readonly upstream: unknown
  readonly params: Readonly<Record<string, typeof SAVED>>
  readonly tools: Workspace['tools']
  readonly document: { readonly url: string | null; readonly bytes: number; readonly importedAt: string } | null
  readonly createdAt: string
  readonly updatedAt: string
}

/** The workspace without its secrets. `publicUrl` has no trailing slash. */
export function viewWorkspace(workspace: Workspace, publicUrl: string): WorkspaceView {
  const { document, upstream } = workspace
  return {
    id: workspace.id,
    slug: workspace.slug,
    name: workspace.name,
    url: publicUrl + workspacePath(workspace),
    keptBy: workspace.keptBy,
    auth: workspace.inbound === undefined ? null : viewInbound(workspace.inbound),
    access: workspace.access,
    rateLimiting: workspace.rateLimiting ?? null,
    upstream: {
      ...upstream,
      ...(upstream.baseUrl === undefined ? {} : { baseUrl: withoutSecrets(upstream.baseUrl) }),
      auth: viewUpstreamAuth(upstream.auth),
      security: Object.fromEntries(
        Object.entries(upstream.security).map(([name, credential]) => [name, viewSchemeCredential(credential)]),
      ),
      headers: masked(upstream.headers),
    },
    params: masked(workspace.params),
    tools: workspace.tools,
    document:
      document === undefined
        ? null
        : {
            url: document.url === undefined ? null : withoutSecrets(document.url),
            bytes: Buffer.byteLength(document.text),
            importedAt: new Date(document.importedAt).toISOString(),
          },
    createdAt: new Date(workspace.createdAt).toISOString(),
    updatedAt: new Date(workspace.updatedAt).toISOString(),
  }
}

function viewInbound(inbound: InboundAuthSettings): unknown {
  const jwt = inbound.jwt.map(({ secret, jwksUrl, ...rest }) => ({
    ...rest,
    ...(secret === undefined ? {} : { secret: SAVED }),
    ...(jwksUrl === undefined ? {} : { jwksUrl: withoutSecrets(jwksUrl) }),
  }))
  const { userinfo } = inbound
  if (userinfo === undefined) return { ...inbound, jwt }
  return { ...inbound, userinfo: { ...userinfo, userinfoUrl: withoutSecrets(userinfo.userinfoUrl) }, jwt }
}

function viewUpstreamAuth(auth: UpstreamAuthSettings): unknown {
  switch (auth.type) {
    case 'none':
      return auth
    case 'bearer': {
      // A login body may hold a password in plain text instead of a param: only its names are shown.
      const { body, refreshBody, headers, ...login } = auth.login
      return {
        type: auth.type,
        token: auth.token === '' ? null : SAVED,
        login: { ...login, headers: masked(headers), body: named(body), refreshBody: named(refreshBody) },
      }
    }
    case 'apiKey': {
      const { header, query, cookie } = auth
      const place = query === undefined && cookie === undefined ? { header: header ?? 'X-Api-Key' } : { query, cookie }
      return { type: auth.type, ...place, value: SAVED }
    }
    case 'basic':
      return { type: auth.type, username: SAVED, password: SAVED }
  }
}

function viewSchemeCredential(credential: SchemeCredentialSettings): unknown {
  const { type } = credential
  switch (type) {
    case 'none':
      return { type }
    case 'bearer':
      return { type, token: SAVED }
    case 'apiKey': {
      const { header, query, cookie } = credential
      return { type, header, query, cookie, value: SAVED }
    }
    case 'basic':
      return { type, username: SAVED, password: SAVED }
  }
}

function named(body: Readonly<Record<string, unknown>> | undefined): unknown {
  return body === undefined ? undefined : masked(body)
}

function masked(values: Readonly<Record<string, unknown>>): Record<string, typeof SAVED> {
  return Object.fromEntries(Object.keys(values).map((name) => [name, SAVED]))
}

/** A URL may carry a key in its query or a password before its host. */
function withoutSecrets(url: string): string {
  const { origin, pathname, username, password, search, hash } = new URL(url)
  return username + password + search + hash === '' ? url : origin + pathname
}

import type { Caller } from '../identify/caller.ts'
import type { OAuthCredentials } from '../identify/oauth.ts'
import { readToken } from '../identify/unverified-token.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import type { SubjectToken, VerifySubject } from '../oauth/grants/subject-token.ts'
import type { WorkspaceDirectory } from '../workspaces/resolve.ts'

export interface SubjectTokenParts {
  readonly credentials: OAuthCredentials
  readonly directory: WorkspaceDirectory<OpenWorkspace>
  /** Where the client shows it: a token of another of our issuers is none of this one's. */
  readonly issuer: string
}

/** How a token is verified that a client wants to exchange. Each way is the one by which a request with it would come in. */
export function subjectVerifier({ credentials, directory, issuer }: SubjectTokenParts): VerifySubject {
  const workspaceAt = (url: unknown) => directory.entries.find(({ path }) => issuer + path === url)
  return async (text, resource, clientId) => {
    const token = readToken(text)
    if (!token.ok) return undefined
    if (credentials.takes(token)) {
      const from = workspaceAt(token.claims['aud'])
      if (from === undefined || !from.identity.takesOAuth) return undefined
      const { accountId } = from.workspace
      const verified = await credentials.verify(token, { path: from.path, accountId }, issuer)
      return verified.ok ? { ...subjectOf(verified.caller), isOurs: true, accountId } : undefined
    }
    const to = workspaceAt(resource.url)
    const caller = to === undefined ? undefined : await callerAt(to, text, clientId)
    return caller === undefined ? undefined : { ...subjectOf(caller), isOurs: false, accountId: undefined }
  }
}

/** Whoever this token would be in a request, when the workspace takes it by one of its `jwt` entries. */
async function callerAt({ identity, workspace }: OpenWorkspace, token: string, clientId: string) {
  const headers: ReadonlyMap<string, string> = new Map([['authorization', `Bearer ${token}`]])
  const header = (name: string) => headers.get(name)
  const request = { header, transport: 'http', clientAddress: `client ${clientId}` } as const
  try {
    const caller = await identity.identify(request, workspace.id)
    const required = identity.requiredScopes(caller)
    return caller.kind === 'jwt' && required.every((scope) => caller.scopes.has(scope)) ? caller : undefined
  } catch {
    // Whatever it is, the token proves nothing: the client is told that it is not valid here.
    return undefined
  }
}

function subjectOf(caller: Caller): Omit<SubjectToken, 'isOurs' | 'accountId'> {
  const { issuer, subject, scopes, expiresAtSeconds, claims, grant, boundTo, isService = false } = caller
  return {
    ...{ issuer, subject, scopes, expiresAtSeconds, isService },
    isBound: boundTo !== undefined,
    grantId: grant?.grantId,
    actor: claims['act'],
  }
}

import { findResource, type OAuthResource, type OAuthResources } from './resources.ts'
import { BASE_SCOPE } from './workspace-scopes.ts'

/** What the parameters are looked at with. */
export interface ParameterTerms {
  readonly resources: OAuthResources
  readonly publicUrl: string
}

/**
 * The parameters of an authorization request as the library is given them: the workspace by its one name, and its scopes when
 * the client asks for none, which many do. What cannot be read stays as it is: the library says what is wrong with it.
 *
 * Nothing here decides who the person is: no parameter does (THREATS.md, T11).
 */
export function authorizeParameters(query: string, terms: ParameterTerms): string {
  const params = new URLSearchParams(query)
  const resource = nameResource(params, terms)
  if (resource === undefined) return params.toString()
  // The library takes one resource only if it is the only one; here it is the default too.
  if (!params.has('resource')) params.set('resource', resource.url)
  if (params.getAll('scope').length > 1) return params.toString()
  const asked = (params.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
  const isOfWorkspace = (scope: string) => [...resource.ordinary, ...resource.forAdmins].includes(scope)
  const scopes = asked.some(isOfWorkspace) ? asked : [...asked, ...resource.ordinary]
  params.set('scope', [...new Set([BASE_SCOPE, ...scopes])].join(' '))
  return params.toString()
}

/** The same for a token request: only the workspace's name is another. Some clients leave it out. */
export function tokenParameters(body: string, terms: ParameterTerms): string {
  const params = new URLSearchParams(body)
  nameResource(params, terms)
  return params.toString()
}

function nameResource(params: URLSearchParams, terms: ParameterTerms): OAuthResource | undefined {
  const named = params.getAll('resource')
  const found = findResource(named[0], terms)
  // Two different ones: a token is for one workspace, and the library says so.
  if (named.length > 1 && named.some((one) => findResource(one, terms) !== found)) return undefined
  if (found !== undefined && named.length > 0) params.set('resource', found.url)
  return found
}

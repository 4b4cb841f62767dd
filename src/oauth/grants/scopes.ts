import type { OAuthResource } from '../resources.ts'
import { type Refused, refused } from './refusal.ts'

export type GrantedScopes = { readonly ok: true; readonly scopes: readonly string[] } | Refused

/**
 * The scopes that a client gets where no person is asked: what it asks for, else all it may have here. More than it may is
 * refused and not cut, so that nobody believes he has what he has not (RFC 6749 §3.3). Pure.
 *
 * `bounds`: each is a most; a scope has to be in all of them. `mayBeNone`: a token without a scope is of use too.
 */
export function grantScopes(
  asked: string | undefined,
  resource: Pick<OAuthResource, 'ordinary' | 'forAdmins'>,
  bounds: readonly (readonly string[])[],
  { mayBeNone = false }: { readonly mayBeNone?: boolean } = {},
): GrantedScopes {
  const may = [...resource.ordinary, ...resource.forAdmins].filter((scope) =>
    bounds.every((bound) => bound.includes(scope)),
  )
  const wanted = [...new Set((asked ?? '').split(' ').filter((scope) => scope !== ''))]
  const excess = wanted.find((scope) => !may.includes(scope))
  if (excess !== undefined) return refused('invalid_scope', `${excess} is more than may be given here`)
  const scopes = wanted.length > 0 ? wanted : may
  return scopes.length > 0 || mayBeNone
    ? { ok: true, scopes }
    : refused('invalid_scope', 'there is no scope that may be given here')
}

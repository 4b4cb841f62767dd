import { keyOfPlace } from '../tools/security.ts'
import { cleanText } from '../tools/text.ts'
import type { KeyPlace, NamedScheme, SecurityRequirement, SecurityScheme } from '../tools/tool.ts'
import type { SchemeCredentialSettings, UpstreamAuthSettings, UpstreamSettings } from '../workspaces/settings.ts'
import { AUTHORIZATION, placeOfAuth, placeOfKey, settingOf } from './static.ts'

/**
 * Decides which of a workspace's credentials go with an operation. The rules, with their reasons in
 * docs/decisions/0002-operation-security.md:
 *
 * 1. An operation about which the document says nothing gets the workspace's own credential (`upstream.auth`).
 * 2. Of a requirement's alternatives the first that can be met counts, with the credentials of all its schemes together; one
 *    without schemes counts only when no other can be met. When none can be met the call is refused.
 * 3. A scheme is met by what `upstream.security` has under its name and by nothing else; else by `upstream.auth` when it is
 *    of that kind or goes to that place; else by a header of `upstream.headers` at that place.
 * 4. An operation that says that it needs no credential gets none, unless the document has no scheme that could be read.
 * 5. An `upstream.auth` that fits no scheme of the document is something the document does not know of: it meets no
 *    requirement, and goes with every call whose requirement is met by other means.
 *
 * `upstream.headers` go with every call. Pure: knows no value of a credential.
 */
export interface Planner {
  plan(requirement: SecurityRequirement | undefined): Plan
  /** Names in `upstream.security` that no operation asks for. */
  readonly unknownNames: readonly string[]
}

export type Plan =
  | { readonly ok: true; readonly usesAuth: boolean; readonly placed: readonly PlacedCredential[] }
  /** Names the schemes and the setting to set; never a value. */
  | { readonly ok: false; readonly message: string }

/** A credential of `upstream.security` and where it goes. */
export interface PlacedCredential {
  readonly name: string
  readonly credential: SchemeCredentialSettings
  readonly place: KeyPlace
}

/** `requirements` are those of all operations of the document, each at least once. */
export function createPlanner(upstream: UpstreamSettings, requirements: readonly SecurityRequirement[]): Planner {
  const named = new Set(requirements.flat(2))
  const { auth, security } = upstream
  const isReadable = ({ name, scheme }: NamedScheme) => scheme.type !== 'unreadable' || Object.hasOwn(security, name)
  const isKnown = ({ name, scheme }: NamedScheme) => !Object.hasOwn(security, name) && authMeets(auth, scheme)
  const saysSomething = [...named].some(isReadable)
  const strangerPlace = [...named].some(isKnown) ? undefined : placeOfAuth(auth)
  const names = new Set([...named].map(({ name }) => name))
  return {
    unknownNames: Object.keys(security).filter((name) => !names.has(name)),
    plan(requirement) {
      if (requirement === undefined) return { ok: true, usesAuth: true, placed: [] }
      const alternatives = requirement.filter((schemes) => schemes.length > 0)
      if (alternatives.length === 0) return { ok: true, usesAuth: !saysSomething, placed: [] }
      for (const schemes of alternatives) {
        const met = meetAll(schemes, upstream, strangerPlace)
        if (met !== undefined) return met
      }
      if (alternatives.length < requirement.length) return { ok: true, usesAuth: false, placed: [] }
      return { ok: false, message: explain(alternatives, upstream) }
    },
  }
}

/** What meets one scheme: a credential of its own, the workspace's, a header of the workspace, or nothing at all. */
type Means =
  | { readonly by: 'own'; readonly placed: PlacedCredential }
  | { readonly by: 'auth' | 'header'; readonly place: KeyPlace }
  | { readonly by: 'word' }

function meetAll(
  schemes: readonly NamedScheme[],
  upstream: UpstreamSettings,
  strangerPlace: KeyPlace | undefined,
): Plan | undefined {
  const takenBy = new Map<string, string>()
  const placed: PlacedCredential[] = []
  let usesAuth = false
  for (const named of schemes) {
    const means = meansFor(named, upstream)
    if (means === undefined) return undefined
    if (means.by === 'word') continue
    const key = keyOfPlace(means.by === 'own' ? means.placed.place : means.place)
    const taker = means.by === 'own' ? `own ${named.name}` : means.by
    // Only one of them would arrive, and the call would go out without the other.
    if (isTaken(takenBy, key, taker)) return undefined
    takenBy.set(key, taker)
    if (means.by === 'own') placed.push(means.placed)
    if (means.by === 'auth') usesAuth = true
  }
  if (strangerPlace !== undefined && !isTaken(takenBy, keyOfPlace(strangerPlace), 'auth')) usesAuth = true
  return { ok: true, usesAuth, placed }
}

/** Whether another credential goes to that place. The header Cookie as a whole is the place of every cookie. */
function isTaken(takenBy: ReadonlyMap<string, string>, key: string, taker: string): boolean {
  const isCookie = (one: string) => one.startsWith('cookie ')
  return [...takenBy].some(([other, by]) => {
    if (by === taker) return false
    return other === key || (key === 'header cookie' && isCookie(other)) || (other === 'header cookie' && isCookie(key))
  })
}

function meansFor({ name, scheme }: NamedScheme, { auth, security, headers }: UpstreamSettings): Means | undefined {
  const own = Object.hasOwn(security, name) ? security[name] : undefined
  if (own !== undefined) return ownMeans({ name, scheme }, own)
  const authPlace = placeOfAuth(auth)
  if (authPlace !== undefined && authMeets(auth, scheme)) return { by: 'auth', place: authPlace }
  const place = placeOfScheme(scheme)
  return place !== undefined && hasHeaderFor(place, headers) ? { by: 'header', place } : undefined
}

function ownMeans({ name, scheme }: NamedScheme, credential: SchemeCredentialSettings): Means | undefined {
  if (credential.type === 'none') return { by: 'word' }
  // The proof is in the TLS connection: nothing that stands in a request can take its place.
  if (scheme.type === 'mutualTLS') return undefined
  const place = credential.type === 'apiKey' ? (placeOfKey(credential) ?? placeOfScheme(scheme)) : AUTHORIZATION
  return place && { by: 'own', placed: { name, credential, place } }
}

function authMeets(auth: UpstreamAuthSettings, scheme: SecurityScheme): boolean {
  const place = placeOfAuth(auth)
  if (place === undefined) return false
  switch (scheme.type) {
    case 'apiKey':
      // Documents of 2.0 have no other word for a bearer token than a key in the header Authorization.
      return keyOfPlace(scheme.place) === keyOfPlace(place)
    case 'http':
      return auth.type === 'apiKey' ? isAuthorization(place) : auth.type === scheme.scheme
    case 'oauth2':
    case 'openIdConnect':
      return auth.type === 'apiKey' ? isAuthorization(place) : auth.type === 'bearer'
    case 'mutualTLS':
    case 'unreadable':
      return false
  }
}

/** Where a scheme's credential goes; undefined when it is nowhere in a request, or nobody knows. */
function placeOfScheme(scheme: SecurityScheme): KeyPlace | undefined {
  switch (scheme.type) {
    case 'apiKey':
      return scheme.place
    case 'http':
    case 'oauth2':
    case 'openIdConnect':
      return AUTHORIZATION
    case 'mutualTLS':
    case 'unreadable':
      return undefined
  }
}

function isAuthorization(place: KeyPlace): boolean {
  return keyOfPlace(place) === keyOfPlace(AUTHORIZATION)
}

/** Whether the workspace's own headers set what goes there. One that was left empty sets nothing. */
function hasHeaderFor(place: KeyPlace, headers: UpstreamSettings['headers']): boolean {
  if (place.in === 'query') return false
  const header = place.in === 'cookie' ? 'cookie' : place.name.toLowerCase()
  return Object.entries(headers).some(([name, text]) => {
    if (name.toLowerCase() !== header || text === '') return false
    return place.in === 'header' || text.split(';').some((pair) => pair.trim().startsWith(`${place.name}=`))
  })
}

function explain(alternatives: readonly (readonly NamedScheme[])[], upstream: UpstreamSettings): string {
  const shown = alternatives.slice(0, 3).map((schemes) => schemes.slice(0, 3).map(describe).join(' together with '))
  const more = alternatives.length > shown.length ? ', or another' : ''
  const missing = alternatives.map((schemes) => schemes.filter((named) => meansFor(named, upstream) === undefined))
  const [first] = missing.find((schemes) => !schemes.some(({ scheme }) => scheme.type === 'mutualTLS')) ?? []
  const advice =
    first === undefined
      ? 'It cannot be met; set the type none for a scheme that the API does not really ask for.'
      : `Set ${settingOf(first.name)} of the workspace (${howToSet(first.scheme)}), or an upstream.auth that fits.`
  return `The API description says that this operation needs ${shown.join(' or ')}${more}, and no credential that is set meets it. ${advice}`
}

function describe({ name, scheme }: NamedScheme): string {
  return `the security scheme "${cleanText(name, 80)}" (${kindOf(scheme)})`
}

function kindOf(scheme: SecurityScheme): string {
  switch (scheme.type) {
    case 'apiKey':
      return `a key in the ${scheme.place.in} ${cleanText(scheme.place.name, 80)}`
    case 'http':
      return `HTTP ${cleanText(scheme.scheme, 40)}`
    case 'oauth2':
      return 'OAuth 2.0'
    case 'openIdConnect':
      return 'OpenID Connect'
    case 'mutualTLS':
      return 'a TLS client certificate, which Gatehouse cannot present'
    case 'unreadable':
      return scheme.reason
  }
}

function howToSet(scheme: SecurityScheme): string {
  switch (scheme.type) {
    case 'apiKey':
      return 'type apiKey'
    case 'http':
      if (scheme.scheme === 'basic' || scheme.scheme === 'bearer') return `type ${scheme.scheme}`
      return 'type apiKey; the value is the whole header Authorization'
    case 'oauth2':
    case 'openIdConnect':
      return 'type bearer'
    case 'mutualTLS':
    case 'unreadable':
      return 'type bearer, basic, or apiKey with its place'
  }
}

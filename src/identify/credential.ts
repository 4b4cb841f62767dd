/** What a request shows to prove who is calling. Header values as `Exchange.header` gives them: repeated ones joined. */
export interface CredentialHeaders {
  readonly authorization: string | undefined
  readonly apiKey?: string | undefined
  readonly agentSession: string | undefined
}

/** The one credential that counts. `malformed`: there was something, and nothing in it that could be used. */
export type Credential =
  | { readonly kind: 'bearer' | 'x-api-key' | 'agent-session'; readonly token: string }
  | { readonly kind: 'none'; readonly malformed: boolean }

const BEARER = 'bearer'

/**
 * Picks the credential: `Authorization: Bearer`, then `X-API-Key`, then `agent-session` (PRODUCT.md, 4).
 *
 * Whoever says Bearer is held to it: a malformed Bearer falls through to nothing. An empty `Authorization`
 * or one of another scheme does. Does not look into the token; there is no way to bring one in the query string.
 */
export function findCredential(headers: CredentialHeaders): Credential {
  const authorization = headers.authorization?.trim() ?? ''
  // A comma: the header came twice and was joined. Which one counts is anybody's guess, so none does (PRODUCT.md, 4).
  if (authorization.includes(',')) return { kind: 'none', malformed: true }
  const scheme = authorization.slice(0, BEARER.length)
  const isBearer = scheme.toLowerCase() === BEARER && !/[^ \t]/.test(authorization.charAt(BEARER.length))
  if (isBearer) {
    const token = authorization.slice(BEARER.length).trim()
    if (token === '' || token.includes(' ') || token.includes('\t')) return { kind: 'none', malformed: true }
    return { kind: 'bearer', token }
  }
  const apiKey = headers.apiKey?.trim() ?? ''
  // Of two keys neither counts, as above. A key holds neither comma nor space.
  if (/[, \t]/.test(apiKey)) return { kind: 'none', malformed: true }
  if (apiKey !== '') return { kind: 'x-api-key', token: apiKey }
  const agentSession = headers.agentSession?.trim() ?? ''
  if (agentSession !== '') return { kind: 'agent-session', token: agentSession }
  return { kind: 'none', malformed: authorization !== '' }
}

/** The token of `Authorization: DPoP` (RFC 9449 §7.1); `malformed`: the scheme without one token. Undefined: another scheme. */
export function findBoundToken(
  authorization: string | undefined,
): { readonly token: string } | 'malformed' | undefined {
  const [scheme = '', token = '', ...more] = authorization?.trim().split(/[ \t]+/) ?? []
  if (scheme.toLowerCase() !== 'dpop') return undefined
  return token === '' || token.includes(',') || more.length > 0 ? 'malformed' : { token }
}

/**
 * All credentials of a request, in the order in which they count; `malformed` when one of them cannot be used. For a workspace
 * where each has to be good.
 */
export function presentedCredentials(
  headers: CredentialHeaders,
): readonly Exclude<Credential, { kind: 'none' }>[] | 'malformed' {
  const nothing: CredentialHeaders = { authorization: undefined, apiKey: undefined, agentSession: undefined }
  const { authorization, apiKey, agentSession } = headers
  const each = [
    findCredential({ ...nothing, authorization }),
    findCredential({ ...nothing, apiKey }),
    findCredential({ ...nothing, agentSession }),
  ]
  // An `Authorization` of another scheme is none of ours, as it is where one credential counts.
  const isOtherScheme = !/^(?:bearer(?:[ \t]|$)|.*,)/i.test(authorization?.trim() ?? '')
  const [first, ...others] = each
  if (others.some((one) => one.kind === 'none' && one.malformed)) return 'malformed'
  if (first?.kind === 'none' && first.malformed && !isOtherScheme) return 'malformed'
  return each.filter((one) => one.kind !== 'none')
}

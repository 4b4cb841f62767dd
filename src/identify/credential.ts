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

const SCRIPTS: ReadonlySet<string> = new Set([
  ...['javascript:', 'vbscript:', 'data:', 'blob:', 'file:', 'about:', 'filesystem:', 'view-source:', 'ws:', 'wss:'],
])
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/

/** Redirects of one client. */
const REDIRECTS_MAX = 20

/**
 * Why this address cannot be registered as a redirect; undefined: it can. The library compares registered ones letter by
 * letter (RFC 9700 §4.1.3); what browsers read otherwise than people do is refused already here (THREATS.md, T7).
 */
export function redirectProblem(uri: unknown): string | undefined {
  if (typeof uri !== 'string' || uri.length > 2000) return 'a redirect URI is a text of at most 2,000 characters'
  if (!/^[\x21-\x7e]+$/.test(uri) || uri.includes('\\'))
    return 'a redirect URI has plain characters only, encoded as %XX'
  const url = URL.parse(uri)
  if (url === null) return 'a redirect URI is an absolute URL'
  if (url.username !== '' || url.password !== '') return 'a redirect URI has no user and no password'
  if (uri.includes('#')) return 'a redirect URI has no fragment'
  if (SCRIPTS.has(url.protocol)) return `a redirect URI does not begin with ${url.protocol}`
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    return 'a redirect URI begins with https, or http on localhost, 127.0.0.1 or [::1]'
  }
  const [path = ''] = uri.replace(/^[a-z][a-z\d+.-]*:(?:\/\/[^/?]*)?/i, '').split('?', 1)
  const isDotted = path.split('/').some((part) => /^(?:\.|%2e){1,2}$/i.test(part))
  return isDotted ? 'a redirect URI has no . or .. in its path' : undefined
}

/** What a client may say of itself when it registers; anything else is left out. */
const KEPT = new Set([
  ...['redirect_uris', 'client_name', 'client_uri', 'logo_uri', 'tos_uri', 'policy_uri', 'contacts'],
  ...['grant_types', 'response_types', 'token_endpoint_auth_method', 'token_endpoint_auth_signing_alg'],
  ...['jwks', 'jwks_uri', 'application_type', 'software_id', 'software_version'],
])

const RESPONSE_TYPES = ['code']

/** A registration for the library, or what RFC 7591 §3.2.2 calls what is wrong with it. */
export type Registration =
  | { readonly ok: true; readonly metadata: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: 'invalid_redirect_uri'; readonly description: string }

/**
 * The registration as the library is given it (RFC 7591 §2): what we do not do is left out, which a server may (§3.2.1), so that
 * a client that asks for more than it needs is not turned away. Pure.
 */
export function registrationOf(body: Readonly<Record<string, unknown>>, grantTypes: readonly string[]): Registration {
  const redirects = body['redirect_uris'] ?? []
  if (!Array.isArray(redirects) || redirects.length > REDIRECTS_MAX) {
    return invalidRedirect(`redirect_uris is a list of at most ${REDIRECTS_MAX} addresses`)
  }
  const problem = redirects.map(redirectProblem).find((one) => one !== undefined)
  if (problem !== undefined) return invalidRedirect(problem)
  const metadata = Object.fromEntries(Object.entries(body).filter(([name]) => KEPT.has(name)))
  const wanted = metadata['grant_types']
  if (Array.isArray(wanted)) {
    const known = wanted.filter((grant) => typeof grant === 'string' && grantTypes.includes(grant))
    // Whoever has codes may refresh: clients that forget to say so would sign their people in every hour.
    metadata['grant_types'] = known.includes('authorization_code') ? [...new Set([...known, 'refresh_token'])] : known
  }
  if (metadata['response_types'] !== undefined) metadata['response_types'] = RESPONSE_TYPES
  // The library looks at it before its own default is in place, and would give a public client a secret.
  metadata['token_endpoint_auth_method'] ??= 'client_secret_basic'
  return { ok: true, metadata }
}

function invalidRedirect(description: string): Registration {
  return { ok: false, error: 'invalid_redirect_uri', description }
}

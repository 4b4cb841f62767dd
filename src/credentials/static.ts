import type { HeaderSet } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import { cleanText } from '../tools/text.ts'
import type { KeyPlace } from '../tools/tool.ts'
import type { SchemeCredentialSettings, UpstreamAuthSettings } from '../workspaces/settings.ts'
import { type Credential, keyAt, NO_CREDENTIAL } from './credential.ts'
import { compileTemplate, type Params } from './template.ts'

/** Where bearer tokens and Basic go (RFC 6750 §2.1, RFC 7617 §2). */
export const AUTHORIZATION: KeyPlace = { in: 'header', name: 'Authorization' }

/**
 * Compiles a workspace's own headers; every value may take params (FEATURES D3). The result throws GatewayError
 * `credential_missing` for a param that is not set, or whose value leaves the header empty.
 */
export function compileHeaders(headers: HeaderSet): (params: Params) => HeaderSet {
  const compiled = Object.entries(headers).map(([name, text]) => ({ name, value: compileTemplate(text) }))
  return (params) =>
    Object.fromEntries(
      compiled.map(({ name, value }) => {
        const rendered = value.render(params)
        if (value.names.length > 0 && rendered === '') throw missing(`The value of the header ${name} is empty.`)
        return [name, rendered]
      }),
    )
}

/** Where the workspace's own sign-in puts its credential; undefined for `none`. */
export function placeOfAuth(auth: UpstreamAuthSettings): KeyPlace | undefined {
  if (auth.type === 'none') return undefined
  if (auth.type !== 'apiKey') return AUTHORIZATION
  return placeOfKey(auth) ?? { in: 'header', name: 'X-Api-Key' }
}

/** The place that the settings of a key name; undefined when they leave it to the document. */
export function placeOfKey({ header, query, cookie }: Extract<SchemeCredentialSettings, { type: 'apiKey' }>) {
  const places: readonly { in: KeyPlace['in']; name: string | undefined }[] = [
    { in: 'header', name: header },
    { in: 'query', name: query },
    { in: 'cookie', name: cookie },
  ]
  for (const { in: place, name } of places) if (name !== undefined) return { in: place, name }
  return undefined
}

/**
 * The workspace's own credential, where it does not change.
 *
 * @throws GatewayError `credential_missing` when a part of it is not set: a call never goes out without its credential.
 */
export function staticAuth(auth: UpstreamAuthSettings, params: Params): Credential {
  const place = placeOfAuth(auth)
  if (place === undefined) return NO_CREDENTIAL
  return keyAt(
    place,
    secretOf(auth, params, {
      bearer:
        'No bearer token is set. Set the token, or the params login_url, username and password to log in for one.',
      apiKey: 'No API key is set. Set it in the workspace.',
      basic: 'No username and password are set. Set them in the workspace.',
    }),
  )
}

/**
 * The credential of one security scheme.
 *
 * @throws GatewayError `credential_missing` when a part of it is not set.
 */
export function schemeCredential(
  { name, credential, place }: { name: string; credential: SchemeCredentialSettings; place: KeyPlace },
  params: Params,
): Credential {
  const setting = settingOf(name)
  return keyAt(
    place,
    secretOf(credential, params, {
      bearer: `No bearer token is set. Set the token of ${setting} in the workspace.`,
      apiKey: `No API key is set. Set the value of ${setting} in the workspace.`,
      basic: `No username and password are set. Set those of ${setting} in the workspace.`,
    }),
  )
}

/** What the credential of a scheme is called in the settings. */
export function settingOf(scheme: string): string {
  return /^[\w-]{1,80}$/.test(scheme) ? `upstream.security.${scheme}` : `upstream.security["${cleanText(scheme, 80)}"]`
}

type MissingWords = { readonly [type in 'bearer' | 'apiKey' | 'basic']: string }

function secretOf(auth: UpstreamAuthSettings | SchemeCredentialSettings, params: Params, words: MissingWords): string {
  const render = (text: string) => compileTemplate(text).render(params)
  switch (auth.type) {
    case 'none':
      return ''
    case 'bearer': {
      const token = render(auth.token)
      if (token === '') throw missing(words.bearer)
      return `Bearer ${token}`
    }
    case 'apiKey': {
      const value = render(auth.value)
      if (value === '') throw missing(words.apiKey)
      return value
    }
    case 'basic': {
      const username = render(auth.username)
      const password = render(auth.password)
      if (username === '' && password === '') throw missing(words.basic)
      // The first colon ends the username (RFC 7617 §2): one inside it would move the rest into the password.
      if (username.includes(':')) throw new GatewayError('unsafe_value', 'The username must not contain a colon.')
      return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    }
  }
}

function missing(message: string): GatewayError {
  return new GatewayError('credential_missing', message)
}

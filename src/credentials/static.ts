import type { HeaderSet } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import type { UpstreamAuthSettings } from '../workspaces/settings.ts'
import { compileTemplate, type Params } from './template.ts'

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

/**
 * The header of a credential that does not change; none for `none`.
 *
 * @throws GatewayError `credential_missing` when a part of it is not set: a call never goes out without its credential.
 */
export function staticAuthHeaders(auth: UpstreamAuthSettings, params: Params): HeaderSet {
  const render = (text: string) => compileTemplate(text).render(params)
  switch (auth.type) {
    case 'none':
      return {}
    case 'bearer': {
      const token = render(auth.token)
      if (token === '') {
        throw missing(
          'No bearer token is set. Set the token, or the params login_url, username and password to log in for one.',
        )
      }
      return { Authorization: `Bearer ${token}` }
    }
    case 'apiKey': {
      const value = render(auth.value)
      if (value === '') throw missing('No API key is set. Set it in the workspace.')
      return { [auth.header]: value }
    }
    case 'basic': {
      const username = render(auth.username)
      const password = render(auth.password)
      if (username === '' && password === '')
        throw missing('No username and password are set. Set them in the workspace.')
      // The first colon ends the username (RFC 7617 §2): one inside it would move the rest into the password.
      if (username.includes(':')) throw new GatewayError('unsafe_value', 'The username must not contain a colon.')
      return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
    }
  }
}

function missing(message: string): GatewayError {
  return new GatewayError('credential_missing', message)
}

import { decodeJwt } from 'jose'
import { randomSecret } from '../crypto/random.ts'

/** A revocation request of an access token, which is a JWT: the library knows only tokens that it keeps. */
export interface AccessTokenRevocation {
  readonly token: string
  /** The client that the request says it comes from. Nothing of it is proved. */
  readonly clientId: string | undefined
  /** The same request about a token that nobody has: by it the library proves the client. */
  readonly body: string
}

/** Reads the request (RFC 7009 §2.1). Undefined: it is about a token of the library's. */
export function accessTokenRevocation(
  body: string,
  authorization: string | undefined,
): AccessTokenRevocation | undefined {
  const params = new URLSearchParams(body)
  const [token = '', second] = params.getAll('token')
  if (second !== undefined || token.split('.').length !== 3) return undefined
  params.set('token', randomSecret())
  return { token, clientId: clientIdOf(params, authorization), body: params.toString() }
}

function clientIdOf(params: URLSearchParams, authorization: string | undefined): string | undefined {
  const [, basic] = /^Basic +([\w+/=-]+)$/i.exec(authorization ?? '') ?? []
  if (basic !== undefined) {
    const [id = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':', 1)
    // RFC 6749 §2.3.1: encoded as in a form.
    return new URLSearchParams(`id=${id}`).get('id') ?? undefined
  }
  const assertion = params.get('client_assertion')
  return assertion === null ? (params.get('client_id') ?? undefined) : subjectOf(assertion)
}

function subjectOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).sub
  } catch {
    // No JWT: the library refuses it.
    return undefined
  }
}

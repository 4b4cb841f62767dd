import * as oauth from 'oauth4webapi'
import { z } from 'zod'
import { type Answered, send } from './http.ts'
import { insecure } from './oauth-client.ts'
import type { OAuthStand } from './oauth-stand.ts'

/** Of every client of these tests that has one. */
export const SECRET = 'a secret of these tests, that is long enough: 0123456789'

/** The metadata of our authorization server, checked by a strict client. */
export async function serverOf({ gateway }: OAuthStand): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(gateway.url)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
}

export function basic(id: string, secret = SECRET): Readonly<Record<string, string>> {
  const text = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}

/** A request to the token endpoint as it stands on the wire. */
export function askToken(
  { gateway }: OAuthStand,
  form: Readonly<Record<string, string>> | URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return send('POST', `${gateway.url}/oauth/token`, {
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
}

const given = z.looseObject({ access_token: z.string(), token_type: z.string(), scope: z.string().optional() })
const failed = z.looseObject({ error: z.string() })

/** The answer of a token request that worked. */
export function givenIn({ status, body, text }: Answered): z.output<typeof given> {
  if (status !== 200) throw new Error(`${status} ${text}`)
  return given.parse(body)
}

/** Status and error code of one that did not. */
export function refusalIn({ status, body }: Answered): string {
  const { error } = failed.catch({ error: 'no error' }).parse(body)
  return `${status} ${error}`
}

/** Status of a request with this token. */
export async function statusWith(endpoint: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
  const accept = 'application/json, text/event-stream'
  return (await send('POST', endpoint, { body, headers: { accept, ...headers } })).status
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` }
}

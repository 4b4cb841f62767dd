import type { ProviderContext } from 'oidc-provider'
import type { OAuthResource } from '../resources.ts'

/** What a token says, once every check of its grant is done. */
export interface Granted {
  /** Whom it speaks for; undefined: the client itself. */
  readonly subject: string | undefined
  /** The consent that it stands on, if there is one. */
  readonly grantId?: string | undefined
  readonly resource: OAuthResource
  readonly scopes: readonly string[]
  /** Seconds. */
  readonly lifeSeconds: number
  /** The grant on the wire. */
  readonly grantType: string
  /** Claims beside the usual ones. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Members of the answer beside the usual ones. */
  readonly answer?: Readonly<Record<string, unknown>>
  /** Thumbprint of the key that it is bound to (RFC 9449 §6). */
  readonly keyThumbprint?: string | undefined
}

const CLAIMS = new WeakMap<object, Readonly<Record<string, unknown>>>()

/** The claims that a grant of ours gave this token, for the library's `extraTokenClaims`. */
export function claimsOfGrant(token: object): Readonly<Record<string, unknown>> {
  return CLAIMS.get(token) ?? {}
}

/** Makes the access token and the answer. No refresh token: whoever came this way can come again. */
export async function issueToken(context: ProviderContext, granted: Granted): Promise<void> {
  const { client, provider } = context.oidc
  const { resource, scopes, subject, grantId, lifeSeconds, grantType, claims = {}, keyThumbprint } = granted
  const scope = scopes.length === 0 ? {} : { scope: scopes.join(' ') }
  const token = new provider.AccessToken({
    ...{ client, gty: grantType, expiresIn: lifeSeconds, ...scope },
    ...(subject === undefined ? {} : { accountId: subject }),
    ...(grantId === undefined ? {} : { grantId }),
  })
  token.resourceServer = new provider.ResourceServer(resource.url, {
    ...{ scope: scopes.join(' '), audience: resource.url, accessTokenTTL: lifeSeconds },
    ...{ accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  })
  if (keyThumbprint !== undefined) token.setThumbprint('jkt', keyThumbprint)
  CLAIMS.set(token, claims)
  const accessToken = await token.save()
  context.body = {
    access_token: accessToken,
    ...granted.answer,
    token_type: token.tokenType,
    expires_in: lifeSeconds,
    ...scope,
  }
}

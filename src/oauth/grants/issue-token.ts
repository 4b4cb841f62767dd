import type { ProviderContext } from 'oidc-provider'
import { checkProof } from '../../identify/dpop.ts'
import type { OAuthResource } from '../resources.ts'
import { ROUTES } from '../routes.ts'
import type { GrantOptions } from './grant-options.ts'
import { refused, toLibraryError } from './refusal.ts'

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
}

const CLAIMS = new WeakMap<object, Readonly<Record<string, unknown>>>()

/** The claims that a grant of ours gave this token, for the library's `extraTokenClaims`. */
export function claimsOfGrant(token: object): Readonly<Record<string, unknown>> {
  return CLAIMS.get(token) ?? {}
}

/**
 * Makes the access token and the answer; bound to the client's key when the request proves one (RFC 9449 §5). No refresh token:
 * whoever came this way can come again.
 */
export async function issueToken(context: ProviderContext, granted: Granted, options: GrantOptions): Promise<void> {
  const { client, provider } = context.oidc
  const { resource, scopes, subject, grantId, lifeSeconds, grantType, claims = {} } = granted
  const keyThumbprint = await provenKey(context, options)
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

/** The key that the request proves; undefined: none. The proof counts once, here and in every other process. */
async function provenKey(
  { req, oidc }: ProviderContext,
  { library, publicUrl, now }: GrantOptions,
): Promise<string | undefined> {
  const proof = req.headers['dpop']
  if (proof === undefined) return undefined
  const fail = (reason: string) => toLibraryError(library, refused('invalid_dpop_proof', reason))
  const expected = { method: 'POST', url: publicUrl + ROUTES.library.token, now: now() }
  const checked = await checkProof(String(proof), expected)
  if (!checked.ok) throw fail(`the DPoP proof does not hold (${checked.problem})`)
  const clientId = oidc.client?.clientId ?? ''
  const { ReplayDetection } = oidc.provider
  const isFirst = await ReplayDetection.unique(clientId, checked.jti, Math.ceil(checked.until / 1000))
  if (!isFirst) throw fail('the DPoP proof was used before')
  return checked.keyThumbprint
}

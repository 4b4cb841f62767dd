import { GatewayError } from '../errors.ts'
import type { Answer, Exchange } from '../http/exchange.ts'
import type { Principals } from './principals.ts'

/** What an access token of ours says, once it is verified; undefined: it is none, or no longer good. */
export type VerifyAccessToken = (token: string) => Promise<VerifiedAccessToken | undefined>

export interface VerifiedAccessToken {
  readonly subject: string
  readonly scopes: ReadonlySet<string>
  readonly clientId: string
  /** The consent that it stands on, if it is of this very client. */
  readonly grantId: string | undefined
  /** It counts with a proof of a key only. */
  readonly isBound: boolean
}

/** Who an access token speaks for (OpenID Connect Core §5.3), as far as its scopes go. */
export class UserInfo {
  readonly #verify: VerifyAccessToken
  readonly #principals: Principals

  constructor(verify: VerifyAccessToken, principals: Principals) {
    this.#verify = verify
    this.#principals = principals
  }

  /** @throws GatewayError `missing_token`, `invalid_token`, `insufficient_scope` */
  async answer(exchange: Exchange): Promise<Answer> {
    const token = /^Bearer +([^\s,]+)$/i.exec(exchange.header('authorization') ?? '')?.[1]
    if (token === undefined) throw new GatewayError('missing_token', 'No authorization header provided')
    const verified = await this.#verify(token)
    const principal = verified === undefined ? undefined : await this.#principals.find(verified.subject)
    // Nobody asks for a proof of possession here, so a token that needs one is of no use.
    if (verified === undefined || verified.isBound || principal === undefined) {
      throw new GatewayError('invalid_token', 'The access token is not valid here.')
    }
    const { scopes } = verified
    if (!scopes.has('openid')) {
      throw new GatewayError('insufficient_scope', 'The token has no scope openid.', { scopes: ['openid'] })
    }
    const { id, name, email, isEmailVerified } = principal
    const claims = {
      sub: id,
      ...(scopes.has('profile') ? { name } : {}),
      ...(scopes.has('email') && email !== undefined ? { email, email_verified: isEmailVerified } : {}),
    }
    return { status: 200, body: JSON.stringify(claims) }
  }
}

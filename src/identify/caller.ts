/** Who calls, after the check. A caller is (issuer, subject), never the subject alone (PRODUCT.md, 3). */
export interface Caller {
  readonly kind: 'anonymous' | 'jwt' | 'issued' | 'api-key' | 'oauth' | 'userinfo' | 'local' | 'dev'
  /** The `iss` claim; empty for `anonymous` and `local`, and for a token of a verifier that asks for no issuer and carries none. */
  readonly issuer: string
  /** The `sub` claim, else the user id. */
  readonly subject: string
  /** The first present of `userIdClaim`. */
  readonly userId: string
  /** The union of `scope`, `scopes` and `scp`. */
  readonly scopes: ReadonlySet<string>
  /** Every claim except `iss`, `aud`, `exp`, `iat` and `userId` (seed 002's metadata). */
  readonly claims: Readonly<Record<string, unknown>>
  /** Seconds since the epoch; undefined when nothing expires. */
  readonly expiresAtSeconds: number | undefined
  /** The id under which we issued the credential, and can revoke it; of `oauth` that of the grant. */
  readonly issuedId?: string
  /** What an access token of our authorization server stands on. */
  readonly grant?: CallerGrant
  /**
   * Thumbprint of the key that the token is bound to (RFC 7800, `cnf`), which whoever shows it has to prove; empty when it is
   * bound to what cannot be proved here. Undefined: whoever has the token may show it.
   */
  readonly boundTo?: string
  /** A program that speaks for itself: there is no person behind it. Undefined: somebody may be. */
  readonly isService?: true
}

/** Whatever of this is revoked ends the token. */
export interface CallerGrant {
  /** Undefined: no person was asked, and the client is all that it stands on. */
  readonly grantId: string | undefined
  readonly clientId: string
  readonly subject: string
  /** `iat`. */
  readonly issuedAtSeconds: number
}

/** The caller of a workspace whose `authType` is `none`. */
export const anonymous: Caller = {
  kind: 'anonymous',
  issuer: '',
  subject: 'anonymous',
  userId: 'anonymous',
  scopes: new Set(),
  claims: {},
  expiresAtSeconds: undefined,
}

/** The process that started us over stdio: no HTTP credential is asked for there. */
export const localCaller: Caller = { ...anonymous, kind: 'local', subject: 'local', userId: 'local' }

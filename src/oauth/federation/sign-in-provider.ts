import * as z from 'zod'

/** Who signed in at a provider. */
export interface Identity {
  /** With `subject` the person’s name for ever; an e-mail changes hands. */
  readonly issuer: string
  readonly subject: string
  /** In lower case; only one that the provider says is verified (THREATS.md, T11). */
  readonly email: string | undefined
  readonly name: string | undefined
  /** The provider’s `allow` lets this person in. Where it does not, only a member of the account may come in. */
  readonly isAllowed: boolean
}

/**
 * What must be known again when the browser comes back: kept on our side by the caller, found by `state`, bound to the
 * browser, and taken out of its store before `finish` is called, so that it counts once.
 */
export const signInMemory = z.strictObject({
  providerId: z.string(),
  /** Where the provider was told to send the browser. */
  redirectUri: z.string(),
  state: z.string().min(32),
  nonce: z.string().min(32),
  /** RFC 7636 §4.1. */
  codeVerifier: z.string().min(43),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
})

export type SignInMemory = z.output<typeof signInMemory>

/** A place where people prove who they are, such as Google. */
export interface SignInProvider {
  /** In URLs: `/oauth/callback/<id>`. */
  readonly id: string
  /** On the button. */
  readonly name: string
  /** Gets ready. Gives the problem, for the log, when the provider cannot be used now; it is tried again on use. Never throws. */
  start(): Promise<string | undefined>
  /** Where to send the browser. @throws GatewayError `identity_provider_unavailable` */
  begin(options: { readonly redirectUri: string }): Promise<{ readonly url: string; readonly memory: SignInMemory }>
  /**
   * Who the browser brings back. `callbackUrl` is the whole URL that it asked for, as `redirectUri` with the query.
   *
   * @throws GatewayError `invalid_request` (not the answer to this sign-in, or one that was used or is too old), `forbidden`
   * (the person or the provider said no), `login_failed` (what the provider sent does not prove who it is), or
   * `identity_provider_unavailable`. Messages are for the person; causes are texts for the record, without secrets.
   */
  finish(options: {
    readonly callbackUrl: string
    readonly redirectUri: string
    readonly memory: SignInMemory
  }): Promise<Identity>
  /**
   * Whether somebody who was allowed when he signed in still is, by today’s `allow`: for what goes on without a new sign-in,
   * such as refreshing. Looks at the e-mail alone, so it can only take away what `Identity.isAllowed` gave.
   */
  stillAllows(identity: Pick<Identity, 'email' | 'isAllowed'>): boolean
}

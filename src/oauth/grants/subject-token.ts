import type { OAuthResource } from '../resources.ts'

/** What a token that a client shows says, once it is verified (RFC 8693 §2.1, `subject_token`). */
export interface SubjectToken {
  readonly issuer: string
  readonly subject: string
  /** One of our own access tokens; else one of an issuer that the workspace takes by its `jwt` entries. */
  readonly isOurs: boolean
  /** It speaks for a program, not for a person. */
  readonly isService: boolean
  /** Bound to a key (RFC 7800), which whoever shows it has to prove. */
  readonly isBound: boolean
  /** Of ours: the account of the workspace that it is for. */
  readonly accountId: string | undefined
  /** Of ours: the consent that it stands on. */
  readonly grantId: string | undefined
  readonly scopes: ReadonlySet<string>
  readonly expiresAtSeconds: number | undefined
  /** The `act` claim: who acts for the subject already (RFC 8693 §4.1). */
  readonly actor: unknown
}

/**
 * Verifies a token that may be exchanged for one of this workspace: our own of any workspace, or one that the workspace itself
 * would take. Undefined: it is neither. `clientId`: who shows it, for the limit on failures.
 */
export type VerifySubject = (
  token: string,
  resource: OAuthResource,
  clientId: string,
) => Promise<SubjectToken | undefined>

import type * as Library from 'oidc-provider'

/** Why a grant gives nothing: the codes of RFC 6749 §5.2, RFC 8707 §2 and RFC 9449 §5. */
export type GrantError =
  | 'invalid_request'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_dpop_proof'

/** What a check found. `reason` may be shown to the client, which has proved who it is by then. */
export interface Refused {
  readonly ok: false
  readonly error: GrantError
  readonly reason: string
}

export function refused(error: GrantError, reason: string): Refused {
  return { ok: false, error, reason }
}

/** As the library sends it: 400 with `error` and `error_description`. */
export function toLibraryError({ errors }: Pick<typeof Library, 'errors'>, { error, reason }: Refused): Error {
  return new errors.CustomOIDCProviderError(error, reason)
}

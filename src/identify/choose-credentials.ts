import type { InboundAuthSettings } from '../workspaces/settings.ts'
import type { Caller } from './caller.ts'
import type { Credential } from './credential.ts'

/** A credential that a request shows. */
export type Presented = Exclude<Credential, { kind: 'none' }>

/** Which of them must be valid. `deciding` says who is calling; each of `alongside` must be of the same person. */
export type Chosen =
  | { readonly kind: 'nobody-asked' | 'missing' }
  | { readonly kind: 'check'; readonly deciding: Presented; readonly alongside: readonly Presented[] }

/**
 * Chooses among the credentials of a request, given in the order in which they count: `Authorization`, `X-API-Key`,
 * `agent-session` (PRODUCT.md, 4 and 5). Where one kind is accepted, the first counts and a second is ignored; in `both`
 * all of them are checked, so that nobody slips one past the other. Pure. Does not look into them: which verifier takes a
 * token is decided by its `iss` and `typ`.
 */
export function chooseCredentials(authType: InboundAuthSettings['authType'], presented: readonly Presented[]): Chosen {
  const [deciding, ...alongside] = presented
  switch (authType) {
    case 'none':
    case 'dev':
      return { kind: 'nobody-asked' }
    case 'jwt':
    case 'oauth':
      return deciding === undefined ? { kind: 'missing' } : { kind: 'check', deciding, alongside: [] }
    case 'both':
      return deciding === undefined ? { kind: 'missing' } : { kind: 'check', deciding, alongside }
  }
}

/** Whether two valid credentials are of one person: a caller is (issuer, subject), never the subject alone (PRODUCT.md, 3). */
export function isSamePerson(
  one: Pick<Caller, 'issuer' | 'subject'>,
  other: Pick<Caller, 'issuer' | 'subject'>,
): boolean {
  return one.issuer === other.issuer && one.subject === other.subject
}

import type { CallerGrant } from '../../identify/caller.ts'
import type { Principals } from '../principals.ts'
import type { KnownClients } from './known-clients.ts'

/** Subjects of other issuers, whose tokens were exchanged: none of our people is called so. */
export const FOREIGN = 'ext_'

/**
 * Whether a token without a consent still stands: on its client, which the settings must still give the grant, and on the
 * person where there is one.
 */
export async function standsOnClient(
  { clientId, subject }: CallerGrant,
  accountId: string,
  { clients, principals }: { readonly clients: KnownClients; readonly principals: Principals },
): Promise<boolean> {
  if (subject === clientId) return clients.withGrant(clientId, 'client_credentials') !== undefined
  if (subject.startsWith(FOREIGN)) return clients.withGrant(clientId, 'token_exchange') !== undefined
  // At first from an enterprise's identity provider, perhaps exchanged since.
  const grants = ['jwt_bearer', 'token_exchange'] as const
  if (grants.every((grant) => clients.withGrant(clientId, grant) === undefined)) return false
  const principal = await principals.find(subject)
  return principal !== undefined && principals.mayUse(principal, { accountId })
}

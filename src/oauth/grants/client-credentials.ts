import type { ProviderContext } from 'oidc-provider'
import { checkAsking, type GrantOptions, textParameter } from './grant-options.ts'
import { GRANT_TYPE_OF } from './grant-types.ts'
import { issueToken } from './issue-token.ts'
import { type Refused, toLibraryError } from './refusal.ts'
import { grantScopes } from './scopes.ts'

/**
 * RFC 6749 §4.4, SEP-1046: a program gets a token for itself. How it proves itself is checked before: `client_secret_basic`,
 * `client_secret_post` or `private_key_jwt`, whose assertion counts once.
 */
export function clientCredentials(options: GrantOptions) {
  return async (context: ProviderContext): Promise<void> => {
    const fail = (refusal: Refused) => toLibraryError(options.library, refusal)
    const asking = checkAsking(context, 'client_credentials', options)
    if (!asking.ok) throw fail(asking)
    const granted = grantScopes(textParameter(context, 'scope'), asking.resource, [asking.client.scopes])
    if (!granted.ok) throw fail(granted)
    await issueToken(
      context,
      {
        subject: undefined,
        resource: asking.resource,
        scopes: granted.scopes,
        lifeSeconds: options.accessTokenTtlSeconds,
        grantType: GRANT_TYPE_OF.client_credentials,
      },
      options,
    )
  }
}

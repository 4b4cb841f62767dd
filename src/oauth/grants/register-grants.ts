import type { Provider } from 'oidc-provider'
import { clientCredentials } from './client-credentials.ts'
import type { GrantOptions } from './grant-options.ts'
import { GRANT_TYPE_OF } from './grant-types.ts'

/** Adds the grants that are ours, each only when some client has it: the metadata say exactly what is on. */
export function registerGrants(provider: Provider, options: GrantOptions): void {
  const { clients } = options
  if (clients.someHave('client_credentials')) {
    provider.registerGrantType(GRANT_TYPE_OF.client_credentials, clientCredentials(options), ['scope', 'resource'])
  }
}

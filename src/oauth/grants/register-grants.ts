import type { Provider } from 'oidc-provider'
import { clientCredentials } from './client-credentials.ts'
import { GRANT_TYPE_OF } from './grant-types.ts'
import { type JwtBearerOptions, jwtBearer } from './jwt-bearer.ts'
import { EXCHANGE_PARAMETERS, type TokenExchangeOptions, tokenExchange } from './token-exchange.ts'

export type RegisteredGrantOptions = TokenExchangeOptions & JwtBearerOptions

/** Adds the grants that are ours, each only when some client has it: the metadata say exactly what is on. */
export function registerGrants(provider: Provider, options: RegisteredGrantOptions): void {
  const { clients } = options
  if (clients.someHave('client_credentials')) {
    provider.registerGrantType(GRANT_TYPE_OF.client_credentials, clientCredentials(options), ['scope', 'resource'])
  }
  if (clients.someHave('token_exchange')) {
    provider.registerGrantType(GRANT_TYPE_OF.token_exchange, tokenExchange(options), EXCHANGE_PARAMETERS)
  }
  if (clients.someHave('jwt_bearer')) {
    provider.registerGrantType(GRANT_TYPE_OF.jwt_bearer, jwtBearer(options), ['assertion', 'scope', 'resource'])
  }
}

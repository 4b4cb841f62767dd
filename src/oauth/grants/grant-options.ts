import type * as Library from 'oidc-provider'
import type { ProviderContext } from 'oidc-provider'
import type { OAuthResource, OAuthResources } from '../resources.ts'
import { findResource } from '../resources.ts'
import type { OAuthClientSettings } from './client-settings.ts'
import { GRANT_TYPE_OF, type GrantName } from './grant-types.ts'
import { type KnownClients, mayEnter } from './known-clients.ts'
import { type Refused, refused } from './refusal.ts'

/** What every grant of ours is made with. */
export interface GrantOptions {
  readonly library: Pick<typeof Library, 'errors'>
  readonly publicUrl: string
  readonly clients: KnownClients
  readonly resources: OAuthResources
  readonly accessTokenTtlSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Who asks, and for which workspace. */
export interface Asking {
  readonly ok: true
  readonly client: OAuthClientSettings
  readonly resource: OAuthResource
}

/**
 * The first checks of every grant at which no person is asked. The library has seen the client's proof by then: the client is
 * of the settings and has this grant, and the workspace is one that it may enter.
 */
export function checkAsking(
  { oidc }: ProviderContext,
  grant: GrantName,
  { clients, resources, publicUrl }: GrantOptions,
): Asking | Refused {
  const client = clients.withGrant(oidc.client?.clientId ?? '', grant)
  if (client === undefined) {
    return refused('unauthorized_client', `this client may not use ${GRANT_TYPE_OF[grant]}`)
  }
  const named = oidc.params?.['resource']
  if (named !== undefined && typeof named !== 'string') {
    return refused('invalid_target', 'give one resource: a token is for one workspace')
  }
  const resource = findResource(named, { resources, publicUrl })
  if (resource === undefined) {
    const why = named === undefined ? 'send resource with the URL of one workspace' : 'resource names no workspace here'
    return refused('invalid_target', `${why} that takes our tokens`)
  }
  if (!mayEnter(client, resource)) return refused('invalid_target', 'this client may not enter that workspace')
  return { ok: true, client, resource }
}

/** A parameter of the token request; undefined when it is not there. */
export function textParameter({ oidc }: ProviderContext, name: string): string | undefined {
  const value = oidc.params?.[name]
  return typeof value === 'string' ? value : undefined
}

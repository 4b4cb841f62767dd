import type { Provider, ProviderContext } from 'oidc-provider'

/** A grant that the library does not have: what a client sends to the token endpoint, and what it gets for it. */
export interface ExtraGrant {
  /** `grant_type`. */
  readonly name: string
  /** What the request may hold besides. */
  readonly parameters: readonly string[]
  handle(context: ProviderContext): Promise<void>
}

/** Those that there are. */
const EXTRA_GRANTS: readonly ExtraGrant[] = []

/** Their names, for what clients may register. */
export const EXTRA_GRANT_TYPES: readonly string[] = EXTRA_GRANTS.map(({ name }) => name)

/** Adds them to the library. */
export function registerGrants(provider: Provider): void {
  for (const { name, parameters, handle } of EXTRA_GRANTS) {
    provider.registerGrantType(name, handle, [...parameters, 'resource'])
  }
}

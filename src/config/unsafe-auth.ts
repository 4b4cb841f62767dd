import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import { type ConfiguredNames, PublicUrls } from '../http/public-urls.ts'
import { createIdentity, type IdentityOptions } from '../identify/identify.ts'
import { KeySets } from '../identify/key-sets.ts'
import { createOAuthCredentials, type OAuthCredentials } from '../identify/oauth.ts'
import { ResultCache } from '../identify/result-cache.ts'
import { Issuers } from '../oauth/issuers.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'

/** What a configuration says about callers. */
export interface ConfiguredAuth extends ConfiguredNames {
  readonly auth?: InboundAuthSettings | undefined
  readonly workspaces: readonly { readonly auth?: InboundAuthSettings | undefined }[]
  readonly isDevelopment: boolean
}

/**
 * Why callers cannot be checked as it is configured, one line a problem: a short or well-known secret, a key set without an
 * audience. Compiles each setting as a workspace would and throws it away: a gateway without workspaces must not start on
 * settings that its first workspace cannot have. Fetches nothing.
 */
export function unsafeAuth(config: ConfiguredAuth): readonly string[] {
  const { auth, workspaces, isDevelopment } = config
  const egress = createEgress()
  const options: IdentityOptions = {
    now: Date.now,
    isDevelopment,
    reach: 'operator',
    keySets: new KeySets({ egress, now: Date.now }),
    egress,
    results: new ResultCache(),
    oauth: noTokens(new Issuers(new PublicUrls(config))),
    target: { path: '/', accountId: '' },
  }
  const places = [
    { place: 'auth', settings: auth },
    ...workspaces.map((workspace, index) => ({ place: `workspaces.${index}.auth`, settings: workspace.auth })),
  ]
  return places.flatMap(({ place, settings }) => {
    const problem = settings === undefined ? undefined : problemOf(settings, options)
    return problem === undefined ? [] : [`${place}: ${problem}`]
  })
}

/** Stands for the authorization server, and asks of its addresses what that would. */
function noTokens(issuers: Issuers): OAuthCredentials {
  return createOAuthCredentials({
    issuers,
    keys: { find: () => undefined },
    usedProofs: { take: async () => false },
    isRevoked: () => true,
    claimsOf: async () => undefined,
    now: Date.now,
  })
}

function problemOf(settings: InboundAuthSettings, options: IdentityOptions): string | undefined {
  try {
    createIdentity(settings, options)
    return undefined
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'config_invalid') return error.message
    throw error
  }
}

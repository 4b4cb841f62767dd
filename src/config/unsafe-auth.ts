import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import { createIdentity, type IdentityOptions } from '../identify/identify.ts'
import { KeySets } from '../identify/key-sets.ts'
import { ResultCache } from '../identify/result-cache.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'

/** What a configuration says about callers. */
export interface ConfiguredAuth {
  readonly auth?: InboundAuthSettings | undefined
  readonly workspaces: readonly { readonly auth?: InboundAuthSettings | undefined }[]
  readonly isDevelopment: boolean
}

/**
 * Why callers cannot be checked as it is configured, one line a problem: a short or well-known secret, a key set without an
 * audience. Compiles each setting as a workspace would and throws it away: a gateway without workspaces must not start on
 * settings that its first workspace cannot have. Fetches nothing.
 */
export function unsafeAuth({ auth, workspaces, isDevelopment }: ConfiguredAuth): readonly string[] {
  const egress = createEgress()
  const options: IdentityOptions = {
    now: Date.now,
    isDevelopment,
    reach: 'operator',
    keySets: new KeySets({ egress, now: Date.now }),
    egress,
    results: new ResultCache(),
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

function problemOf(settings: InboundAuthSettings, options: IdentityOptions): string | undefined {
  try {
    createIdentity(settings, options)
    return undefined
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'config_invalid') return error.message
    throw error
  }
}

import { GatewayError } from '../../errors.ts'
import { untrustedUrl } from '../../identify/key-set-url.ts'
import { reasonForLog } from './failure.ts'
import { createGithubProvider } from './github.ts'
import { UsedStates } from './memory.ts'
import { createOidcProvider, type FederationOptions } from './oidc.ts'
import { googlePlan, microsoftPlan, oidcPlan } from './presets.ts'
import { providerIdOf, type SignInProviderSettings } from './settings.ts'
import type { SignInProvider } from './sign-in-provider.ts'

export interface SignInProvidersOptions extends Omit<FederationOptions, 'usedStates'> {
  /** Told why a sign-in failed, without secrets. */
  readonly onFailure?: (id: string, reason: string) => void
}

/**
 * The providers where people can sign in, in the order of the settings. Calls nobody: `start` of each does.
 *
 * Import this file dynamically: it brings `openid-client`, which a gateway without sign-in does not need.
 *
 * @throws GatewayError `config_invalid` for an address that cannot be trusted, or a key that cannot be used.
 */
export function createSignInProviders(
  settings: readonly SignInProviderSettings[],
  { onFailure = () => {}, ...options }: SignInProvidersOptions,
): readonly SignInProvider[] {
  const shared = { ...options, usedStates: new UsedStates() }
  return settings.map((one) => told(createOne(one, shared), onFailure))
}

/** The provider, with every sign-in that failed told to the operator: people learn only the kind of failure. */
function told(provider: SignInProvider, onFailure: (id: string, reason: string) => void): SignInProvider {
  const watch = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work
    } catch (error) {
      onFailure(provider.id, error instanceof GatewayError ? reasonForLog(error) : 'unexpected failure')
      throw error
    }
  }
  return {
    ...provider,
    begin: (options) => watch(provider.begin(options)),
    finish: (options) => watch(provider.finish(options)),
  }
}

function createOne(settings: SignInProviderSettings, options: FederationOptions): SignInProvider {
  checkAddresses(settings)
  switch (settings.type) {
    case 'google':
      return createOidcProvider(googlePlan(settings), options)
    case 'microsoft':
      return createOidcProvider(microsoftPlan(settings), options)
    case 'oidc':
      return createOidcProvider(oidcPlan(settings), options)
    case 'github':
      return createGithubProvider(settings, options)
  }
}

/** https, or http on a private address, as for key sets (PRODUCT.md, 12). */
function checkAddresses(settings: SignInProviderSettings): void {
  for (const [key, value] of addressesOf(settings)) {
    const problem = value === undefined ? undefined : untrustedUrl(value, 'operator')
    if (problem === undefined) continue
    throw new GatewayError('config_invalid', `oauth.providers: ${key} of ${providerIdOf(settings)} ${problem}.`)
  }
}

function addressesOf(settings: SignInProviderSettings): readonly (readonly [string, string | undefined])[] {
  switch (settings.type) {
    case 'google':
    case 'oidc':
      return [['issuer', settings.issuer]]
    case 'microsoft':
      return [['baseUrl', settings.baseUrl]]
    case 'github':
      return [
        ['baseUrl', settings.baseUrl],
        ['apiUrl', settings.apiUrl],
      ]
  }
}

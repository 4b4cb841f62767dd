import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  type IDToken,
  type ServerMetadata,
} from 'openid-client'
import type { Egress } from '../../egress/egress.ts'
import { isAllowed, plainEmail, plainName } from '../../identify/allowed.ts'
import type { AllowSettings } from '../../workspaces/allow-settings.ts'
import { providerCaller } from './call-provider.ts'
import { clientAuthOf } from './client-auth.ts'
import { Discovery } from './discovery.ts'
import { type Failing, notProven, signInFailure } from './failure.ts'
import { callbackOf, newMemory, type UsedStates } from './memory.ts'
import type { Identity, SignInMemory, SignInProvider } from './sign-in-provider.ts'

/** What a provider needs of the gateway. */
export interface FederationOptions {
  readonly egress: Egress
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly usedStates: UsedStates
  /** Of each call to a provider. Default: 5 s. */
  readonly timeoutMs?: number
  /** Ends calls under way. */
  readonly signal?: AbortSignal | undefined
}

type Claims = Readonly<Record<string, unknown>>

/** An OpenID provider as the settings or a preset describe it. */
export interface OidcPlan {
  readonly id: string
  readonly name: string
  readonly clientId: string
  readonly clientSecret?: string | undefined
  readonly privateKey?: string | undefined
  readonly privateKeyId?: string | undefined
  readonly scopes: readonly string[]
  readonly allow: AllowSettings
  /** Its metadata stand under this. */
  readonly discoveryUrl: string
  /** Where an address of the provider really is. Default: there. */
  readonly movedTo?: (url: string) => string
  /** Why these are not the provider’s metadata. */
  readonly problemOfMetadata: (metadata: Readonly<ServerMetadata>) => string | undefined
  /** Why an id_token of this provider is not taken, past what OpenID Connect says. `metadata` are checked. */
  readonly problemOfClaims: (claims: Claims, metadata: Readonly<ServerMetadata>) => string | undefined
  /** Whether `email` in these claims is one that the provider has checked. */
  readonly isEmailVerified: (claims: Claims) => boolean
  /** Domains of whom the account belongs to; undefined: the e-mail’s own. */
  readonly ownersOf: (claims: Claims, email: string) => readonly string[] | undefined
}

/** Signs people in by the authorization code flow of OpenID Connect Core 1.0 (§3.1) with PKCE S256, state and nonce. */
export function createOidcProvider(plan: OidcPlan, options: FederationOptions): SignInProvider {
  const { id, name } = plan
  const failing: Failing = { name, secrets: [plan.clientSecret ?? ''] }
  const { now, usedStates } = options
  const { movedTo = (url) => url } = plan
  const send = providerCaller({ ...options, calledAs: name })
  const discovery = new Discovery({
    ...failing,
    url: new URL(plan.discoveryUrl),
    clientId: plan.clientId,
    clientAuth: clientAuthOf(plan),
    problemOf: plan.problemOfMetadata,
    base: new URL(movedTo(plan.discoveryUrl)),
    call: (url, request) => send(movedTo(url), request),
    now,
  })
  return {
    id,
    name,
    start: () => discovery.start(),
    stillAllows: ({ email, isAllowed: wasAllowed }) => wasAllowed && isAllowed(plan.allow, { email }),
    async begin({ redirectUri }) {
      const configuration = await discovery.get()
      const memory = newMemory({ providerId: id, redirectUri, now: now() })
      const url = buildAuthorizationUrl(configuration, {
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: plan.scopes.join(' '),
        state: memory.state,
        nonce: memory.nonce,
        code_challenge: await calculatePKCECodeChallenge(memory.codeVerifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, memory }
    },
    async finish(returned) {
      const url = callbackOf({ ...returned, providerId: id, now: now(), usedStates })
      const { memory } = returned
      const code = url.searchParams.get('code') ?? ''
      const secrets = [...failing.secrets, code, memory.codeVerifier]
      return prove(plan, await discovery.get(), { url, memory, failing: { name, secrets } })
    },
  }
}

interface Proof {
  readonly url: URL
  readonly memory: SignInMemory
  readonly failing: Failing
}

async function prove(plan: OidcPlan, configuration: Configuration, proof: Proof): Promise<Identity> {
  const { failing } = proof
  const { idToken, accessToken } = await redeem(configuration, proof)
  const metadata = configuration.serverMetadata()
  const problem = plan.problemOfClaims(idToken, metadata)
  if (problem !== undefined) throw notProven(failing, problem)
  const profile = await profileOf(configuration, { idToken, accessToken, failing })
  const email = plan.isEmailVerified(profile) ? plainEmail(profile['email']) : undefined
  const ownedBy = email === undefined ? undefined : plan.ownersOf(idToken, email)
  return {
    issuer: idToken.iss,
    subject: idToken.sub,
    email,
    name: plainName(profile['name'], idToken['name'], profile['preferred_username']),
    isAllowed: isAllowed(plan.allow, { email, ownedBy }),
  }
}

/** Trades the code for an id_token that holds: issuer, audience, times, nonce, signature (OIDC Core §3.1.3.7). */
async function redeem(
  configuration: Configuration,
  { url, memory, failing }: Proof,
): Promise<{ readonly idToken: IDToken; readonly accessToken: string }> {
  try {
    const tokens = await authorizationCodeGrant(configuration, url, {
      expectedState: memory.state,
      expectedNonce: memory.nonce,
      pkceCodeVerifier: memory.codeVerifier,
      idTokenExpected: true,
    })
    const idToken = tokens.claims()
    if (idToken === undefined) throw notProven(failing, 'there is no id_token')
    return { idToken, accessToken: tokens.access_token }
  } catch (error) {
    throw signInFailure(failing, error)
  }
}

/**
 * The claims about the person: of the id_token where it has an e-mail, else of userinfo. Never mixed: an e-mail of the one
 * and the word that it is verified of the other would prove nothing.
 */
async function profileOf(
  configuration: Configuration,
  { idToken, accessToken, failing }: { idToken: IDToken; accessToken: string; failing: Failing },
): Promise<Claims> {
  if (idToken['email'] !== undefined || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken
  try {
    // Of the same subject, or it is refused (OIDC Core §5.3.2).
    return await fetchUserInfo(configuration, accessToken, idToken.sub)
  } catch (error) {
    throw signInFailure({ ...failing, secrets: [...failing.secrets, accessToken] }, error)
  }
}

import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  Configuration,
  type CustomFetch,
  calculatePKCECodeChallenge,
  customFetch,
} from 'openid-client'
import * as z from 'zod'
import { isAllowed, plainEmail, plainName } from '../../identify/allowed.ts'
import { providerCaller } from './call-provider.ts'
import { type Failing, notProven, providerUnavailable, signInFailure } from './failure.ts'
import { callbackOf, newMemory } from './memory.ts'
import type { FederationOptions } from './oidc.ts'
import { type GithubSettings, providerIdOf } from './settings.ts'
import type { Identity, SignInMemory, SignInProvider } from './sign-in-provider.ts'

const user = z.object({ id: z.int().positive(), login: z.string().optional(), name: z.string().nullish() })
const emails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() })).max(1_000)

interface Github {
  readonly settings: GithubSettings
  readonly apiUrl: string
  readonly configuration: Configuration
  readonly call: CustomFetch
}

/**
 * GitHub, which speaks OAuth 2.0 and no OpenID Connect: who it is, its API says. The subject is the numeric id, since names
 * are given up and taken by others.
 */
export function createGithubProvider(settings: GithubSettings, options: FederationOptions): SignInProvider {
  const { baseUrl } = settings
  const id = providerIdOf(settings)
  const name = settings.name ?? 'GitHub'
  const call = providerCaller({ ...options, calledAs: name })
  const github: Github = {
    settings,
    apiUrl: settings.apiUrl ?? (baseUrl === 'https://github.com' ? 'https://api.github.com' : `${baseUrl}/api/v3`),
    configuration: configure(settings, call),
    call,
  }
  const { now, usedStates } = options
  return {
    id,
    name,
    // There are no metadata to read: its addresses are known.
    start: async () => undefined,
    stillAllows: ({ email, isAllowed: wasAllowed }) => wasAllowed && isAllowed(settings.allow, { email }),
    async begin({ redirectUri }) {
      const memory = newMemory({ providerId: id, redirectUri, now: now() })
      const url = buildAuthorizationUrl(github.configuration, {
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'read:user user:email',
        state: memory.state,
        code_challenge: await calculatePKCECodeChallenge(memory.codeVerifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, memory }
    },
    async finish(returned) {
      const url = callbackOf({ ...returned, providerId: id, now: now(), usedStates })
      const { memory } = returned
      const secrets = [settings.clientSecret, url.searchParams.get('code') ?? '', memory.codeVerifier]
      const accessToken = await redeem(github, { url, memory, failing: { name, secrets } })
      return readProfile(github, accessToken, { name, secrets: [...secrets, accessToken] })
    },
  }
}

function configure(settings: GithubSettings, call: CustomFetch): Configuration {
  const { baseUrl, clientId, clientSecret } = settings
  const configuration = new Configuration(
    {
      // What it says in `iss` of its authorization responses since 2026 (RFC 9207), where it says it.
      issuer: `${baseUrl}/login/oauth`,
      authorization_endpoint: `${baseUrl}/login/oauth/authorize`,
      token_endpoint: `${baseUrl}/login/oauth/access_token`,
    },
    clientId,
    undefined,
    ClientSecretPost(clientSecret),
  )
  configuration[customFetch] = withErrorsAsErrors(call)
  if (baseUrl.startsWith('http:')) allowInsecureRequests(configuration)
  return configuration
}

/** GitHub answers a refusal with 200 and an `error` in it, which RFC 6749 §5.2 wants to be 400. */
function withErrorsAsErrors(call: CustomFetch): CustomFetch {
  return async (url, options) => {
    const response = await call(url, options)
    if (response.status !== 200) return response
    const text = await response.text()
    const body = parseJson(text)
    const isRefusal = isObject(body) && 'error' in body && !('access_token' in body)
    return new Response(text, { status: isRefusal ? 400 : 200, headers: response.headers })
  }
}

async function redeem(
  { configuration }: Github,
  { url, memory, failing }: { url: URL; memory: SignInMemory; failing: Failing },
): Promise<string> {
  try {
    const tokens = await authorizationCodeGrant(configuration, url, {
      expectedState: memory.state,
      pkceCodeVerifier: memory.codeVerifier,
    })
    return tokens.access_token
  } catch (error) {
    throw signInFailure(failing, error)
  }
}

async function readProfile(github: Github, accessToken: string, failing: Failing): Promise<Identity> {
  const { settings } = github
  const get = (path: string) => read(github, { path, accessToken, failing })
  const found = user.safeParse(await get('/user'))
  if (!found.success) throw notProven(failing, 'the API said nothing that describes a user')
  const listed = emails.safeParse(await get('/user/emails'))
  if (!listed.success) throw notProven(failing, 'the API said nothing that is a list of e-mail addresses')
  // The primary one only: others are kept for old commits and change hands.
  const primary = listed.data.find((one) => one.primary)
  const email = primary?.verified === true ? plainEmail(primary.email) : undefined
  return {
    issuer: settings.baseUrl,
    subject: String(found.data.id),
    email,
    name: plainName(found.data.name, found.data.login),
    isAllowed: isAllowed(settings.allow, { email }),
  }
}

async function read(
  { apiUrl, call }: Github,
  { path, accessToken, failing }: { path: string; accessToken: string; failing: Failing },
): Promise<unknown> {
  const headers = { accept: 'application/vnd.github+json', authorization: `Bearer ${accessToken}` }
  try {
    const response = await call(apiUrl + path, { method: 'GET', headers, body: undefined, redirect: 'manual' })
    if (response.status === 200) return parseJson(await response.text())
    const reason = `${path} of its API answered ${response.status}`
    const mayPass = response.status >= 500 || response.status === 429
    throw mayPass ? providerUnavailable(failing, reason) : notProven(failing, reason)
  } catch (error) {
    throw signInFailure(failing, error)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whatever it is, the shape that is looked for is not in it.
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

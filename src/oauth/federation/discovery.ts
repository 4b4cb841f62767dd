import {
  allowInsecureRequests,
  type ClientAuth,
  type Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  type ServerMetadata,
} from 'openid-client'
import { GatewayError } from '../../errors.ts'
import { untrustedUrl } from '../../identify/key-set-url.ts'
import { type Failing, notProven, reasonForLog, signInFailure } from './failure.ts'

export interface DiscoveryOptions extends Failing {
  /** Metadata are read under this URL (OpenID Connect Discovery 1.0 §4). */
  readonly url: URL
  /** Where that really is: decides whether http is allowed. */
  readonly base: URL
  readonly clientId: string
  readonly clientAuth: () => Promise<ClientAuth>
  /** Why these metadata are not the ones of this provider; undefined: they are. */
  readonly problemOf: (metadata: Readonly<ServerMetadata>) => string | undefined
  readonly call: CustomFetch
  readonly now: () => number
}

/** From this age on metadata are read again while they are still used. */
const REFRESH_AFTER_MS = 60 * 60_000
/** How long the last ones are used while the provider is down. */
const KEEP_MS = 24 * 60 * 60_000
/** Between two tries that fail, for all who want to sign in. */
const RETRY_AFTER_MS = 5_000
/** Endpoints that we or the browser are sent to. */
const ENDPOINTS = ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri'] as const

/**
 * The metadata of one OpenID provider, read once and kept fresh on use; a provider that is down is tried again on use, at
 * most every five seconds, one request at a time. The key set is kept with them, five minutes, by `openid-client`.
 */
export class Discovery {
  readonly #options: DiscoveryOptions
  #found: { readonly configuration: Configuration; readonly at: number } | undefined
  #reading: Promise<void> | undefined
  #failed: { readonly error: GatewayError; readonly at: number } | undefined

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  /** The problem, when there is nothing to work with. Never throws. */
  async start(): Promise<string | undefined> {
    if (this.#found === undefined) await this.#read()
    return this.#found === undefined && this.#failed !== undefined ? reasonForLog(this.#failed.error) : undefined
  }

  /** @throws GatewayError `identity_provider_unavailable`, or `login_failed` when its metadata cannot be trusted. */
  async get(): Promise<Configuration> {
    const { now } = this.#options
    const age = this.#found === undefined ? Number.POSITIVE_INFINITY : now() - this.#found.at
    if (age >= KEEP_MS) this.#found = undefined
    const mayTry = this.#failed === undefined || now() - this.#failed.at >= RETRY_AFTER_MS
    if (age >= REFRESH_AFTER_MS && (mayTry || this.#reading !== undefined)) {
      const reading = this.#read()
      if (this.#found === undefined) await reading
    }
    if (this.#found !== undefined) return this.#found.configuration
    throw this.#failed?.error ?? notProven(this.#options, 'there are no metadata')
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readOnce(): Promise<void> {
    const { now } = this.#options
    try {
      this.#found = { configuration: await this.#discover(), at: now() }
      this.#failed = undefined
    } catch (error) {
      const failure = error instanceof GatewayError ? error : signInFailure(this.#options, error)
      this.#failed = { error: failure, at: now() }
    }
  }

  async #discover(): Promise<Configuration> {
    const { url, base, clientId, clientAuth, call, problemOf } = this.#options
    const execute = [enableNonRepudiationChecks]
    if (base.protocol === 'http:') execute.push(allowInsecureRequests)
    // The signature of an id_token is checked too, although TLS to the token endpoint could take its place (OIDC Core §3.1.3.7).
    const configuration = await discovery(url, clientId, undefined, await clientAuth(), {
      [customFetch]: call,
      execute,
    })
    const metadata = configuration.serverMetadata()
    const problem = problemOf(metadata) ?? untrustedEndpoint(metadata, base)
    if (problem !== undefined) throw notProven(this.#options, problem)
    return configuration
  }
}

/** A provider that is reached over http, on a private address, may not send us out over http to a public one. */
function untrustedEndpoint(metadata: Readonly<ServerMetadata>, base: URL): string | undefined {
  for (const name of ENDPOINTS) {
    const value = metadata[name]
    if (value === undefined) {
      if (name === 'userinfo_endpoint') continue
      return `its metadata have no ${name}`
    }
    if (typeof value !== 'string') return `${name} in its metadata is not a text`
    if (base.protocol === 'https:' && !value.startsWith('https://')) return `${name} in its metadata is not https`
    const problem = untrustedUrl(value, 'operator')
    if (problem !== undefined) return `${name} in its metadata ${problem}`
  }
  return undefined
}

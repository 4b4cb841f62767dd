import type { Egress, Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { FailedAuthLimit } from '../limits/failed-auth.ts'
import { devSettings, type InboundAuthSettings } from '../workspaces/settings.ts'
import { anonymous, type Caller, localCaller } from './caller.ts'
import { findCredential } from './credential.ts'
import { createDevIdentity } from './dev-identity.ts'
import type { IssuedCredentials } from './issued.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import { createJwtVerifier, type JwtVerifier, type Verified } from './jwt-verifier.ts'
import { isLoopbackHost } from './key-set-url.ts'
import type { KeySets } from './key-sets.ts'
import type { ResultCache, ResultKey } from './result-cache.ts'
import { member, readToken } from './unverified-token.ts'
import { type UserinfoVerifier, userinfoOf } from './userinfo.ts'

/** Says who is calling, by the settings of one workspace. Compiled when they change. */
export interface Identity {
  /** Issuers that can be authorization servers (RFC 9728 §2, `authorization_servers`). */
  readonly authorizationServers: readonly string[]
  /** `authType` is `none`: everybody may call, and nobody is asked who he is. */
  readonly isOpenToAll: boolean
  /** Fetches the keys of every issuer. Gives the problems, for the log; never throws. */
  start(): Promise<readonly string[]>
  /**
   * The caller; at once, without a promise, when the token was seen a moment ago.
   *
   * Does not check scopes. @throws (or rejects with) GatewayError `missing_token`, `invalid_token` (its message names the
   * kind of failure), `identity_provider_unavailable`, or `forbidden` for somebody known who may not come in.
   */
  identify(request: IdentifyRequest, workspaceId: string): Caller | Promise<Caller>
  /** Whether a caller whom `identify` gave may go on; false once what he came with was revoked. */
  isGood(caller: Caller, workspaceId: string): boolean
  /** The scopes that every call of this caller needs. */
  requiredScopes(caller: Caller): readonly string[]
}

export type IdentifyRequest = Pick<Exchange, 'header' | 'transport' | 'clientAddress'>

export interface IdentityOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** NODE_ENV is `test` or `development`. */
  readonly isDevelopment: boolean
  /** Who wrote the settings: how far their URLs may reach. */
  readonly reach: Reach
  readonly keySets: KeySets
  /** How a provider is asked for userinfo. Undefined: it cannot be. */
  readonly egress?: Egress | undefined
  readonly results: ResultCache
  /** A request without any credential is let through as the anonymous caller: some tools are public. Default: refused. */
  readonly allowsAnonymous?: boolean
  /** Slows down whoever guesses. A caller whose credential was good a moment ago is let in all the same. */
  readonly failedAuth?: FailedAuthLimit | undefined
  /** Tokens and API keys that we issued. Undefined: we issue none, and know only the workspace's own verifiers. */
  readonly issued?: IssuedCredentials | undefined
}

/**
 * Compiles the inbound settings of a workspace.
 *
 * @throws GatewayError `config_invalid` when they are unsafe, cannot work, or leave open which verifier takes a token.
 */
export function createIdentity(inbound: InboundAuthSettings, options: IdentityOptions): Identity {
  switch (inbound.authType) {
    case 'none':
      return openToAll
    case 'jwt':
      return new JwtIdentity(inbound, options)
    case 'dev':
      return createDevIdentity(inbound.dev ?? devSettings.parse({}), options)
    case 'oauth':
    case 'both':
      throw new GatewayError(
        'config_invalid',
        `authType ${inbound.authType} needs Gatehouse’s own authorization server, which this version does not have. Use jwt with the issuer’s jwksUrl.`,
      )
  }
}

/** `authType: 'none'`: nobody is asked, and credentials are not looked at. */
const openToAll: Identity = {
  authorizationServers: [],
  isOpenToAll: true,
  start: async () => [],
  identify: (request) => (request.transport === 'stdio' ? localCaller : anonymous),
  isGood: () => true,
  requiredScopes: () => [],
}

class JwtIdentity implements Identity {
  readonly isOpenToAll = false
  readonly authorizationServers: readonly string[]
  readonly #options: IdentityOptions
  readonly #verifiers: readonly JwtVerifier[]
  readonly #byIssuer: ReadonlyMap<string, JwtVerifier>
  readonly #ofAnyIssuer: JwtVerifier | undefined
  readonly #userinfo: UserinfoVerifier | undefined
  /** What every verifier asks for, a credential of ours must have too. */
  readonly #scopesOfAll: readonly string[]

  constructor(inbound: InboundAuthSettings, options: IdentityOptions) {
    const { now, isDevelopment, keySets, reach } = options
    const openKeySet = (url: string) => keySets.open(url, reach)
    this.#options = options
    // Without one nobody comes in but with what we issue: so it is once such a credential opened the workspace (FEATURES, B3).
    this.#userinfo = userinfoOf(inbound.userinfo, options)
    const hasVerifier = inbound.jwt.length > 0 || this.#userinfo !== undefined
    if (!hasVerifier && options.issued === undefined) throw nobody()
    this.#verifiers = inbound.jwt.map((settings) => createJwtVerifier(settings, { now, isDevelopment, openKeySet }))
    this.#byIssuer = verifiersByIssuer(this.#verifiers)
    this.#ofAnyIssuer = this.#verifiers.find((verifier) => verifier.issuers === undefined)
    this.#scopesOfAll = scopesOfAll(this.#verifiers)
    const issuers = [...this.#byIssuer.keys()]
    if (this.#userinfo !== undefined && issuers.includes(this.#userinfo.issuer)) {
      throw ambiguous(`A jwt entry and userinfo have the issuer ${quoted(this.#userinfo.issuer)}`)
    }
    if (this.#userinfo !== undefined) issuers.push(this.#userinfo.issuer)
    this.authorizationServers = issuers.filter(isAuthorizationServer)
  }

  async start(): Promise<readonly string[]> {
    const problems = await Promise.all(this.#verifiers.map((verifier) => verifier.start()))
    return problems.filter((problem) => problem !== undefined)
  }

  identify(request: IdentifyRequest, workspaceId: string): Caller | Promise<Caller> {
    // Over stdio the process that started us is the caller: it has no header to send (FEATURES.md, A34).
    if (request.transport === 'stdio') return localCaller
    const { issued } = this.#options
    const credential = findCredential({
      authorization: request.header('authorization'),
      apiKey: issued === undefined ? undefined : request.header('x-api-key'),
      agentSession: request.header('agent-session'),
    })
    if (credential.kind === 'none') {
      if (!credential.malformed && this.#options.allowsAnonymous === true) return anonymous
      if (!credential.malformed) throw new GatewayError('missing_token', 'No authorization header provided')
      throw new GatewayError('invalid_token', 'Invalid authorization format. Expected: Bearer <token>')
    }
    if (issued?.takesKey(credential) === true) {
      return this.#acceptKey(issued.callerOfKey(credential.token, workspaceId), request.clientAddress)
    }
    const key: ResultKey = { owner: this, workspaceId, token: credential.token }
    const { results, failedAuth, now } = this.#options
    const known = results.find(key, now())
    if (known === undefined) {
      return failedAuth === undefined ? this.#verify(key) : this.#verifyWithin(failedAuth, key, request.clientAddress)
    }
    // What was remembered counts only while it is not revoked and still opens this workspace: one lookup (PRODUCT.md, 7).
    return known.issuedId === undefined ? known : accepted(issued?.recheck(known, workspaceId) ?? UNKNOWN)
  }

  isGood(caller: Caller, workspaceId: string): boolean {
    return caller.issuedId === undefined || this.#options.issued?.isGood(caller, workspaceId) === true
  }

  requiredScopes(caller: Caller): readonly string[] {
    if (caller.kind === 'issued' || caller.kind === 'api-key') return this.#scopesOfAll
    if (caller.kind !== 'jwt') return []
    return this.#verifierOf(caller.issuer)?.requiredScopes ?? []
  }

  /** A key costs one lookup, so a good one is let in whatever its address has tried. */
  #acceptKey(found: Verified, address: string): Caller {
    const { failedAuth, now } = this.#options
    if (!found.ok) {
      failedAuth?.check(address, now())
      failedAuth?.failed(address, now())
    }
    return accepted(found)
  }

  async #verifyWithin(limit: FailedAuthLimit, key: ResultKey, address: string): Promise<Caller> {
    const { now } = this.#options
    limit.check(address, now())
    try {
      return await this.#verify(key)
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'invalid_token') limit.failed(address, now())
      throw error
    }
  }

  async #verify(key: ResultKey): Promise<Caller> {
    const token = readToken(key.token)
    if (this.#userinfo?.takes(token) === true) {
      const caller = accepted(await this.#userinfo.verify(key.token, token))
      this.#remember(key, caller, this.#userinfo.cacheTtlMs)
      return caller
    }
    if (!token.ok) throw refusal(token)
    const { issued } = this.#options
    if (issued?.takes(token) === true) {
      const caller = accepted(await verifySafely(() => issued.verify(token, key.workspaceId)))
      this.#remember(key, caller, issued.cacheTtlMs)
      return caller
    }
    const issuer = member(token.claims, 'iss')
    const verifier = this.#verifierOf(issuer)
    if (verifier === undefined) throw refusal(jwtFailure('issuer', `the token says iss ${quoted(issuer)}`))
    const caller = accepted(await verifySafely(() => verifier.verify(token)))
    this.#remember(key, caller, verifier.cacheTtlMs)
    return caller
  }

  /** By the token's own word, which is only believed once this verifier has checked it. Never by trying all. */
  #verifierOf(issuer: unknown): JwtVerifier | undefined {
    const [first] = this.#verifiers
    if (this.#verifiers.length === 1) return first
    return (typeof issuer === 'string' ? this.#byIssuer.get(issuer) : undefined) ?? this.#ofAnyIssuer
  }

  #remember(key: ResultKey, caller: Caller, cacheTtlMs: number): void {
    const now = this.#options.now()
    const expiresAt = (caller.expiresAtSeconds ?? Number.POSITIVE_INFINITY) * 1000
    const validUntil = Math.min(now + cacheTtlMs, expiresAt)
    if (validUntil > now) this.#options.results.keep(key, caller, validUntil)
  }
}

function verifiersByIssuer(verifiers: readonly JwtVerifier[]): ReadonlyMap<string, JwtVerifier> {
  const byIssuer = new Map<string, JwtVerifier>()
  for (const verifier of verifiers) {
    for (const issuer of new Set(verifier.issuers)) {
      if (byIssuer.has(issuer)) throw ambiguous(`Two jwt entries have the issuer ${quoted(issuer)}`)
      byIssuer.set(issuer, verifier)
    }
  }
  if (verifiers.filter((verifier) => verifier.issuers === undefined).length > 1) {
    throw ambiguous('Two jwt entries have no issuer')
  }
  return byIssuer
}

function scopesOfAll([first, ...others]: readonly JwtVerifier[]): readonly string[] {
  const scopes = first?.requiredScopes ?? []
  return scopes.filter((scope) => others.every(({ requiredScopes }) => requiredScopes.includes(scope)))
}

async function verifySafely(verify: () => Promise<Verified>): Promise<Verified> {
  try {
    return await verify()
  } catch (error) {
    // Whatever this is, it is no proof of who is calling: never open, and never a bare 500 (FEATURES.md, A24).
    throw new GatewayError('invalid_token', 'Authentication failed', { cause: error })
  }
}

const UNKNOWN = jwtFailure('revoked', 'nothing was issued here')

function accepted(verified: Verified): Caller {
  if (verified.ok) return verified.caller
  throw refusal(verified)
}

function refusal(failure: JwtFailure): GatewayError {
  // A text, so that the record shows it: the reason in our words.
  const cause = failure.detail
  if (failure.kind !== 'key_source') return new GatewayError('invalid_token', failure.message, { cause })
  return new GatewayError('identity_provider_unavailable', failure.message, { cause, retryAfterSeconds: 5 })
}

/**
 * An address that reads alike for every URL parser, shell and terminal: clients hand it to a browser (THREATS.md, T16). An
 * issuer has neither query nor fragment (RFC 8414 §2), and no password.
 */
const PLAIN_ADDRESS = /^https?:\/\/(?:[\w.~:/[\]+=,-]|%[0-9a-f]{2})+$/i

function isAuthorizationServer(issuer: string): boolean {
  const url = PLAIN_ADDRESS.test(issuer) ? URL.parse(issuer) : null
  if (url === null) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}

function nobody(): GatewayError {
  return new GatewayError('config_invalid', 'authType jwt needs a jwt entry: nobody could come in.')
}

function ambiguous(problem: string): GatewayError {
  return new GatewayError('config_invalid', `${problem}: which one takes a token is decided by its iss alone.`)
}

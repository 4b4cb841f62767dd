import { GatewayError } from '../errors.ts'
import type { Asking } from '../http/public-urls.ts'
import type { FailedAuthLimit } from '../limits/failed-auth.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'
import { anonymous, type Caller, localCaller } from './caller.ts'
import { chooseCredentials, isSamePerson, type Presented } from './choose-credentials.ts'
import { type CredentialHeaders, findBoundToken, findCredential, presentedCredentials } from './credential.ts'
import { boundAsBearer, malformedBoundToken, requireProof } from './dpop-request.ts'
import type { IdentifyRequest, Identity, IdentityOptions } from './identify.ts'
import type { IssuedCredentials } from './issued.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import { createJwtVerifier, type JwtVerifier, type Verified } from './jwt-verifier.ts'
import { isLoopbackHost } from './key-set-url.ts'
import type { OAuthCredentials } from './oauth.ts'
import type { ResultKey } from './result-cache.ts'
import { member, readToken } from './unverified-token.ts'
import { type UserinfoVerifier, userinfoOf } from './userinfo.ts'

/**
 * Says who is calling by the credential of the request: `authType` `jwt` (tokens of named issuers, and what we issue to
 * services), `oauth` (access tokens of our own authorization server) and `both`.
 */
export class CredentialIdentity implements Identity {
  readonly isOpenToAll = false
  readonly #options: IdentityOptions
  /** Owns the results of bound tokens. */
  readonly #holders = {}
  readonly #issued: IssuedCredentials | undefined
  readonly #oauth: OAuthCredentials | undefined
  /** Whether a second credential has to be good too. */
  readonly #checksAll: boolean
  readonly #verifiers: readonly JwtVerifier[]
  readonly #byIssuer: ReadonlyMap<string, JwtVerifier>
  readonly #ofAnyIssuer: JwtVerifier | undefined
  readonly #userinfo: UserinfoVerifier | undefined
  /** What every verifier asks for, a credential of ours must have too. */
  readonly #scopesOfAll: readonly string[]

  constructor(inbound: InboundAuthSettings, options: IdentityOptions) {
    const { now, isDevelopment, keySets, reach } = options
    const openKeySet = (url: string) => keySets.open(url, reach)
    const { authType } = inbound
    this.#options = options
    this.#issued = authType === 'oauth' ? undefined : options.issued
    this.#oauth = authType === 'jwt' ? undefined : requireServer(authType, options)
    this.#checksAll = authType === 'both'
    this.#userinfo = userinfoOf(inbound.userinfo, options)
    const hasVerifier = inbound.jwt.length > 0 || this.#userinfo !== undefined
    if (authType === 'oauth' && hasVerifier) throw unusedVerifiers()
    // Without one nobody comes in but with what we issue: so it is once such a credential opened the workspace (FEATURES, B3).
    if (authType === 'jwt' && !hasVerifier && options.issued === undefined) throw nobody()
    this.#verifiers = inbound.jwt.map((settings) => createJwtVerifier(settings, { now, isDevelopment, openKeySet }))
    this.#byIssuer = verifiersByIssuer(this.#verifiers)
    this.#ofAnyIssuer = this.#verifiers.find((verifier) => verifier.issuers === undefined)
    this.#scopesOfAll = scopesOfAll(this.#verifiers)
    if (this.#userinfo !== undefined && this.#byIssuer.has(this.#userinfo.issuer)) {
      throw ambiguous(`A jwt entry and userinfo have the issuer ${quoted(this.#userinfo.issuer)}`)
    }
  }

  /** Ours first: clients take the first. */
  authorizationServers(asking: Asking): readonly string[] {
    const issuer = this.#oauth?.issuerFor(asking)
    const own = issuer === undefined ? [] : [issuer]
    const asked = this.#userinfo === undefined ? [] : [this.#userinfo.issuer]
    return [...own, ...[...this.#byIssuer.keys(), ...asked].filter(isAuthorizationServer)]
  }

  get takesOAuth(): boolean {
    return this.#oauth !== undefined
  }

  async start(): Promise<readonly string[]> {
    const problems = await Promise.all(this.#verifiers.map((verifier) => verifier.start()))
    return problems.filter((problem) => problem !== undefined)
  }

  identify(request: IdentifyRequest, workspaceId: string): Caller | Promise<Caller> {
    // Over stdio the process that started us is the caller: it has no header to send (FEATURES.md, A34).
    if (request.transport === 'stdio') return localCaller
    const headers = {
      authorization: request.header('authorization'),
      apiKey: this.#issued === undefined ? undefined : request.header('x-api-key'),
      agentSession: request.header('agent-session'),
    }
    const credential = findCredential(headers)
    if (credential.kind !== 'bearer' && this.#oauth !== undefined) {
      const bound = findBoundToken(headers.authorization)
      if (bound !== undefined) return this.#holderOf(bound, headers, request, workspaceId)
    }
    if (credential.kind === 'none') {
      if (!credential.malformed && this.#options.allowsAnonymous === true) return anonymous
      if (!credential.malformed) throw new GatewayError('missing_token', 'No authorization header provided')
      throw malformed()
    }
    if (this.#checksAll) {
      const presented = presentedCredentials(headers)
      // Nobody slips a bad credential past a good one (PRODUCT.md, 5).
      if (presented === 'malformed') throw malformed()
      const chosen = chooseCredentials('both', presented)
      if (chosen.kind === 'check' && chosen.alongside.length > 0) {
        return this.#allOf([chosen.deciding, ...chosen.alongside], request, workspaceId)
      }
    }
    return this.#callerOf(credential, request, workspaceId)
  }

  /**
   * `Authorization: DPoP`: the token counts with a proof of its key, which counts once (RFC 9449 §7.1). Results of bound tokens
   * are remembered apart, so no cached Bearer can be one.
   */
  async #holderOf(
    bound: { readonly token: string } | 'malformed',
    { apiKey, agentSession }: CredentialHeaders,
    request: IdentifyRequest,
    workspaceId: string,
  ): Promise<Caller> {
    const oauth = this.#oauth
    const isAlone = !this.#checksAll || (!apiKey?.trim() && !agentSession?.trim())
    if (bound === 'malformed' || oauth === undefined || !isAlone) throw malformedBoundToken()
    const { token } = bound
    const { now, results, failedAuth } = this.#options
    const key: ResultKey = { owner: this.#holders, workspaceId, token }
    const known = results.find(key, now())
    const isKnown = known !== undefined && (known.issuedId === undefined || isStillGood(known, oauth, request))
    const holder = async () => {
      const caller = isKnown ? known : await this.#verify(key, request)
      const publicUrl = oauth.issuerFor(request) ?? ''
      await requireProof(request, token, caller, { publicUrl, used: oauth.usedProofs, now: now() })
      return caller
    }
    return failedAuth === undefined ? holder() : this.#within(failedAuth, request.clientAddress, holder)
  }

  /** The first decides who it is; the others must be good, and of the same person. */
  async #allOf(presented: readonly Presented[], request: IdentifyRequest, workspaceId: string): Promise<Caller> {
    const callers: Caller[] = []
    for (const one of presented) callers.push(await this.#callerOf(one, request, workspaceId))
    const [deciding, ...alongside] = callers
    if (deciding !== undefined && alongside.every((other) => isSamePerson(deciding, other))) return deciding
    throw new GatewayError('invalid_token', 'The credentials of this request are of different people.')
  }

  #callerOf(credential: Presented, request: IdentifyRequest, workspaceId: string): Caller | Promise<Caller> {
    const issued = this.#issued
    if (issued?.takesKey(credential) === true) {
      return this.#acceptKey(issued.callerOfKey(credential.token, workspaceId), request.clientAddress)
    }
    const key: ResultKey = { owner: this, workspaceId, token: credential.token }
    const { results, failedAuth, now } = this.#options
    const known = results.find(key, now())
    if (known !== undefined) {
      // What was remembered counts only while it is not revoked and still opens this workspace: one lookup (PRODUCT.md, 7).
      if (known.issuedId === undefined) return known
      if (known.kind !== 'oauth') return accepted(issued?.recheck(known, workspaceId) ?? UNKNOWN)
      if (this.#oauth !== undefined && isStillGood(known, this.#oauth, request)) return known
    }
    return failedAuth === undefined
      ? this.#verify(key, request)
      : this.#within(failedAuth, request.clientAddress, () => this.#verify(key, request))
  }

  isGood(caller: Caller, workspaceId: string): boolean {
    if (caller.issuedId === undefined) return true
    if (caller.kind === 'oauth') return this.#oauth?.isGood(caller) === true
    return this.#issued?.isGood(caller, workspaceId) === true
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

  async #within(limit: FailedAuthLimit, address: string, identify: () => Promise<Caller>): Promise<Caller> {
    const { now } = this.#options
    limit.check(address, now())
    try {
      return await identify()
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'invalid_token') limit.failed(address, now())
      throw error
    }
  }

  async #verify(key: ResultKey, asking: Asking): Promise<Caller> {
    const { caller, cacheTtlMs, atOnce = false } = await this.#verified(key, asking)
    // Before it is remembered: what was remembered as Bearer is not looked at again.
    if (caller.boundTo !== undefined && key.owner !== this.#holders) throw boundAsBearer()
    this.#remember(key, caller, cacheTtlMs, { atOnce })
    return caller
  }

  async #verified(key: ResultKey, asking: Asking): Promise<VerifiedCaller> {
    const token = readToken(key.token)
    if (this.#userinfo?.takes(token) === true) {
      const { cacheTtlMs } = this.#userinfo
      return { caller: accepted(await this.#userinfo.verify(key.token, token)), cacheTtlMs, atOnce: true }
    }
    if (!token.ok) throw refusal(token)
    const { target } = this.#options
    const oauth = this.#oauth
    if (oauth?.takes(token) === true && target !== undefined) {
      const verified = await verifySafely(() => oauth.verify(token, target, oauth.issuerFor(asking)))
      return { caller: accepted(verified), cacheTtlMs: oauth.cacheTtlMs }
    }
    const issued = this.#issued
    if (issued?.takes(token) === true) {
      return {
        caller: accepted(await verifySafely(() => issued.verify(token, key.workspaceId))),
        cacheTtlMs: issued.cacheTtlMs,
      }
    }
    const issuer = member(token.claims, 'iss')
    const verifier = this.#verifierOf(issuer)
    if (verifier === undefined) throw refusal(jwtFailure('issuer', `the token says iss ${quoted(issuer)}`))
    return { caller: accepted(await verifySafely(() => verifier.verify(token))), cacheTtlMs: verifier.cacheTtlMs }
  }

  /** By the token's own word, which is only believed once this verifier has checked it. Never by trying all. */
  #verifierOf(issuer: unknown): JwtVerifier | undefined {
    const [first] = this.#verifiers
    if (this.#verifiers.length === 1) return first
    return (typeof issuer === 'string' ? this.#byIssuer.get(issuer) : undefined) ?? this.#ofAnyIssuer
  }

  #remember(key: ResultKey, caller: Caller, cacheTtlMs: number, { atOnce = false } = {}): void {
    const { now, results, failedAuth } = this.#options
    const expiresAt = (caller.expiresAtSeconds ?? Number.POSITIVE_INFINITY) * 1000
    const validUntil = Math.min(now() + cacheTtlMs, expiresAt)
    if (validUntil <= now()) return
    // Where guesses are limited, a caller who was let in once must not be locked out by his neighbour (FEATURES A37).
    results.keep(key, caller, validUntil, { atOnce: atOnce || failedAuth !== undefined })
  }
}

/** What was remembered at one of our addresses does not count at another: it was not issued for that one (THREATS.md, T10). */
function isStillGood(known: Caller, oauth: OAuthCredentials, asking: Asking): boolean {
  return oauth.isGood(known) && oauth.isOf(known, asking)
}

interface VerifiedCaller {
  readonly caller: Caller
  /** How long it may be remembered, milliseconds. */
  readonly cacheTtlMs: number
  readonly atOnce?: boolean
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

function requireServer(authType: string, { oauth, target }: IdentityOptions): OAuthCredentials {
  if (oauth === undefined || target === undefined) {
    throw new GatewayError(
      'config_invalid',
      `authType ${authType} needs Gatehouse’s own authorization server, which only gatehouse start has. Use jwt with the issuer’s jwksUrl.`,
    )
  }
  oauth.check()
  return oauth
}

function malformed(): GatewayError {
  return new GatewayError('invalid_token', 'Invalid authorization format. Expected: Bearer <token>')
}

function unusedVerifiers(): GatewayError {
  return new GatewayError(
    'config_invalid',
    'authType oauth takes neither jwt entries nor userinfo: write both, or leave them out.',
  )
}

function nobody(): GatewayError {
  return new GatewayError('config_invalid', 'authType jwt needs a jwt entry: nobody could come in.')
}

function ambiguous(problem: string): GatewayError {
  return new GatewayError('config_invalid', `${problem}: which one takes a token is decided by its iss alone.`)
}

import { compactVerify, errors } from 'jose'
import { GatewayError } from '../errors.ts'
import type { JwtIssuerSettings } from '../workspaces/settings.ts'
import type { Caller } from './caller.ts'
import { callerOf, checkClaims, type ExpectedClaims } from './claims.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import type { FoundKey, KeySet } from './key-set.ts'
import { keyOfPem, keyOfSecret, PUBLIC_KEY_ALGORITHMS, type StaticKey, type VerificationKey } from './static-key.ts'
import { member, type UnverifiedToken } from './unverified-token.ts'

/** Verifies the tokens of one issuer. */
export interface JwtVerifier {
  /** The accepted `iss` values; undefined when any counts. */
  readonly issuers: readonly string[] | undefined
  /** How long a result may be remembered, milliseconds. 0: not at all. */
  readonly cacheTtlMs: number
  readonly requiredScopes: readonly string[]
  /** Fetches the keys. Gives the problem, for the log, when there are none; never throws. */
  start(): Promise<string | undefined>
  /** Who the token speaks for, or why it is refused. Does not check scopes. */
  verify(token: UnverifiedToken): Promise<Verified>
}

export type Verified = { readonly ok: true; readonly caller: Caller } | JwtFailure

export interface JwtVerifierOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** NODE_ENV is `test` or `development`: short secrets, expired and unsigned tokens can be allowed (PRODUCT.md, 10). */
  readonly isDevelopment: boolean
  readonly openKeySet: (url: string) => KeySet
}

/** Where the key comes from, and the algorithms that it may be used with. */
interface KeySource {
  readonly algorithms: readonly string[]
  readonly start: () => Promise<string | undefined>
  readonly find: (alg: string, kid: string | undefined) => FoundKey | Promise<FoundKey>
}

/** Types of the JOSE header that an access token may have (RFC 7519 §5.1, RFC 9068 §2.1), without `application/`. */
const TOKEN_TYPES = new Set(['jwt', 'at+jwt'])

/**
 * Compiles the settings of one issuer.
 *
 * The algorithms follow from the key, never from the token (RFC 8725 §3.1); keys that a header carries or points to are
 * ignored. Verification runs in WebCrypto, so in the thread pool.
 *
 * @throws GatewayError `config_invalid` when the settings are unsafe or cannot work.
 */
export function createJwtVerifier(settings: JwtIssuerSettings, options: JwtVerifierOptions): JwtVerifier {
  checkSettings(settings, options)
  const source = keySourceOf(settings, options)
  const algorithms = narrow(source.algorithms, settings.algorithms)
  const userIdClaims = listOf(settings.userIdClaim)
  const expected: ExpectedClaims = {
    issuers: settings.issuer === undefined ? undefined : listOf(settings.issuer),
    audiences: settings.audience === undefined ? undefined : listOf(settings.audience),
    clockToleranceSeconds: settings.clockToleranceSeconds,
    allowExpired: settings.allowExpiredTokens,
  }
  return {
    issuers: expected.issuers,
    cacheTtlMs: settings.cacheResults ? settings.cacheTtlMs : 0,
    requiredScopes: settings.requiredScopes,
    start: source.start,
    async verify(token) {
      const header = checkHeader(token.header, algorithms)
      if (!header.ok) return header
      if (settings.requireValidSignature) {
        const key = await source.find(header.alg, header.kid)
        if (!key.ok) return key
        if (!(await hasValidSignature(token.token, key.key, header.alg))) {
          return jwtFailure('signature', `alg ${header.alg}, kid ${quoted(header.kid)}`)
        }
      }
      return checkClaims(token.claims, expected, options.now()) ?? callerOf(token.claims, userIdClaims)
    },
  }
}

/** The setting as a list. */
export function listOf(setting: string | readonly string[]): readonly string[] {
  return typeof setting === 'string' ? [setting] : setting
}

function checkSettings(settings: JwtIssuerSettings, options: JwtVerifierOptions): void {
  if (settings.allowExpiredTokens && !options.isDevelopment) {
    throw invalid('allowExpiredTokens works only when NODE_ENV is test or development.')
  }
  if (!settings.requireValidSignature && !options.isDevelopment) {
    throw invalid('requireValidSignature: false works only when NODE_ENV is test or development.')
  }
  if (settings.jwksUrl !== undefined && settings.audience === undefined && !settings.allowAnyAudience) {
    const why = 'Without it every token of that identity provider, for whatever service it was made, opens this one.'
    const remedy = 'Set audience (JWT_AUDIENCE), or allow it in words with allowAnyAudience (--allow-any-audience).'
    throw invalid(`jwksUrl needs an audience. ${why} ${remedy}`)
  }
}

function keySourceOf(settings: JwtIssuerSettings, options: JwtVerifierOptions): KeySource {
  const { jwksUrl, allowMissingKeyId } = settings
  if (jwksUrl !== undefined) {
    const keySet = options.openKeySet(jwksUrl)
    return {
      algorithms: PUBLIC_KEY_ALGORITHMS,
      start: () => keySet.start(),
      find: (alg, kid) => keySet.find({ alg, kid, allowMissingKeyId }),
    }
  }
  const { algorithms, key } = staticKeyOf(settings, options)
  const found: FoundKey = { ok: true, key }
  return { algorithms, start: async () => undefined, find: () => found }
}

function staticKeyOf({ secret, publicKey }: JwtIssuerSettings, options: JwtVerifierOptions): StaticKey {
  if (publicKey !== undefined) return keyOfPem(publicKey)
  if (secret !== undefined) return keyOfSecret(secret, options)
  throw invalid('Give one of secret, publicKey, jwksUrl.')
}

function narrow(fitting: readonly string[], wanted: readonly string[] | undefined): ReadonlySet<string> {
  const unfit = wanted?.find((alg) => !fitting.includes(alg))
  if (unfit !== undefined) {
    throw invalid(`The algorithm ${quoted(unfit)} does not fit the key. These do: ${fitting.join(', ')}.`)
  }
  return new Set(wanted ?? fitting)
}

function checkHeader(
  header: UnverifiedToken['header'],
  algorithms: ReadonlySet<string>,
): { readonly ok: true; readonly alg: string; readonly kid: string | undefined } | JwtFailure {
  const type = member(header, 'typ')
  if (type !== undefined && !isAccessTokenType(type)) return jwtFailure('type', `the token says typ ${quoted(type)}`)
  // We understand no extension, so whatever is critical is unknown to us (RFC 7515 §4.1.11).
  const critical = member(header, 'crit')
  if (critical !== undefined) return jwtFailure('critical', `the token says crit ${quoted(critical)}`)
  const alg = member(header, 'alg')
  if (typeof alg !== 'string' || !algorithms.has(alg)) {
    return jwtFailure('algorithm', `the token says alg ${quoted(alg)}`)
  }
  const kid = member(header, 'kid')
  if (kid !== undefined && typeof kid !== 'string') return jwtFailure('malformed', `kid is ${quoted(kid)}`)
  return { ok: true, alg, kid }
}

function isAccessTokenType(type: unknown): boolean {
  return typeof type === 'string' && TOKEN_TYPES.has(type.toLowerCase().replace(/^application\//, ''))
}

/** Whether this key signed the token. Checks nothing else; throws for a key or header that jose cannot work with. */
export async function hasValidSignature(token: string, key: VerificationKey, alg: string): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [alg] })
    return true
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false
    throw error
  }
}

function invalid(message: string): GatewayError {
  return new GatewayError('config_invalid', message)
}

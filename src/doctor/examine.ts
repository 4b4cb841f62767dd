import { GatewayError } from '../errors.ts'
import type { IssuedCredentials } from '../identify/issued.ts'
import { type JwtFailureKind, jwtFailure, quoted } from '../identify/jwt-failure.ts'
import { createJwtVerifier, type JwtVerifier, listOf } from '../identify/jwt-verifier.ts'
import { KeySet } from '../identify/key-set.ts'
import { member, type UnverifiedToken } from '../identify/unverified-token.ts'
import type { InboundAuthSettings, JwtIssuerSettings } from '../workspaces/settings.ts'
import type { CauseCode } from './causes.ts'
import { checkTokenAudience, checkTokenIssuer } from './check-issuer.ts'
import { checkSettings, type Surface } from './check-settings.ts'
import { checkKind, checkTimes, lookAtToken, type TokenFacts } from './check-token.ts'
import type { Complaint } from './diagnose.ts'
import { causeOfJwtFailure } from './jwt-cause.ts'
import { checkKeySet } from './keys.ts'
import type { World } from './probe.ts'
import { type Check, failed, passed } from './report.ts'
import { shown } from './urls.ts'

/** What only the gateway itself knows. */
export interface Inside extends Surface {
  /** What counts for this workspace. */
  readonly auth: InboundAuthSettings
  readonly workspaceId: string
  /** Knows the tokens and API keys that this gateway issued. */
  readonly issued: IssuedCredentials
  /** NODE_ENV is `test` or `development`. */
  readonly isDevelopment: boolean
}

/**
 * Compares a workspace's settings with themselves, with the world, and with a token. For the operator only: the findings name
 * expected values. No finding holds a secret or a key.
 */
export async function examineWorkspace(
  inside: Inside,
  { token, url }: Pick<Complaint, 'token'> & { readonly url: string | undefined },
  world: World,
): Promise<readonly Check[]> {
  const { auth } = inside
  const settings = checkSettings(inside, url)
  const urls = auth.jwt.map(({ jwksUrl }) => jwksUrl).filter((jwksUrl) => jwksUrl !== undefined)
  const keys = await Promise.all([...new Set(urls)].map((jwksUrl) => checkKeySet(world, jwksUrl)))
  const ofToken = token === undefined ? [] : await examineToken(inside, token, world)
  return [...settings, ...keys, ...ofToken]
}

async function examineToken(inside: Inside, content: string, world: World): Promise<readonly Check[]> {
  const { auth } = inside
  const { checks, jwt, text } = lookAtToken(content)
  if (auth.authType === 'none') return [...checks, failed('settings', 'token_not_checked', 'authType is none.')]
  const ofOurs = await examineIssued(inside, { text, jwt })
  if (ofOurs !== undefined) return [...checks.filter(({ cause }) => cause !== 'token_opaque'), ofOurs]
  if (jwt === undefined) return checks
  const settings = settingsFor(auth.jwt, member(jwt.claims, 'iss'))
  if (settings === undefined) {
    const issuers = auth.jwt.flatMap(({ issuer }) => (issuer === undefined ? [] : listOf(issuer)))
    return [...checks, checkTokenIssuer(jwt, issuers) ?? failed('token issuer', 'issuer_wrong')]
  }
  const verifier = verifierOf(settings, inside, world)
  if (verifier instanceof GatewayError) return [...checks, failed('settings', 'workspace_not_served', verifier.message)]
  const reason = await reasonOf(verifier, settings, jwt, { inside, world })
  return [...checks, passed('expected', expectedText(settings)), reason]
}

/** A token or an API key that we issued: found by what it says, checked by what we know of it. Undefined for any other. */
async function examineIssued(
  { issued, workspaceId, auth }: Inside,
  { text, jwt }: Pick<TokenFacts, 'text' | 'jwt'>,
): Promise<Check | undefined> {
  const isKey = jwt === undefined && text !== undefined && issued.takesKey({ kind: 'bearer', token: text })
  if (!isKey && (jwt === undefined || !issued.takes(jwt))) return undefined
  const verified = isKey ? issued.callerOfKey(text, workspaceId) : jwt && (await issued.verify(jwt, workspaceId))
  if (verified === undefined) return undefined
  if (!verified.ok) {
    const cause = causeOfIssued(verified.kind, jwt)
    return failed('issued', cause, `${verified.detail}.`)
  }
  const [first, ...others] = auth.jwt
  const required = first?.requiredScopes.filter((scope) => others.every((each) => each.requiredScopes.includes(scope)))
  return checkScopes(verified.caller.scopes, required ?? [])
}

function causeOfIssued(kind: JwtFailureKind, jwt: UnverifiedToken | undefined): CauseCode {
  if (kind === 'audience') return 'token_not_associated'
  return jwt === undefined ? causeOfKey(kind) : causeOfJwtFailure(kind, jwt)
}

function causeOfKey(kind: JwtFailureKind): CauseCode {
  if (kind === 'revoked') return 'token_revoked'
  return kind === 'expired' ? 'token_expired' : 'api_key_refused'
}

/** The verifier that takes a token of this issuer: decided by `iss`, as `identify/` does. */
function settingsFor(all: readonly JwtIssuerSettings[], issuer: unknown): JwtIssuerSettings | undefined {
  const [first] = all
  if (all.length === 1) return first
  const named = all.find((each) => typeof issuer === 'string' && listOf(each.issuer ?? []).includes(issuer))
  return named ?? all.find((each) => each.issuer === undefined)
}

/** The gateway's own verifier with these settings, and keys fetched afresh; or why they are not usable. */
function verifierOf(settings: JwtIssuerSettings, { isDevelopment }: Inside, world: World): JwtVerifier | GatewayError {
  const openKeySet = (url: string) => new KeySet({ ...world, url })
  try {
    return createJwtVerifier(settings, { now: world.now, isDevelopment, openKeySet })
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}

async function reasonOf(
  verifier: JwtVerifier,
  settings: JwtIssuerSettings,
  jwt: UnverifiedToken,
  { inside, world }: { readonly inside: Inside; readonly world: World },
): Promise<Check> {
  // As in `identify/`: whatever a stranger's token makes the verifier throw, it is a refusal.
  const verified = await verifier.verify(jwt).catch(() => jwtFailure('malformed', 'the token cannot be verified'))
  if (verified.ok) return checkScopes(verified.caller.scopes, settings.requiredScopes)
  const closer = closerReason(verified.kind, settings, jwt, { inside, world })
  return closer ?? failed('verifier', causeOfJwtFailure(verified.kind, jwt), `${verified.detail}.`)
}

/** The same refusal in closer words, where the token or the settings tell more. */
function closerReason(
  kind: string,
  { issuer = [], audience = [], clockToleranceSeconds }: JwtIssuerSettings,
  jwt: UnverifiedToken,
  { inside, world }: { readonly inside: Inside; readonly world: World },
): Check | undefined {
  switch (kind) {
    case 'type':
    case 'algorithm':
      return checkKind(jwt)
    case 'issuer':
      return checkTokenIssuer(jwt, listOf(issuer))
    case 'audience':
      return checkTokenAudience(jwt, { accepted: listOf(audience), endpoint: new URL(inside.endpoint) })
    case 'expired':
    case 'not_yet_valid':
      return checkTimes(jwt, world.now(), { leewaySeconds: clockToleranceSeconds })
    default:
      return undefined
  }
}

function checkScopes(held: ReadonlySet<string>, required: readonly string[]): Check {
  const missing = required.filter((scope) => !held.has(scope))
  if (missing.length === 0) return passed('verifier', 'The gateway accepts this token.')
  return failed('scopes', 'scope_missing', `Required are ${quoted(required)}; the token lacks ${quoted(missing)}.`)
}

function expectedText(settings: JwtIssuerSettings): string {
  const { issuer, audience, algorithms, jwksUrl, secret, clockToleranceSeconds, requiredScopes } = settings
  const key =
    jwksUrl !== undefined
      ? `a key of ${shown(new URL(jwksUrl))}`
      : secret !== undefined
        ? 'the shared secret'
        : 'the public key'
  const parts = [
    `iss ${issuer === undefined ? 'of any issuer' : quoted(listOf(issuer))}`,
    `aud ${audience === undefined ? 'for anybody' : quoted(listOf(audience))}`,
    `a signature by ${key}`,
    ...(algorithms === undefined ? [] : [`alg ${quoted(algorithms)}`]),
    `${clockToleranceSeconds} s of leeway`,
    ...(requiredScopes.length === 0 ? [] : [`scopes ${quoted(requiredScopes)}`]),
  ]
  return `The gateway expects ${parts.join(', ')}.`
}

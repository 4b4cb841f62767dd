import { quoted } from '../identify/jwt-failure.ts'
import { member, readToken, type UnverifiedToken } from '../identify/unverified-token.ts'
import { type Check, failed, passed } from './report.ts'
import { readTokenText } from './token-text.ts'

/** What is known of a token before anybody is asked about it. */
export interface TokenFacts {
  /** The bare token; undefined when there is none that could be sent. */
  readonly text: string | undefined
  /** Undefined when it is no JWT. */
  readonly jwt: UnverifiedToken | undefined
  readonly checks: readonly Check[]
}

/** Looks at a token file's content: how it is written down, and whether it is a JWT. Pure; nothing is verified. */
export function lookAtToken(content: string): TokenFacts {
  const { token, wrapping, form } = readTokenText(content)
  const checks: Check[] = wrapping.map((cause) => failed('token file', cause))
  if (wrapping.length === 0 && token !== '') checks.push(passed('token file', 'It holds one token and nothing else.'))
  if (form !== undefined) {
    return { text: token === '' ? undefined : token, jwt: undefined, checks: [...checks, failed('token', form)] }
  }
  const jwt = readToken(token)
  if (!jwt.ok)
    return {
      text: token,
      jwt: undefined,
      checks: [...checks, failed('token', 'token_malformed', `${capital(jwt.detail)}.`)],
    }
  return { text: token, jwt, checks: [...checks, passed('token', describe(jwt))] }
}

/** Everything of the token that its reader may want to compare; never the signature. */
function describe({ header, claims }: UnverifiedToken): string {
  const named = (object: UnverifiedToken['claims'], names: readonly string[]) =>
    names.filter((name) => member(object, name) !== undefined).map((name) => `${name} ${quoted(member(object, name))}`)
  const ofHeader = named(header, ['alg', 'typ', 'kid'])
  const ofClaims = named(claims, ['iss', 'aud', 'sub', 'scope', 'scp', 'client_id', 'azp', 'iat', 'nbf', 'exp'])
  return `A JWT with ${[...ofHeader, ...ofClaims].join(', ')}.`
}

/** Claims that only an ID token has (OpenID Connect Core §2, §3.1.3.6). */
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash'] as const

/** What kind of token it says it is. Pure; undefined when it looks like an access token. */
export function checkKind({ header, claims }: UnverifiedToken): Check | undefined {
  const type = String(member(header, 'typ') ?? '')
    .toLowerCase()
    .replace(/^application\//, '')
  const purposes = [member(claims, 'typ'), member(claims, 'token_use')].map((value) => String(value).toLowerCase())
  if (purposes.includes('refresh') || purposes.includes('offline') || type === 'rt+jwt') {
    return failed('token type', 'refresh_token')
  }
  const isAccess = type === 'at+jwt' || member(claims, 'scope') !== undefined || member(claims, 'scp') !== undefined
  const isIdToken = ID_TOKEN_CLAIMS.some((name) => member(claims, name) !== undefined) && !isAccess
  if (purposes.includes('id') || type === 'id+jwt' || type === 'id_token' || isIdToken)
    return failed('token type', 'id_token')
  if (type !== '' && type !== 'jwt' && type !== 'at+jwt') {
    return failed('token type', 'token_type_wrong', `It is ${quoted(member(header, 'typ'))}.`)
  }
  if (member(header, 'crit') !== undefined) return failed('token type', 'header_critical')
  const alg = member(header, 'alg')
  if (typeof alg !== 'string' || alg.toLowerCase() === 'none') return failed('algorithm', 'algorithm_none')
  return undefined
}

/** A time this large is in milliseconds: it lies in the year 5138 if it is in seconds. */
const SECONDS_MAX = 100_000_000_000
/** What clocks that are kept in time may differ by. */
const IAT_TOLERANCE_SECONDS = 60

/** Whether the times of a token hold at `now` (milliseconds since the epoch), give or take the leeway. Pure. */
export function checkTimes(
  { claims }: UnverifiedToken,
  now: number,
  { leewaySeconds = 0 }: { readonly leewaySeconds?: number } = {},
): Check | undefined {
  const [exp, nbf, iat] = [member(claims, 'exp'), member(claims, 'nbf'), member(claims, 'iat')]
  if ([exp, nbf, iat].some((time) => typeof time === 'number' && time > SECONDS_MAX)) {
    return failed('times', 'times_in_milliseconds')
  }
  const seconds = now / 1000
  if (typeof nbf === 'number' && nbf > seconds + leewaySeconds) {
    return failed('times', 'token_not_yet_valid', `That is in ${inWords(nbf - seconds)}.`)
  }
  if (exp === undefined) return failed('times', 'expiry_missing')
  if (typeof exp === 'number' && exp <= seconds - leewaySeconds) {
    return failed('times', 'token_expired', `That was ${inWords(seconds - exp)} ago.`)
  }
  if (typeof iat === 'number' && iat > seconds + Math.max(leewaySeconds, IAT_TOLERANCE_SECONDS)) {
    return failed('times', 'issued_in_future', `That is in ${inWords(iat - seconds)}.`)
  }
  return undefined
}

function inWords(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} minutes`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} hours` : `${Math.round(seconds / 86_400)} days`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

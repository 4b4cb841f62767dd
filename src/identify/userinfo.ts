import { sha256 } from '../crypto/hash.ts'
import type { Egress, OutgoingResponse, Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import type { UserinfoSettings } from '../workspaces/settings.ts'
import { isAllowed, plainEmail } from './allowed.ts'
import type { Caller } from './caller.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import type { Verified } from './jwt-verifier.ts'
import { untrustedUrl } from './key-set-url.ts'
import { member, type UnverifiedToken } from './unverified-token.ts'

/** Asks an OAuth provider whose token it is (FEATURES.md, A30). */
export interface UserinfoVerifier {
  readonly issuer: string
  /** How long a result may be remembered, milliseconds. */
  readonly cacheTtlMs: number
  /** Whether it is for this verifier to say: an opaque token, or one that names this issuer. */
  takes(token: UnverifiedToken | JwtFailure): boolean
  /**
   * Who the token is of. Does not know for whom it was issued, nor its scopes.
   *
   * @throws GatewayError `forbidden` for somebody whom `allow` does not let in.
   */
  verify(text: string, token: UnverifiedToken | JwtFailure): Promise<Verified>
}

export interface UserinfoOptions {
  readonly egress: Egress
  readonly reach: Reach
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 64 * 1024
const TOKEN_LENGTH_MAX = 8_192
/** RFC 6750 §2.1. */
const B64TOKEN = /^[\w.~+/-]+=*$/
/** A refused token may be good in a moment, where the provider’s servers follow each other. */
const REFUSED_MS = 10_000
const REFUSED_MAX = 10_000
/** Strangers can make up tokens: so many questions at a time, and no more. */
const ASKED_AT_ONCE_MAX = 50

/** The verifier of a workspace that has one. @throws GatewayError `config_invalid`, also where there is no way out. */
export function userinfoOf(
  settings: UserinfoSettings | undefined,
  { egress, reach, now }: Omit<UserinfoOptions, 'egress'> & { readonly egress?: Egress | undefined },
): UserinfoVerifier | undefined {
  if (settings === undefined) return undefined
  if (egress === undefined) throw new GatewayError('config_invalid', 'userinfo cannot be asked from here.')
  return createUserinfoVerifier(settings, { egress, reach, now })
}

/** @throws GatewayError `config_invalid` when nobody could be trusted to answer there. */
export function createUserinfoVerifier(settings: UserinfoSettings, options: UserinfoOptions): UserinfoVerifier {
  const problem = untrustedUrl(settings.userinfoUrl, options.reach)
  if (problem !== undefined) throw new GatewayError('config_invalid', `userinfoUrl ${problem}.`)
  const refused = new RefusedTokens()
  const asked = new Map<string, Promise<Answer>>()
  return {
    issuer: settings.issuer,
    cacheTtlMs: settings.cacheTtlMs,
    takes: (token) => (token.ok ? member(token.claims, 'iss') === settings.issuer : token.kind === 'malformed'),
    async verify(text, token) {
      if (text.length > TOKEN_LENGTH_MAX || !B64TOKEN.test(text)) return jwtFailure('malformed', 'no bearer token')
      const endsAt = endOf(token)
      if (endsAt !== undefined && endsAt * 1000 <= options.now()) return jwtFailure('expired', `exp is ${endsAt}`)
      const name = sha256(text)
      const known = refused.find(name, options.now())
      if (known instanceof GatewayError) throw known
      if (known !== undefined) return known
      const underWay = asked.get(name)
      if (underWay !== undefined) return settled(await underWay, endsAt)
      if (asked.size >= ASKED_AT_ONCE_MAX) return unavailable('too many tokens are being asked for')
      const asking = ask(text, settings, options).finally(() => asked.delete(name))
      asked.set(name, asking)
      const answer = await asking
      if (answer instanceof GatewayError || (!answer.ok && answer.kind !== 'key_source')) {
        refused.keep(name, answer, options.now())
      }
      return settled(answer, endsAt)
    },
  }
}

/** The error: it is proven who it is, and he may not come in. */
type Answer = Verified | GatewayError

function settled(answer: Answer, endsAt: number | undefined): Verified {
  if (answer instanceof GatewayError) throw answer
  return answer.ok ? { ok: true, caller: { ...answer.caller, expiresAtSeconds: endsAt } } : answer
}

async function ask(text: string, settings: UserinfoSettings, { egress, reach }: UserinfoOptions): Promise<Answer> {
  const url = new URL(settings.userinfoUrl)
  try {
    const response = await egress.send({
      method: 'GET',
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { accept: 'application/json', authorization: `Bearer ${text}`, 'user-agent': 'gatehouse' },
      reach,
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: ANSWER_BYTES_MAX,
      calledAs: 'userinfo',
    })
    return read(response, settings)
  } catch (error) {
    // Whatever went wrong, it is no proof: nobody comes in (THREATS.md, fail closed).
    return unavailable(error instanceof GatewayError ? error.message : 'unexpected failure')
  }
}

function read({ status, body }: OutgoingResponse, settings: UserinfoSettings): Answer {
  if (status === 400 || status === 401 || status === 403) {
    return jwtFailure('signature', `userinfo answered ${status}`, 'The token was refused by its provider')
  }
  if (status !== 200) return unavailable(`userinfo answered ${status}`)
  const claims = parseObject(body)
  if (claims === undefined) return unavailable('userinfo answered 200 with something that is no JSON object')
  const subject = settings.subjectClaim.map((name) => textOf(member(claims, name))).find((text) => text !== undefined)
  if (subject === undefined) return jwtFailure('missing_claim', `userinfo has no ${settings.subjectClaim.join(' or ')}`)
  // `=== true`, not truthy: the text "false" is true to a careless reader (THREATS.md, T11).
  const email = member(claims, 'email_verified') === true ? plainEmail(member(claims, 'email')) : undefined
  if (!isAllowed(settings.allow, { email })) {
    const cause = `subject ${quoted(subject)}, ${email === undefined ? 'without a verified e-mail' : quoted(email)}`
    return new GatewayError('forbidden', 'This account may not use this server.', { cause })
  }
  return { ok: true, caller: callerOf(subject, claims, settings) }
}

function callerOf(subject: string, claims: Readonly<Record<string, unknown>>, settings: UserinfoSettings): Caller {
  const { iss: _, ...shown } = claims
  return {
    kind: 'userinfo',
    issuer: settings.issuer,
    subject,
    userId: subject,
    // What the token may do at its provider says nothing about what it may do here.
    scopes: new Set(settings.scopes),
    claims: shown,
    expiresAtSeconds: undefined,
  }
}

/** Of a token that is a JWT. It is not verified, and can only make the result’s life shorter. */
function endOf(token: UnverifiedToken | JwtFailure): number | undefined {
  const end = token.ok ? member(token.claims, 'exp') : undefined
  return typeof end === 'number' && Number.isFinite(end) ? end : undefined
}

/** Tokens that were refused a moment ago, by their hash. Bounded: the oldest make room. */
class RefusedTokens {
  readonly #refused = new Map<string, { readonly failure: JwtFailure | GatewayError; readonly until: number }>()

  find(name: string, now: number): JwtFailure | GatewayError | undefined {
    const entry = this.#refused.get(name)
    return entry !== undefined && now < entry.until ? entry.failure : undefined
  }

  keep(name: string, failure: JwtFailure | GatewayError, now: number): void {
    this.#refused.delete(name)
    this.#refused.set(name, { failure, until: now + REFUSED_MS })
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > REFUSED_MAX && oldest !== undefined) this.#refused.delete(oldest)
  }
}

function unavailable(detail: string): JwtFailure {
  return jwtFailure('key_source', detail, 'The provider of the token cannot be asked at the moment')
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : undefined
  } catch {
    // Neither UTF-8 nor JSON: no description of anybody.
    return undefined
  }
}

/** A number is one where the provider counts its users, as GitHub does. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : undefined
}

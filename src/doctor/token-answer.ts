import { type JwtFailureKind, kindOfMessage, quoted } from '../identify/jwt-failure.ts'
import { member, type UnverifiedToken } from '../identify/unverified-token.ts'
import type { CauseCode } from './causes.ts'
import { type Challenge, readChallenge } from './challenge.ts'
import { retryText } from './check-endpoint.ts'
import { causeOfJwtFailure } from './jwt-cause.ts'
import { rpcOf } from './mcp-probes.ts'
import type { Answer, Answered } from './probe.ts'
import { type Check, failed, passed } from './report.ts'

/** What the endpoint said to the token. */
export interface TokenAnswer {
  readonly isAccepted: boolean
  /** The kind of refusal, where the endpoint tells it in our words. */
  readonly kind: JwtFailureKind | undefined
  readonly check: Check
  /** What was seen, without what it means. */
  readonly seen: string | undefined
}

/** The three answers that together say what became of the token. */
export interface TokenAnswers {
  readonly anonymous: Answered
  readonly withToken: Answer
  /** To a token that nobody can have issued; asked only where anonymous callers are let in. */
  readonly withNonsense: Answer | undefined
}

/** Reads the endpoint's answers. Pure; `token` is undefined when what was sent is no JWT. */
export function readTokenAnswer(answers: TokenAnswers, token: UnverifiedToken | undefined): TokenAnswer {
  const { withToken, anonymous, withNonsense } = answers
  const refused = (cause: CauseCode, seen?: string, kind?: JwtFailureKind): TokenAnswer => ({
    ...{ isAccepted: false, kind, seen },
    check: failed('answer', cause, seen),
  })
  if (!withToken.ok) return refused(withToken.cause, withToken.detail)
  const { status } = withToken
  if (rpcOf(withToken)?.result !== undefined) {
    const isIgnored = withNonsense?.ok === true && rpcOf(withNonsense)?.result !== undefined
    const check = isIgnored ? failed('answer', 'token_not_checked') : passed('answer', 'The token is accepted.')
    return { isAccepted: true, kind: undefined, check, seen: undefined }
  }
  if (status === 401) {
    const challenge = readChallenge(withToken.header('www-authenticate'))
    if (didNotArrive(challenge, anonymous)) return refused('authorization_stripped')
    const kind = kindOfMessage(challenge?.description ?? '')
    const cause = kind === undefined || token === undefined ? causeOfText(challenge) : causeOfJwtFailure(kind, token)
    return refused(cause, `It says ${quoted(challenge?.description)}.`, kind)
  }
  if (status === 403) return refused(...scopeCause(readChallenge(withToken.header('www-authenticate')), token))
  if (status === 429) return refused('rate_limited', retryText(withToken))
  if (status === 431 || (status === 400 && rpcOf(withToken) === undefined)) return refused('token_too_long')
  if (status === 503 && rpcOf(withToken) !== undefined) return refused('keys_unreachable_for_gateway')
  if (status >= 502 && status <= 504) return refused('proxy_without_gateway', `It answered ${status}.`)
  return refused('token_refused', `It answered ${status}.`)
}

/** Without an `error` the challenge is for somebody who sent nothing (RFC 6750 §3.1). */
function didNotArrive(challenge: Challenge | undefined, anonymous: Answered): boolean {
  if (challenge === undefined) return false
  if (challenge.error === undefined) return true
  const before = readChallenge(anonymous.header('www-authenticate'))
  return before?.description === challenge.description && /\b(?:no|missing)\b/i.test(challenge.description ?? '')
}

/** Our own texts that belong to no kind, and a guess at those of others. */
function causeOfText(challenge: Challenge | undefined): CauseCode {
  const text = challenge?.description ?? ''
  if (/required userId claim/i.test(text)) return 'subject_missing'
  if (/required exp claim/i.test(text)) return 'expiry_missing'
  if (/missing key id/i.test(text)) return 'key_id_absent'
  if (text.startsWith('Invalid API key')) return 'api_key_refused'
  if (/not valid for this server/i.test(text)) return 'token_not_associated'
  if (/revoked/i.test(text)) return 'token_revoked'
  if (/expired/i.test(text)) return 'token_expired'
  return 'token_refused'
}

function scopeCause(
  challenge: Challenge | undefined,
  token: UnverifiedToken | undefined,
): [CauseCode, string | undefined] {
  if (challenge?.error !== 'insufficient_scope') return ['token_refused', 'It answered 403.']
  const wanted = (challenge.scope ?? '').split(' ').filter((scope) => scope !== '')
  const held =
    token === undefined ? [] : ['scope', 'scopes', 'scp'].flatMap((name) => words(member(token.claims, name)))
  const missing = wanted.filter((scope) => !held.includes(scope))
  return ['scope_missing', `Wanted are ${quoted(wanted)}; the token lacks ${quoted(missing)}.`]
}

function words(value: unknown): readonly unknown[] {
  return typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
}

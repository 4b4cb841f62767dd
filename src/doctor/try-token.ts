import type { JwtFailureKind } from '../identify/jwt-failure.ts'
import { member } from '../identify/unverified-token.ts'
import { checkSecretSigned, checkTokenAudience, checkTokenIssuer } from './check-issuer.ts'
import { checkKind, checkTimes, type TokenFacts } from './check-token.ts'
import { checkSignature } from './keys.ts'
import { askInitialize, rpcOf } from './mcp-probes.ts'
import type { IssuerFacts, MetadataFacts } from './metadata.ts'
import type { Answer, Answered, World } from './probe.ts'
import { type Check, failed } from './report.ts'
import { readTokenAnswer, type TokenAnswer } from './token-answer.ts'
import { isOpenToReaders, shown } from './urls.ts'

/** A token and what is known of the place that it is for. */
export interface Trial {
  readonly url: URL
  readonly token: TokenFacts
  readonly anonymous: Answered
  /** What addresses that the endpoint named are asked with. */
  readonly led: World
  readonly metadata: MetadataFacts | undefined
  readonly issuers: readonly IssuerFacts[]
  readonly keySet: string | undefined
  readonly clockMs: number
}

export interface Tried {
  readonly checks: readonly Check[]
  readonly isAccepted: boolean
  /** The endpoint's answer to it; undefined when it was not sent. */
  readonly answer: Answer | undefined
  /** What has to be sent for this answer. */
  readonly headers: Readonly<Record<string, string>>
}

/** Something that nobody can have issued. */
const NONSENSE = 'gatehouse-doctor-sends-what-nobody-issued'

/**
 * Sends the token to the endpoint, and where that refuses it, says why: by its own look at the token and the issuer's public
 * keys, and by the endpoint's words.
 */
export async function tryToken(world: World, trial: Trial): Promise<Tried> {
  const { url, token, anonymous } = trial
  if (token.text === undefined || isOpenToReaders(url)) return notSent(world, trial)
  const headers = { authorization: `Bearer ${token.text}` }
  const isSendable = /^[\x21-\x7e]+$/.test(token.text)
  if (!isSendable) return notSent(world, trial)
  const withToken = await askInitialize(world, url, headers)
  const isOpen = rpcOf(anonymous)?.result !== undefined
  const withNonsense = isOpen ? await askInitialize(world, url, { authorization: `Bearer ${NONSENSE}` }) : undefined
  const read = readTokenAnswer({ anonymous, withToken, withNonsense }, token.jwt)
  const own = read.isAccepted ? issuedTooEarly(world, trial) : await findReasons(world, trial, read)
  // What the endpoint takes, or knows as a key, is a credential, whatever it looks like from here.
  const isCredential = read.isAccepted || (token.jwt === undefined && ABOUT_KEYS.has(read.check.cause))
  const form = token.checks.filter((check) => check.ok || check.name !== 'token' || !isCredential)
  const checks = [...form, ...inOrder(read, own, form)]
  return { checks, isAccepted: read.isAccepted, answer: withToken, headers }
}

/** No verifier asks for iat, so the token is accepted; its issuer's clock will refuse others all the same. */
function issuedTooEarly(world: World, { token, clockMs }: Trial): readonly Check[] {
  const check = token.jwt === undefined ? undefined : checkTimes(token.jwt, world.now() + clockMs)
  return check?.cause === 'issued_in_future' ? [check] : []
}

async function notSent(world: World, trial: Trial): Promise<Tried> {
  const { token } = trial
  const own = token.jwt === undefined ? [] : await findReasons(world, trial, undefined)
  return { checks: [...token.checks, ...own], isAccepted: false, answer: undefined, headers: {} }
}

/** What can be seen of the token itself, in the order in which the gateway looks. */
async function findReasons(world: World, trial: Trial, read: TokenAnswer | undefined): Promise<readonly Check[]> {
  const { token, metadata, keySet, clockMs } = trial
  const { jwt } = token
  if (jwt === undefined) return []
  // Told in the answer already: the token is well, and something else is not.
  const cause = read?.check.cause
  if (cause === 'scope_missing' || cause === 'authorization_stripped' || cause === 'rate_limited') return []
  const servers = metadata?.document?.authorization_servers ?? []
  const resource = metadata?.document?.resource ?? shown(trial.url)
  // What the gateway issued itself names its address as the issuer, which is no authorization server.
  const isOwn = resource.startsWith(`${member(jwt.claims, 'iss')}/`)
  const fromElsewhere = isOwn ? undefined : checkTokenIssuer(jwt, servers)
  // A gateway that checks with a shared secret can name an issuer that publishes keys all the same.
  const bySecret = keySet !== undefined || read?.kind === 'algorithm' ? checkSecretSigned(jwt) : undefined
  const isKnown = fromElsewhere === undefined && servers[0] === member(jwt.claims, 'iss')
  const isSigned = isKnown && bySecret === undefined && keySet !== undefined
  const signature = isSigned ? await checkSignature(trial.led, keySet, jwt) : undefined
  return [
    checkKind(jwt),
    checkTimes(jwt, world.now() + clockMs),
    fromElsewhere,
    bySecret,
    signature,
    audienceReason(trial, read),
  ].filter((check) => check !== undefined)
}

/**
 * The endpoint may want another audience than its URL and tells nobody, so the audience is doubted only when the endpoint
 * does, or says nothing that is known here.
 */
function audienceReason({ token, url, metadata }: Trial, read: TokenAnswer | undefined): Check | undefined {
  const isDoubted = read?.kind === 'audience' || (read?.kind === undefined && read?.check.cause === 'token_refused')
  if (token.jwt === undefined || !isDoubted) return undefined
  const resource = metadata?.document?.resource ?? shown(url)
  return checkTokenAudience(token.jwt, { accepted: [resource], endpoint: url })
}

const ABOUT_KEYS: ReadonlySet<string | null> = new Set(['token_not_associated', 'token_revoked', 'token_expired'])

/** The checks that look at what a kind of refusal is about. */
const ABOUT: Readonly<Record<JwtFailureKind, readonly string[]>> = {
  malformed: ['token'],
  type: ['token type'],
  critical: ['token type'],
  // A token of another issuer has another key, and an ID token another audience: that is the nearer word for it.
  algorithm: ['token issuer', 'token type', 'algorithm', 'signature'],
  key_id: ['token issuer', 'signature'],
  key_source: [],
  signature: ['token issuer', 'signature'],
  issuer: ['token issuer'],
  audience: ['token type', 'token audience'],
  not_yet_valid: ['times'],
  expired: ['times'],
  missing_claim: ['times'],
  revoked: [],
  api_key: [],
}

/**
 * One answer, one cause. What the endpoint says comes first, in the closer words of the check that fits it; where it says
 * nothing that is known here, what was found in the token does.
 */
function inOrder({ kind, check, seen }: TokenAnswer, own: readonly Check[], form: readonly Check[]): readonly Check[] {
  if (check.cause === null || check.cause === 'token_not_checked') return [...own, check]
  const found = [...form.filter(({ name }) => name === 'token'), ...own].filter(({ ok }) => !ok)
  const fits = ({ name }: Check) => kind === undefined || ABOUT[kind].includes(name)
  const closer = found.find(fits)
  if (closer?.cause == null) return [check, ...own]
  const answer = { ...failed('answer', closer.cause), finding: `The token is refused. ${seen ?? ''}`.trimEnd() }
  return [...own.filter(fits), answer, ...own.filter((each) => !fits(each))]
}

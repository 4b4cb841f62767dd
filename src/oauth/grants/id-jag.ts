import { domainOf, plainEmail } from '../../identify/allowed.ts'
import { PUBLIC_KEY_ALGORITHMS } from '../../identify/static-key.ts'
import { member, type UnverifiedToken } from '../../identify/unverified-token.ts'
import type { EnterpriseProviderSettings } from './enterprise-settings.ts'
import { type Refused, refused } from './refusal.ts'

/** `typ` of an Identity Assertion JWT Authorization Grant. Nothing else that the provider signs counts as one. */
export const ID_JAG_TYPE = 'oauth-id-jag+jwt'

/** How far ahead an assertion may end, seconds: for so long its `jti` is remembered. */
const LIFE_SECONDS_MAX = 900
const CLOCK_TOLERANCE_SECONDS = 30

/** What an assertion says, once its claims hold. */
export interface IdJag {
  readonly issuer: string
  readonly subject: string
  readonly email: string
  readonly name: string | undefined
  readonly resource: string
  /** Undefined: it says nothing of scopes. */
  readonly scopes: readonly string[] | undefined
  readonly jti: string
  readonly expSeconds: number
}

export type IdJagProblem =
  | 'type'
  | 'critical'
  | 'algorithm'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'client'
  | 'times'
  | 'expired'
  | 'jti'
  | 'subject'
  | 'resource'
  | 'email'
  | 'repeated'

export type CheckedIdJag =
  | { readonly ok: true; readonly assertion: IdJag }
  | { readonly ok: false; readonly problem: IdJagProblem }

export type CheckedHeader =
  | { readonly ok: true; readonly alg: string; readonly kid: string }
  | { readonly ok: false; readonly problem: IdJagProblem }

/** What of the header can be checked before there is a key. Pure. */
export function checkIdJagHeader({ header }: Pick<UnverifiedToken, 'header'>): CheckedHeader {
  const type = member(header, 'typ')
  if (typeof type !== 'string' || type.toLowerCase().replace(/^application\//, '') !== ID_JAG_TYPE) return no('type')
  if (member(header, 'crit') !== undefined) return no('critical')
  const alg = member(header, 'alg')
  if (typeof alg !== 'string' || !PUBLIC_KEY_ALGORITHMS.includes(alg)) return no('algorithm')
  const kid = member(header, 'kid')
  return typeof kid === 'string' ? { ok: true, alg, kid } : no('signature')
}

export interface ExpectedIdJag {
  readonly provider: EnterpriseProviderSettings
  /** Our issuer. */
  readonly audience: string
  /** Who has authenticated. */
  readonly clientId: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Checks the claims of an assertion whose signature is verified (RFC 7523 §3, SEP-990). Pure: whether it came before is not. */
export function checkIdJagClaims(claims: UnverifiedToken['claims'], expected: ExpectedIdJag): CheckedIdJag {
  const { provider, audience, clientId } = expected
  const nowSeconds = expected.now / 1000
  const issuer = member(claims, 'iss')
  if (issuer !== provider.issuer) return no('issuer')
  // For us and for nobody else: what another server may take too can come to us from there.
  const audiences = [member(claims, 'aud')].flat()
  if (audiences.length !== 1 || audiences[0] !== audience) return no('audience')
  if (member(claims, 'client_id') !== clientId || !provider.clients.includes(clientId)) return no('client')
  const exp = member(claims, 'exp')
  const iat = member(claims, 'iat')
  const nbf = member(claims, 'nbf') ?? iat
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) return no('times')
  if (nbf > nowSeconds + CLOCK_TOLERANCE_SECONDS || iat > nowSeconds + CLOCK_TOLERANCE_SECONDS) return no('times')
  if (exp > nowSeconds + LIFE_SECONDS_MAX) return no('times')
  if (exp <= nowSeconds) return no('expired')
  const jti = member(claims, 'jti')
  if (typeof jti !== 'string' || jti === '' || jti.length > 500) return no('jti')
  const subject = member(claims, 'sub')
  if (typeof subject !== 'string' || subject === '') return no('subject')
  const resource = member(claims, 'resource')
  if (typeof resource !== 'string') return no('resource')
  const email = emailIn(claims, provider)
  if (email === undefined) return no('email')
  const name = member(claims, 'name')
  const scope = member(claims, 'scope')
  return {
    ok: true,
    assertion: {
      ...{ issuer, subject, email, resource, jti, expSeconds: exp },
      name: typeof name === 'string' ? name : undefined,
      scopes: typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : undefined,
    },
  }
}

/** What the client is told: the one place where a problem becomes an error of the wire (RFC 7523 §3.1). */
export function idJagRefusal(problem: IdJagProblem): Refused {
  switch (problem) {
    case 'type':
      return refused('invalid_grant', `the assertion’s typ is not ${ID_JAG_TYPE}`)
    case 'critical':
    case 'algorithm':
    case 'signature':
      return refused('invalid_grant', 'the assertion’s signature cannot be verified')
    case 'issuer':
      return refused('invalid_grant', 'the assertion’s issuer is not trusted here')
    case 'audience':
      return refused('invalid_grant', 'the assertion is for another server (aud)')
    case 'client':
      return refused('invalid_grant', 'the assertion is for another client (client_id)')
    case 'times':
      return refused('invalid_grant', 'the assertion’s exp, iat or nbf cannot be right')
    case 'expired':
      return refused('invalid_grant', 'the assertion is over')
    case 'jti':
    case 'subject':
      return refused('invalid_grant', 'the assertion lacks jti or sub')
    case 'resource':
      return refused('invalid_target', 'the assertion’s resource names no workspace that may be entered')
    case 'email':
      return refused('invalid_grant', 'the assertion names no person by an e-mail that its issuer may vouch for')
    case 'repeated':
      return refused('invalid_grant', 'the assertion was used before')
  }
}

/** The e-mail as addresses are compared, when the provider may vouch for its domain and does not say that nobody has verified it. */
function emailIn(
  claims: UnverifiedToken['claims'],
  { emailClaim, domains }: EnterpriseProviderSettings,
): string | undefined {
  const email = plainEmail(member(claims, emailClaim))
  const verified = member(claims, 'email_verified')
  if (email === undefined || (verified !== undefined && verified !== true)) return undefined
  return domains.includes(domainOf(email)) ? email : undefined
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function no(problem: IdJagProblem): { readonly ok: false; readonly problem: IdJagProblem } {
  return { ok: false, problem }
}

import type { Person } from '../accounts/person.ts'
import { csrfProofOf, looksLikeSignIn, type SignIns } from '../accounts/sign-ins.ts'
import { equalInConstantTime } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { FailedAuthLimit } from '../limits/failed-auth.ts'
import type { Origin } from '../records/audit-event.ts'
import { cookieNamed } from './session-cookie.ts'

/** Who calls `/api`: whoever holds the admin key (PRODUCT.md, 14), or a person who has signed in. */
export type ApiCaller =
  | { readonly kind: 'operator' }
  | { readonly kind: 'person'; readonly person: Person; readonly signIn: SignedIn }

export interface SignedIn {
  readonly tokenHash: string
  readonly expiresAt: number
  /** What proves that a request with the cookie comes from our own page; undefined: no cookie was used. */
  readonly csrfProof: string | undefined
}

export interface AuthenticateOptions {
  readonly adminKey: string
  readonly signIns: Pick<SignIns, 'find'>
  readonly failedAuth: FailedAuthLimit
  /** The cookie's name: it depends on whether we are reached by https. */
  readonly cookieName: string
}

/** What a page of another site cannot know: it may make a browser send the cookie, and no more. */
export const CSRF_HEADER = 'x-gatehouse-csrf'
const HARMLESS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/**
 * Who calls: by `Authorization: Bearer`, else by the session's cookie, which counts only beside its CSRF proof where
 * something may change (THREATS.md, T18).
 *
 * @throws GatewayError `missing_token`, `invalid_token`, `forbidden` for a missing proof, `rate_limited` after too many wrong
 * credentials from one address.
 */
export async function authenticate(exchange: Exchange, options: AuthenticateOptions): Promise<ApiCaller> {
  const { clientAddress, startedAt } = exchange
  const { failedAuth } = options
  failedAuth.check(clientAddress, startedAt)
  const caller = await callerOf(exchange, options)
  if (caller !== undefined) return caller
  failedAuth.failed(clientAddress, startedAt)
  throw new GatewayError('invalid_token', 'This is neither the admin key nor a sign-in that is still good.')
}

async function callerOf(
  exchange: Exchange,
  { adminKey, signIns, cookieName }: AuthenticateOptions,
): Promise<ApiCaller | undefined> {
  const authorization = exchange.header('authorization')
  if (authorization === undefined) return byCookie(exchange, signIns, cookieName)
  const [, token] = /^Bearer +([^\s]+)$/i.exec(authorization) ?? []
  if (token === undefined) {
    throw new GatewayError('missing_token', 'The management API needs Authorization: Bearer <admin key or sign-in>.')
  }
  if (equalInConstantTime(token, adminKey)) return { kind: 'operator' }
  return looksLikeSignIn(token) ? byToken(token, signIns) : undefined
}

async function byCookie(
  exchange: Exchange,
  signIns: AuthenticateOptions['signIns'],
  name: string,
): Promise<ApiCaller | undefined> {
  const token = cookieNamed(name, exchange.header('cookie'))
  if (token === undefined) {
    throw new GatewayError('missing_token', 'The management API needs Authorization: Bearer <admin key or sign-in>.')
  }
  const csrfProof = csrfProofOf(token)
  if (!HARMLESS.has(exchange.method) && !equalInConstantTime(exchange.header(CSRF_HEADER) ?? '', csrfProof)) {
    throw new GatewayError('forbidden', `A change by cookie needs ${CSRF_HEADER}, as GET /api/me gives it.`)
  }
  return byToken(token, signIns, csrfProof)
}

async function byToken(
  token: string,
  signIns: AuthenticateOptions['signIns'],
  csrfProof?: string,
): Promise<ApiCaller | undefined> {
  const found = await signIns.find(token)
  if (found === undefined) return undefined
  const { person, tokenHash, expiresAt } = found
  return { kind: 'person', person, signIn: { tokenHash, expiresAt, csrfProof } }
}

/** Who it was, for the audit. */
export function originOf(
  caller: ApiCaller | undefined,
  { clientAddress, requestId }: Pick<Exchange, 'clientAddress' | 'requestId'>,
): Origin {
  if (caller === undefined) return { actor: 'anonymous', clientAddress, requestId }
  if (caller.kind === 'operator') return { actor: 'admin_key', clientAddress, requestId }
  const { id, email } = caller.person
  return { actor: 'person', subject: id, name: email, clientAddress, requestId }
}

import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client'
import { GatewayError } from '../../errors.ts'

const QUOTED_MAX = 300

/** What of a provider a failure needs: its name for the person, and what must stand in no record. */
export interface Failing {
  readonly name: string
  readonly secrets: readonly string[]
}

/** The answer does not belong to a sign-in of this browser that is under way. */
export function notThisSignIn(reason: string): GatewayError {
  return new GatewayError('invalid_request', 'This sign-in is not valid any more. Please begin again.', {
    cause: reason,
  })
}

/** What the provider sent does not prove who it is. */
export function notProven({ name, secrets }: Failing, reason: string): GatewayError {
  return new GatewayError('login_failed', `${name} gave an answer that cannot be accepted, so nobody was signed in.`, {
    cause: without(secrets, reason),
  })
}

export function providerUnavailable({ name, secrets }: Failing, reason: string): GatewayError {
  return new GatewayError(
    'identity_provider_unavailable',
    `${name} cannot be reached at the moment. Try again in a minute, or sign in another way.`,
    { cause: without(secrets, reason), retryAfterSeconds: 60 },
  )
}

/** A failure of `openid-client`, or of the call under it, in our own words. */
export function signInFailure(failing: Failing, error: unknown): GatewayError {
  if (error instanceof AuthorizationResponseError) return saidNo(failing, error)
  const chain = causesOf(error)
  const ours = chain.find((one) => one instanceof GatewayError)
  if (ours !== undefined) return ofCall(failing, ours)
  const response = chain.find((one) => one instanceof Response)
  const status = response?.status ?? (error instanceof ResponseBodyError ? error.status : undefined)
  const reason = reasonOf(error, status)
  // Request Timeout and Too Many Requests pass, as a 5xx does; everything else would be answered alike again.
  const mayPass = status !== undefined && (status >= 500 || status === 408 || status === 429)
  return mayPass ? providerUnavailable(failing, reason) : notProven(failing, reason)
}

/** The reason of a failure for the log at the start, without the words for the person. */
export function reasonForLog(error: GatewayError): string {
  return typeof error.detail.cause === 'string' ? error.detail.cause : error.message
}

function ofCall(failing: Failing, error: GatewayError): GatewayError {
  switch (error.code) {
    case 'upstream_unreachable':
    case 'upstream_timeout':
    case 'upstream_too_large':
    case 'egress_refused':
      return providerUnavailable(failing, error.message)
    case 'cancelled':
      return new GatewayError('unavailable', 'Gatehouse is stopping.')
    default:
      return error
  }
}

/** RFC 6749 §4.1.2.1. */
function saidNo(failing: Failing, error: AuthorizationResponseError): GatewayError {
  const { name, secrets } = failing
  const reason = `the provider answered ${quoted(error.error)}: ${quoted(error.error_description)}`
  if (error.error === 'temporarily_unavailable' || error.error === 'server_error') {
    return providerUnavailable(failing, reason)
  }
  const message =
    error.error === 'access_denied'
      ? `You were not signed in: ${name} says that it was not allowed.`
      : `${name} did not sign you in. Tell whoever runs this server; the reason stands in its log.`
  return new GatewayError('forbidden', message, { cause: without(secrets, reason) })
}

function reasonOf(error: unknown, status: number | undefined): string {
  const answered = status === undefined ? '' : ` (status ${status})`
  if (error instanceof ResponseBodyError) {
    return `the token endpoint answered ${quoted(error.error)}: ${quoted(error.error_description)}${answered}`
  }
  if (error instanceof ClientError) {
    const claim = claimOf(error.cause)
    return `${error.message}${claim}${answered}`
  }
  return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown failure'
}

/** Which claim it was. Not what it holds: the objects of the library carry whole tokens. */
function claimOf(cause: unknown): string {
  const text = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : ''
  const within = cause instanceof Error ? cause.cause : cause
  if (typeof within !== 'object' || within === null || !('claim' in within)) return text
  return typeof within.claim === 'string' ? `${text} (${quoted(within.claim)})` : text
}

/** The error and what caused it, outermost first. */
function causesOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let one = error; one !== undefined && chain.length < 10; ) {
    chain.push(one)
    one = one instanceof Error ? one.cause : undefined
  }
  return chain
}

/** A text of the provider: one line, cut. */
function quoted(text: unknown): string {
  if (typeof text !== 'string') return 'no reason'
  return JSON.stringify(text.slice(0, QUOTED_MAX))
}

/** Providers repeat what they were sent, in their own words. */
function without(secrets: readonly string[], text: string): string {
  return secrets.reduce((left, secret) => (secret === '' ? left : left.replaceAll(secret, '[removed]')), text)
}

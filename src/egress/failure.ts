import { GatewayError } from '../errors.ts'
import { errors } from './undici.ts'

/** What a request is called in messages about it, with the limits that such messages name. */
export interface Named {
  readonly calledAs?: string | undefined
  readonly timeoutMs: number
  readonly responseBytesMax: number
}

export function timedOut(request: Named): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `${subject(request)} did not answer within ${inSeconds(request.timeoutMs)}.`,
  )
}

export function tooLarge(request: Named): GatewayError {
  const limit = inBytes(request.responseBytesMax)
  return new GatewayError('upstream_too_large', `${subject(request)} answered with more than the limit of ${limit}.`)
}

export function cancelled(): GatewayError {
  return new GatewayError('cancelled', 'The call was cancelled.')
}

export function refused(request: Pick<Named, 'calledAs'>, reason: string, cause?: unknown): GatewayError {
  return new GatewayError('egress_refused', `${subject(request)} may not be called: ${reason}.`, { cause })
}

/**
 * The failure of a connection in the user's words. What was thrown is kept as code and text only: the objects of the
 * network layer can hold pieces of the answer.
 */
export function unreachable(request: Pick<Named, 'calledAs'>, error: unknown): GatewayError {
  const code = codeOf(error)
  const reason = REASONS[code] ?? reasonByPrefix(code)
  const text = error instanceof Error ? error.message : 'unknown'
  const cause = Object.assign(new Error(code === '' ? text : `${code}: ${text}`), { code })
  return new GatewayError('upstream_unreachable', `${subject(request)} could not be reached: ${reason}.`, { cause })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  UND_ERR_SOCKET: 'the connection was dropped',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  ETIMEDOUT: 'no connection in time',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to its network',
  ENETUNREACH: 'there is no way to its network',
  UND_ERR_HEADERS_OVERFLOW: 'its answer has too many headers',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was dropped',
}

function reasonByPrefix(code: string): string {
  if (code.startsWith('HPE_')) return 'its answer is not HTTP'
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return `its TLS certificate is not trusted (${code})`
  if (/SSL|TLS/.test(code)) return 'no TLS connection could be made'
  return 'the connection failed'
}

function subject(request: Pick<Named, 'calledAs'>): string {
  return request.calledAs ?? 'The server'
}

/** The network layer's code of a failure (`ECONNREFUSED`), also of one that `unreachable` has made; empty without one. */
export function networkCodeOf(error: unknown): string {
  return codeOf(error instanceof GatewayError ? error.detail.cause : error)
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  // Its parser knows what it did not understand and, for some of it, no code.
  if (error instanceof errors.HTTPParserError) return error.code ?? 'HPE_UNKNOWN'
  return typeof error.code === 'string' ? error.code : ''
}

function inSeconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${Math.round(milliseconds / 100) / 10} s`
}

/** A size as people say it: `5 MB`, `64 KB`, `900 bytes`. */
export function inBytes(bytes: number): string {
  if (bytes >= 1_000_000) return `${Math.round(bytes / 100_000) / 10} MB`
  if (bytes >= 1000) return `${Math.round(bytes / 100) / 10} KB`
  return `${bytes} bytes`
}

import { decodeJwt } from 'jose'
import type { LoginSettings } from '../workspaces/settings.ts'

/** The name under which an API speaks of its refresh token. */
export type RefreshField = 'refreshToken' | 'refresh_token'

/** What a login or a refresh answered. */
export interface SignInAnswer {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly refreshField: RefreshField
  /** Undefined when neither the answer nor the token tells. */
  readonly lifeMs: number | undefined
}

export type ReadSignIn =
  | { readonly ok: true; readonly answer: SignInAnswer }
  | { readonly ok: false; readonly problem: 'html' | 'not_json' | 'no_token' | 'unsafe_token' }

/** Where the parts of the answer stand, as JSON pointers (RFC 6901). */
export type SignInPointers = Pick<LoginSettings, 'accessToken' | 'refreshToken' | 'expiresIn'>

/** The fields in which an access token is looked for, in this order. */
export const ACCESS_TOKEN_FIELDS = ['accessToken', 'access_token', 'token', 'jwt'] as const

const REFRESH_TOKEN_FIELDS = ['refreshToken', 'refresh_token'] as const
const EXPIRY_FIELDS = ['expiresIn', 'expires_in'] as const
const LIFE_MS_MAX = 30 * 24 * 3_600_000
const TOKEN_LENGTH_MAX = 16_384
// Visible ASCII only: the token goes into a header line, where a line break would start another one.
const TOKEN = /^[\x21-\x7e]+$/

/**
 * Reads the body of a login's answer (PRODUCT.md, 15). Pure: `now` is milliseconds since the epoch.
 *
 * A lifetime that is no positive number counts as none, and then the token's own `exp` counts when it is a JWT. That claim
 * is read without a check of the signature: the API will check the token, here it only says how long to keep it.
 */
export function readSignIn(body: string, pointers: SignInPointers, now: number): ReadSignIn {
  const text = body.trimStart()
  if (text.startsWith('<')) return { ok: false, problem: 'html' }
  const parsed = parse(text)
  if (!parsed.ok) return { ok: false, problem: 'not_json' }
  const accessToken = findText(parsed.value, pointers.accessToken, ACCESS_TOKEN_FIELDS)
  if (accessToken === undefined) return { ok: false, problem: 'no_token' }
  if (!TOKEN.test(accessToken) || accessToken.length > TOKEN_LENGTH_MAX) return { ok: false, problem: 'unsafe_token' }
  const refreshToken = findText(parsed.value, pointers.refreshToken, REFRESH_TOKEN_FIELDS)
  const refreshField = usesSnakeCase(parsed.value, pointers.refreshToken) ? 'refresh_token' : 'refreshToken'
  const lifeMs = lifeOfAnswer(parsed.value, pointers.expiresIn) ?? lifeOfJwt(accessToken, now)
  return { ok: true, answer: { accessToken, refreshToken, refreshField, lifeMs } }
}

function parse(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    // The reason quotes the body, and the body may hold a secret.
    return { ok: false }
  }
}

function findText(value: unknown, pointer: string | undefined, fields: readonly string[]): string | undefined {
  const found = find(value, pointer, fields)
  return typeof found === 'string' && found !== '' ? found : undefined
}

function find(value: unknown, pointer: string | undefined, fields: readonly string[]): unknown {
  if (pointer !== undefined) return findByPointer(value, pointer)
  for (const field of fields) {
    const found = findField(value, field)
    if (found !== undefined && found !== null && found !== '') return found
  }
  return undefined
}

function findByPointer(value: unknown, pointer: string): unknown {
  const names = pointer.slice(1).split('/')
  return names.reduce<unknown>((at, name) => findField(at, name.replaceAll('~1', '/').replaceAll('~0', '~')), value)
}

function findField(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return Reflect.get(value, name)
}

function usesSnakeCase(value: unknown, pointer: string | undefined): boolean {
  if (pointer !== undefined) return pointer.endsWith('/refresh_token')
  return findField(value, 'refreshToken') === undefined && findField(value, 'refresh_token') !== undefined
}

function lifeOfAnswer(value: unknown, pointer: string | undefined): number | undefined {
  const found = find(value, pointer, EXPIRY_FIELDS)
  return typeof found === 'number' || typeof found === 'string' ? lifeOfSeconds(Number(found)) : undefined
}

function lifeOfJwt(token: string, now: number): number | undefined {
  try {
    const { exp } = decodeJwt(token)
    return typeof exp === 'number' ? lifeOfSeconds(exp - now / 1000) : undefined
  } catch {
    // Not a JWT: many APIs give opaque tokens.
    return undefined
  }
}

function lifeOfSeconds(seconds: number): number | undefined {
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, LIFE_MS_MAX) : undefined
}

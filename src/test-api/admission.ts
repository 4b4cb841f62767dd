import type { IncomingHttpHeaders } from 'node:http'
import { equalInConstantTime } from '../crypto/hash.ts'
import type { TokenIssuer } from './token-issuer.ts'
import { type Reply, refusal, textField } from './wire.ts'

/** What the test API asks of its callers. */
export type TestApiMode = 'none' | 'apikey' | 'bearer' | 'jwt'

/** Credentials that are public on purpose: the banner prints those of its mode. */
export interface SampleCredentials {
  readonly apiKey: string
  readonly bearerToken: string
  readonly users: readonly { readonly username: string; readonly password: string }[]
}

/** Who calls, or the 401 to send. */
export type Admission =
  | { readonly ok: true; readonly caller: string }
  | { readonly ok: false; readonly reason: string; readonly reply: Reply }

/** Lets a call of `/api` in, as the mode demands. */
export async function admit(
  headers: IncomingHttpHeaders,
  { mode, credentials, issuer }: { mode: TestApiMode; credentials: SampleCredentials; issuer: TokenIssuer },
): Promise<Admission> {
  switch (mode) {
    case 'none':
      return { ok: true, caller: 'anonymous' }
    case 'apikey':
      return admitKey(headers['x-api-key'], credentials.apiKey)
    case 'bearer': {
      const token = bearerToken(headers)
      if (token === undefined) return refuse('MISSING_TOKEN')
      if (!equalInConstantTime(token, credentials.bearerToken)) return refuse('INVALID_TOKEN')
      return { ok: true, caller: 'bearer-token' }
    }
    case 'jwt': {
      const token = bearerToken(headers)
      if (token === undefined) return refuse('MISSING_TOKEN')
      const checked = await issuer.check(token)
      return checked.ok ? { ok: true, caller: checked.username } : refuse(checked.reason)
    }
  }
}

/** The user of a login body whose password is right, else undefined. */
export function checkPassword(body: unknown, credentials: SampleCredentials): string | undefined {
  const username = textField(body, 'username')
  const password = textField(body, 'password')
  if (username === undefined || password === undefined) return undefined
  const known = credentials.users.find((user) => user.username === username)
  return known && equalInConstantTime(password, known.password) ? known.username : undefined
}

function admitKey(given: string | string[] | undefined, apiKey: string): Admission {
  if (given === undefined || given === '') return refuse('MISSING_API_KEY')
  if (Array.isArray(given) || !equalInConstantTime(given, apiKey)) return refuse('INVALID_API_KEY')
  return { ok: true, caller: 'api-key' }
}

function bearerToken(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
}

const reasons = {
  MISSING_API_KEY: 'Send your key in the X-Api-Key header.',
  INVALID_API_KEY: 'This API key is not known.',
  MISSING_TOKEN: 'Send a token as Authorization: Bearer <token>.',
  INVALID_TOKEN: 'This token is not valid here.',
  TOKEN_EXPIRED: 'This token has expired.',
  TOKEN_REVOKED: 'This token was revoked.',
} as const

function refuse(reason: keyof typeof reasons): Admission {
  const challenge = reason.endsWith('API_KEY') ? undefined : { 'www-authenticate': 'Bearer realm="test-api"' }
  return { ok: false, reason, reply: refusal(401, reason, reasons[reason], challenge) }
}

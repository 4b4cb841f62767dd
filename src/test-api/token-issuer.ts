import { errors, jwtVerify, SignJWT } from 'jose'
import { randomId, randomSecret } from '../crypto/random.ts'
import { users } from './inventory.ts'

const REFRESH_TOKENS_MAX = 1000

/** Whose access token it is, or why it is refused. */
export type CheckedToken =
  | { readonly ok: true; readonly username: string }
  | { readonly ok: false; readonly reason: 'TOKEN_EXPIRED' | 'TOKEN_REVOKED' | 'INVALID_TOKEN' }

/** The answer to a login or a refresh; `expiresIn` is in seconds. */
export interface TokenPair {
  readonly accessToken: string
  readonly refreshToken?: string
  readonly expiresIn: number
}

/** How long tokens live and by which clock; `now` is in milliseconds. */
export interface TokenIssuerOptions {
  readonly issuer: string
  readonly ttlSeconds: number
  readonly refreshTtlSeconds: number
  /** Whether a refresh also gives a new refresh token and ends the old one. */
  readonly rotateRefreshTokens: boolean
  readonly now: () => number
}

/**
 * Issues HS256 access tokens under a key of its own, made at construction, and opaque refresh tokens.
 *
 * Keeps at most 1,000 refresh tokens: one more drops the oldest.
 */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions
  readonly #key = Buffer.from(randomSecret(), 'base64url')
  readonly #refreshTokens = new Map<string, { readonly username: string; readonly expiresAt: number }>()
  // A number in each token, so that revoking all of them needs no list of them.
  #generation = 1

  constructor(options: TokenIssuerOptions) {
    this.#options = options
  }

  /** Tokens for somebody whose password is already checked. */
  async signIn(username: string): Promise<TokenPair> {
    return { ...(await this.#accessFor(username)), refreshToken: this.#refreshFor(username) }
  }

  /** New tokens for a refresh token, or undefined when it is unknown, expired or revoked. */
  async refresh(refreshToken: string): Promise<TokenPair | undefined> {
    const known = this.#refreshTokens.get(refreshToken)
    if (!known || known.expiresAt <= this.#options.now()) return undefined
    if (!this.#options.rotateRefreshTokens) return this.#accessFor(known.username)
    this.#refreshTokens.delete(refreshToken)
    return this.signIn(known.username)
  }

  /** Checks signature, algorithm, issuer, expiry and revocation. */
  async check(accessToken: string): Promise<CheckedToken> {
    const { issuer, now } = this.#options
    try {
      const { payload } = await jwtVerify(accessToken, this.#key, {
        algorithms: ['HS256'],
        issuer,
        currentDate: new Date(now()),
        requiredClaims: ['exp', 'sub'],
      })
      if (payload['generation'] !== this.#generation) return { ok: false, reason: 'TOKEN_REVOKED' }
      return { ok: true, username: String(payload.sub) }
    } catch (error) {
      return { ok: false, reason: error instanceof errors.JWTExpired ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN' }
    }
  }

  /** Refuses every access token issued so far. */
  revokeAccessTokens(): void {
    this.#generation += 1
  }

  /** Refuses every refresh token issued so far. */
  revokeRefreshTokens(): void {
    this.#refreshTokens.clear()
  }

  async #accessFor(username: string): Promise<TokenPair> {
    const { issuer, ttlSeconds, now } = this.#options
    const issuedAt = Math.floor(now() / 1000)
    const role = users.find((user) => user.username === username)?.role
    const accessToken = await new SignJWT({ role, generation: this.#generation })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(username)
      .setJti(randomId(16))
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ttlSeconds)
      .sign(this.#key)
    return { accessToken, expiresIn: ttlSeconds }
  }

  #refreshFor(username: string): string {
    const [oldest] = this.#refreshTokens.keys()
    if (oldest !== undefined && this.#refreshTokens.size >= REFRESH_TOKENS_MAX) this.#refreshTokens.delete(oldest)
    const refreshToken = randomSecret()
    const expiresAt = this.#options.now() + this.#options.refreshTtlSeconds * 1000
    this.#refreshTokens.set(refreshToken, { username, expiresAt })
    return refreshToken
  }
}

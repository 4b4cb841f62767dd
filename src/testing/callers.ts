import { SignJWT } from 'jose'
import { randomSecret } from '../crypto/random.ts'

/** Callers of one workspace that verifies by a shared secret. */
export interface TestCallers {
  /** What the workspace's `auth` is set to. */
  readonly auth: { readonly authType: 'jwt'; readonly jwt: readonly [Readonly<Record<string, unknown>>] }
  readonly secret: string
  readonly issuer: string
  readonly audience: string
  /** A token of this caller, good for an hour; `claims` are added or, when undefined, left out. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
}

/** Callers with a secret of their own; `settings` is added to the workspace's verifier. */
export function testCallers(
  settings: Readonly<Record<string, unknown>> = {},
  now: () => number = Date.now,
): TestCallers {
  const secret = randomSecret(48)
  const issuer = 'https://issuer.example'
  const audience = 'gatehouse-test'
  return {
    auth: { authType: 'jwt', jwt: [{ secret, issuer, audience, ...settings }] },
    secret,
    issuer,
    audience,
    token(claims = {}) {
      const nowSeconds = Math.floor(now() / 1000)
      const payload = {
        iss: issuer,
        aud: audience,
        sub: 'test-user',
        iat: nowSeconds,
        exp: nowSeconds + 3600,
        ...claims,
      }
      return new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret))
    },
  }
}

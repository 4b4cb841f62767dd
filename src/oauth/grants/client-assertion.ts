import type * as Library from 'oidc-provider'

/** How far ahead an assertion may end, seconds: for so long we have to remember it. */
const LIFE_SECONDS_MAX = 600
const JTI_LENGTH_MAX = 500

/**
 * What the library does not check of a client's assertion (RFC 7523 §3): that it ends soon, and that its `jti` is a text that is
 * no longer than needed. Everything else it has checked: key, `iss`, `sub`, `aud`, `exp`, and that the `jti` counts once.
 */
export function assertionChecker({ errors }: Pick<typeof Library, 'errors'>, now: () => number) {
  return async (_context: unknown, claims: Readonly<Record<string, unknown>>): Promise<void> => {
    const { exp, jti } = claims
    if (typeof exp !== 'number' || exp > now() / 1000 + LIFE_SECONDS_MAX) {
      throw new errors.InvalidClientAuth(`the assertion lives for more than ${LIFE_SECONDS_MAX} s`)
    }
    if (typeof jti !== 'string' || jti.length > JTI_LENGTH_MAX) {
      throw new errors.InvalidClientAuth('the jti is no text, or too long')
    }
  }
}

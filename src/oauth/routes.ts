/** Where the authorization server is mounted (PRODUCT.md, "URLs"). All below the public URL. */
export const ROUTES = {
  signIn: '/oauth/sign-in',
  callback: '/oauth/callback',
  signOut: '/oauth/sign-out',
  /** Those that the library serves, by its names. */
  library: {
    authorization: '/oauth/authorize',
    token: '/oauth/token',
    registration: '/register',
    revocation: '/oauth/revoke',
    userinfo: '/oauth/userinfo',
    // Where a device asks for a code, and where its person enters it (RFC 8628).
    device_authorization: '/oauth/device-authorization',
    code_verification: '/oauth/device',
    jwks: '/.well-known/jwks.json',
    // Not for anybody: the library always has one.
    end_session: '/oauth/end-session',
  },
} as const

/** Other names of the same. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['/authorize', ROUTES.library.authorization],
  ['/token', ROUTES.library.token],
  ['/revoke', ROUTES.library.revocation],
  ['/oauth/register', ROUTES.library.registration],
])

/** The cookie of a sign-in. With the prefix a browser takes it over https alone, for this host alone (RFC 6265bis §4.1.3.2). */
export function sessionCookieName(publicUrl: string): string {
  return isHttps(publicUrl) ? '__Host-gatehouse' : 'gatehouse'
}

/** The `Set-Cookie` that keeps a token for so long; no script reads it, and no other site's page sends it. */
export function sessionCookie(
  publicUrl: string,
  { token, maxAgeSeconds }: { readonly token: string; readonly maxAgeSeconds: number },
): string {
  // On loopback http browsers refuse the prefix (PRODUCT.md, 12).
  const secure = isHttps(publicUrl) ? ['Secure'] : []
  const value = `${sessionCookieName(publicUrl)}=${token}`
  return [value, 'Path=/', `Max-Age=${maxAgeSeconds}`, ...secure, 'HttpOnly', 'SameSite=Strict'].join('; ')
}

/** The value of the cookie of this name; undefined when there is none, or several: one of them is somebody else's. */
export function cookieNamed(name: string, header: string | undefined): string | undefined {
  const values = (header ?? '').split(';').flatMap((pair) => {
    const [key, ...value] = pair.trim().split('=')
    return key === name ? [value.join('=')] : []
  })
  const [only, second] = values
  return only === undefined || only === '' || second !== undefined ? undefined : only
}

function isHttps(url: string): boolean {
  return url.startsWith('https:')
}

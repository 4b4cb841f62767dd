const HOPS_MAX = 10

/**
 * A browser that goes wherever it is sent, with cookies, until it is sent to an address that begins so; gives that address
 * without asking for it. For flows that need no page to be filled in.
 */
export async function followUntil(start: string, prefix: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = start
  for (let hop = 0; hop < HOPS_MAX; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } })
    const body = await response.text()
    for (const set of response.headers.getSetCookie()) {
      const [pair = ''] = set.split(';')
      const at = pair.indexOf('=')
      cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url} answered ${response.status} and led nowhere: ${body.slice(0, 300)}`)
    url = new URL(location, url).href
    if (url.startsWith(prefix)) return url
  }
  throw new Error(`More than ${HOPS_MAX} redirects from ${start}`)
}

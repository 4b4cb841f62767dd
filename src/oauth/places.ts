import { ALIASES, ROUTES } from './routes.ts'

/** A path as what is behind it: the route, and what follows it. */
export interface Place {
  readonly route: string
  readonly rest: string | undefined
}

const WITH_REST: readonly string[] = [
  ...[ROUTES.signIn, ROUTES.callback, ROUTES.library.authorization, ROUTES.library.code_verification],
]
/** Routes that people see. */
export const PAGES: ReadonlySet<string> = new Set([
  ROUTES.signIn,
  ROUTES.signOut,
  ROUTES.callback,
  ROUTES.library.authorization,
  ROUTES.library.code_verification,
])

/** What is behind this path; undefined: nothing of the authorization server. Its metadata is not among it. */
export function placeOf(path: string): Place | undefined {
  const alias = ALIASES.get(path)
  if (alias !== undefined) return { route: alias, rest: undefined }
  if (path !== ROUTES.library.registration && !path.startsWith('/oauth/')) return undefined
  if (Object.hasOwn(METHODS, path) && path !== ROUTES.signIn) return { route: path, rest: undefined }
  for (const route of WITH_REST) {
    const rest = path.startsWith(`${route}/`) ? path.slice(route.length + 1) : ''
    if (/^[\w-]{1,100}$/.test(rest)) return { route, rest }
  }
  return undefined
}

export const READING: readonly string[] = ['GET', 'HEAD']

/** What each route takes. */
export const METHODS: Readonly<Record<string, readonly string[]>> = {
  [ROUTES.library.authorization]: READING,
  [ROUTES.library.token]: ['POST'],
  [ROUTES.library.registration]: ['POST'],
  [ROUTES.library.revocation]: ['POST'],
  [ROUTES.library.device_authorization]: ['POST'],
  [ROUTES.library.code_verification]: [...READING, 'POST'],
  [ROUTES.library.userinfo]: [...READING, 'POST'],
  [ROUTES.signIn]: [...READING, 'POST'],
  [ROUTES.signOut]: [...READING, 'POST'],
  [ROUTES.callback]: READING,
}

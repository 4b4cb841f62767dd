import { type IssuedRoutesOptions, issuedRoutes, issueRoute } from './issued.ts'
import { createKeyBody } from './issued-bodies.ts'
import type { Route } from './routes.ts'

/** API keys in `/api`. */
export function keyRoutes(options: IssuedRoutesOptions): readonly Route[] {
  const key = { kind: 'key', path: '/api/keys', noun: 'an API key' } as const
  return [
    issueRoute({ ...key, body: createKeyBody, read: ({ name, ...body }) => ({ ...body, description: name }) }, options),
    ...issuedRoutes(key, options),
  ]
}

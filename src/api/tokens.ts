import { type IssuedRoutesOptions, issuedRoutes, issueRoute } from './issued.ts'
import { createSessionBody, createTokenBody, signingKeyAnswer } from './issued-bodies.ts'
import { type Route, route } from './routes.ts'

/** Tokens, session tokens and the keys that sign them, in `/api`. */
export function tokenRoutes(options: IssuedRoutesOptions): readonly Route[] {
  const token = { kind: 'token', path: '/api/tokens', noun: 'a token' } as const
  const session = { kind: 'session', path: '/api/sessions', noun: 'a session token for a user of yours' } as const
  return [
    issueRoute({ ...token, body: createTokenBody, read: (body) => body }, options),
    ...issuedRoutes(token, options),
    issueRoute({ ...session, body: createSessionBody, read: (body) => ({ ...body, description: 'session' }) }, options),
    ...issuedRoutes({ ...session, noun: 'a session token' }, options),
    ...signingKeyRoutes(options),
  ]
}

function signingKeyRoutes({ tokensOf }: IssuedRoutesOptions): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/signing-keys',
      summary: 'List the keys that are published, oldest first',
      needs: 'read',
      status: 200,
      answer: signingKeyAnswer.array(),
      handle: async ({ account }) => tokensOf(account).signingKeys().map(viewKey),
    }),
    route({
      method: 'POST',
      path: '/api/signing-keys/rotate',
      summary: 'Sign with a new key from now on; tokens of the old one stay good',
      needs: 'operator',
      status: 201,
      answer: signingKeyAnswer,
      handle: async ({ account, by }) => viewKey(await tokensOf(account).rotateSigningKeys(by)),
    }),
  ]
}

function viewKey({ kid, createdAt, retiredAt }: { kid: string; createdAt: number; retiredAt: number | undefined }) {
  return {
    kid,
    createdAt: new Date(createdAt).toISOString(),
    retiredAt: retiredAt === undefined ? null : new Date(retiredAt).toISOString(),
  }
}

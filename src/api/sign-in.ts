import { csrfProofOf, SIGN_IN_SECONDS } from '../accounts/sign-ins.ts'
import { GatewayError } from '../errors.ts'
import type { Accounts } from '../manage/accounts.ts'
import type { Entrance } from '../manage/entrance.ts'
import type { ApiCaller } from './authenticate.ts'
import {
  acceptBody,
  changePasswordBody,
  emailAnswer,
  firstRunBody,
  meAnswer,
  signInAnswer,
  signInBody,
} from './people-bodies.ts'
import { openRoute, type Route, route, signedInRoute } from './routes.ts'
import { sessionCookie } from './session-cookie.ts'

export interface SignInRoutesOptions {
  readonly entrance: Entrance
  readonly accounts: Accounts
  /** Shows a code where the gateway was started. */
  readonly showFirstRunCode: (code: string) => void
}

/** Coming in and going out, in `/api`. */
export function signInRoutes(options: SignInRoutesOptions): readonly Route[] {
  return [...openRoutes(options), ...ownRoutes(options)]
}

function openRoutes({ entrance, showFirstRunCode }: SignInRoutesOptions): readonly Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/api/sign-in',
      summary: 'Sign in as a person, by e-mail and password',
      needs: 'nobody',
      status: 200,
      body: signInBody,
      answer: signInAnswer,
      handle: async ({ body: { cookie, ...body }, by, setHeader, publicUrl }) => {
        const { token, expiresAt } = await entrance.signIn(body, by)
        const ends = new Date(expiresAt).toISOString()
        if (!cookie) return { token, csrf: null, expiresAt: ends }
        setHeader('Set-Cookie', sessionCookie(publicUrl, { token, maxAgeSeconds: SIGN_IN_SECONDS }))
        return { token: null, csrf: csrfProofOf(token), expiresAt: ends }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/api/invitations/accept',
      summary: 'Accept an invitation, or set a new password with a code for that',
      needs: 'nobody',
      status: 200,
      body: acceptBody,
      answer: emailAnswer,
      handle: ({ body, by }) => entrance.accept(body, by),
    }),
    openRoute({
      method: 'POST',
      path: '/api/first-run',
      summary: 'Make the first owner, with the one-time code that the gateway has shown on its terminal',
      needs: 'nobody',
      status: 201,
      body: firstRunBody,
      answer: emailAnswer,
      handle: ({ body, by }) => entrance.firstRun(body, by),
    }),
    route({
      method: 'POST',
      path: '/api/first-run/code',
      summary: 'Show a new one-time code on the gateway’s terminal; the one before is worth nothing any more',
      needs: 'operator',
      status: 204,
      handle: async () => showFirstRunCode(await entrance.newFirstRunCode()),
    }),
  ]
}

function ownRoutes({ entrance, accounts }: SignInRoutesOptions): readonly Route[] {
  return [
    signedInRoute({
      method: 'POST',
      path: '/api/sign-out',
      summary: 'End this sign-in',
      needs: 'sign_in',
      status: 204,
      handle: async ({ caller, by, setHeader, publicUrl }) => {
        const { person, signIn } = personOf(caller)
        await entrance.signOut(person, signIn.tokenHash, by)
        if (signIn.csrfProof === undefined) return
        setHeader('Set-Cookie', sessionCookie(publicUrl, { token: '', maxAgeSeconds: 0 }))
      },
    }),
    signedInRoute({
      method: 'GET',
      path: '/api/me',
      summary: 'Say who is signed in, and what that is worth in which account',
      needs: 'sign_in',
      status: 200,
      answer: meAnswer,
      handle: ({ caller }) => viewMe(caller, accounts),
    }),
    signedInRoute({
      method: 'POST',
      path: '/api/me/password',
      summary: 'Set another password, which ends every other sign-in of yours',
      needs: 'sign_in',
      status: 204,
      body: changePasswordBody,
      handle: async ({ caller, body, by }) => {
        const { person, signIn } = personOf(caller)
        await entrance.changePassword({ person, tokenHash: signIn.tokenHash }, body, by)
      },
    }),
  ]
}

function personOf(caller: ApiCaller): Extract<ApiCaller, { kind: 'person' }> {
  if (caller.kind === 'person') return caller
  throw new GatewayError('invalid_request', 'This is for people who have signed in; the admin key does not sign in.')
}

async function viewMe(caller: ApiCaller, accounts: Accounts) {
  const person = caller.kind === 'person' ? caller.person : undefined
  const signIn = caller.kind === 'person' ? caller.signIn : undefined
  const mine = (await accounts.list(person)).map(({ id, slug, name }) => {
    const role = person === undefined ? 'operator' : person.roles.get(id)
    return { id, slug, name, role }
  })
  return {
    kind: caller.kind,
    id: person?.id ?? null,
    email: person?.email ?? null,
    name: person?.name ?? null,
    accounts: mine,
    csrf: signIn?.csrfProof ?? null,
    expiresAt: signIn === undefined ? null : new Date(signIn.expiresAt).toISOString(),
  }
}

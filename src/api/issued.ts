import type { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import { may, type Standing } from '../accounts/permissions.ts'
import { GatewayError } from '../errors.ts'
import { viewIssued } from '../manage/issued-view.ts'
import type { Issued, IssuedKind, TokenManager } from '../manage/token-manager.ts'
import { lifetimeSeconds } from '../tokens/lifetime.ts'
import { associateBody, issuedAnswer, issuedQuery, newlyIssuedAnswer } from './issued-bodies.ts'
import { type ApiCall, type Route, route } from './routes.ts'

export interface IssuedRoutesOptions {
  /** The credentials of an account, and no others. */
  readonly tokensOf: (account: Account) => TokenManager
  readonly now: () => number
}

/** What may be asked for, whatever it is called. */
export interface NewCredential {
  readonly description: string
  readonly subject?: string | undefined
  readonly expires: string
  readonly scopes: readonly string[]
  readonly workspaces: readonly string[]
  readonly isDefault?: boolean | undefined
}

interface Named<Body extends z.ZodType> {
  readonly kind: IssuedKind
  /** As in `/api/tokens`. */
  readonly path: string
  /** As in `a token`. */
  readonly noun: string
  readonly body: Body
  readonly read: (body: z.output<Body>) => NewCredential
}

/** Makes one. The answer is the only one that has its value. */
export function issueRoute<Body extends z.ZodType>(named: Named<Body>, options: IssuedRoutesOptions): Route {
  const { kind, path, noun, body, read } = named
  return route({
    method: 'POST',
    path,
    summary: `Issue ${noun}; its value is in this answer and in no other`,
    needs: 'credentials',
    status: 201,
    body,
    answer: newlyIssuedAnswer,
    handle: async (call) => {
      const { expires, ...request } = read(call.body)
      const tokens = options.tokensOf(call.account)
      refuseAdministrators(tokens.administratorScope(request), call.standing)
      const asked = { ...request, lifetimeSeconds: lifetimeSeconds(expires) ?? 0 }
      const made = await tokens.issue(kind, asked, call.by)
      return { ...shown(made, call, options), value: made.value }
    },
  })
}

/** Lists, shows, revokes, associates and dissociates: the same for tokens and keys. */
export function issuedRoutes(
  { kind, path, noun }: Pick<Named<z.ZodType>, 'kind' | 'path' | 'noun'>,
  options: IssuedRoutesOptions,
): readonly Route[] {
  const { tokensOf } = options
  return [
    route({
      method: 'GET',
      path,
      summary: `List what was issued, newest first: ${path.split('/').at(-1)}`,
      needs: 'read',
      status: 200,
      query: issuedQuery,
      answer: issuedAnswer.array(),
      handle: async ({ account, query, ...call }) =>
        (await tokensOf(account).list(kind, query.workspace)).map((issued) => shown(issued, call, options)),
    }),
    route({
      method: 'GET',
      path: `${path}/{id}`,
      summary: `Show ${noun}`,
      needs: 'read',
      status: 200,
      answer: issuedAnswer,
      handle: async ({ account, params, ...call }) =>
        shown(await tokensOf(account).get(kind, params['id'] ?? ''), call, options),
    }),
    route({
      method: 'POST',
      path: `${path}/{id}/revoke`,
      summary: `Revoke ${noun}: in force for the next call, for good`,
      needs: 'credentials',
      status: 200,
      answer: issuedAnswer,
      handle: async ({ account, params, by, ...call }) =>
        shown(await tokensOf(account).revoke(kind, params['id'] ?? '', by), call, options),
    }),
    route({
      method: 'POST',
      path: `${path}/{id}/workspaces`,
      summary: `Let ${noun} open a workspace, which then lets nobody in without a credential`,
      needs: 'credentials',
      status: 200,
      body: associateBody,
      answer: issuedAnswer,
      handle: async ({ account, standing, params, body: { workspace, isDefault }, by, ...call }) => {
        const tokens = tokensOf(account)
        const id = params['id'] ?? ''
        const { row } = await tokens.get(kind, id)
        refuseAdministrators(
          tokens.administratorScope({ scopes: row.scopes.split(' '), workspaces: [workspace] }),
          standing,
        )
        return shown(await tokens.associate(kind, id, workspace, { isDefault, by }), call, options)
      },
    }),
    route({
      method: 'DELETE',
      path: `${path}/{id}/workspaces/{workspace}`,
      summary: `Let ${noun} no longer open a workspace, which goes on asking for a credential`,
      needs: 'credentials',
      status: 200,
      answer: issuedAnswer,
      handle: async ({ account, params, by, ...call }) =>
        shown(
          await tokensOf(account).dissociate(kind, params['id'] ?? '', params['workspace'] ?? '', by),
          call,
          options,
        ),
    }),
  ]
}

/** Who administers a workspace is for those to say who open its doors, also here (FEATURES C14). */
function refuseAdministrators(scope: string | undefined, standing: Standing): void {
  if (scope === undefined || may(standing, 'doors')) return
  throw new GatewayError(
    'forbidden',
    `The scope ${scope} makes an administrator of that workspace, which needs the role admin in this account; yours is ${standing}.`,
  )
}

function shown(issued: Issued, { publicUrl }: Pick<ApiCall, 'publicUrl'>, { now }: IssuedRoutesOptions) {
  return viewIssued(issued, { now: now(), publicUrl })
}

import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../manage/accounts.ts'
import { accountAnswer, createAccountBody, renameAccountBody } from './people-bodies.ts'
import { type Route, route, signedInRoute } from './routes.ts'

/** Accounts in `/api`. */
export function accountRoutes(accounts: Accounts): readonly Route[] {
  const one = { path: '/api/accounts/{account}' } as const
  return [
    signedInRoute({
      method: 'GET',
      path: '/api/accounts',
      summary: 'List the accounts that you belong to, or all of them with the admin key',
      needs: 'sign_in',
      status: 200,
      answer: accountAnswer.array(),
      handle: async ({ caller }) =>
        (await accounts.list(caller.kind === 'person' ? caller.person : undefined)).map(viewAccount),
    }),
    route({
      method: 'POST',
      path: '/api/accounts',
      summary: 'Make an account; invite its first owner next',
      needs: 'operator',
      status: 201,
      body: createAccountBody,
      answer: accountAnswer,
      handle: async ({ body, by }) => viewAccount(await accounts.create(body, by)),
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Show an account',
      needs: 'read',
      status: 200,
      answer: accountAnswer,
      handle: async ({ account }) => viewAccount(account),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Rename an account; its slug stays',
      needs: 'account',
      status: 200,
      body: renameAccountBody,
      answer: accountAnswer,
      handle: async ({ account, body, by }) => viewAccount(await accounts.rename(account, body.name, by)),
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete an account that is empty: no workspaces, no credentials in force, one person at most',
      needs: 'account',
      status: 204,
      handle: async ({ account, by }) => accounts.delete(account, by),
    }),
  ]
}

function viewAccount({ id, slug, name, createdAt }: Account) {
  return { id, slug, name, createdAt: new Date(createdAt).toISOString() }
}

import type { Account } from '../accounts/account.ts'
import { logsAnswer, logsQuery } from './contract.ts'
import { type Route, route } from './routes.ts'

export interface LogQuery {
  /** Undefined: of every account, and what belongs to none. */
  readonly accountId?: string | undefined
  readonly workspaceId?: string | undefined
  readonly kind?: 'request' | 'login' | 'refresh' | undefined
  readonly outcome?: 'ok' | 'tool_error' | 'denied' | 'failed' | undefined
  readonly tool?: string | undefined
  readonly requestId?: string | undefined
  readonly before?: number | undefined
  readonly after?: number | undefined
  readonly limit: number
}

export interface LogRoutesOptions {
  /** The id of the account's workspace with this id or slug; throws `not_found`. */
  readonly workspaceId: (account: Account, reference: string) => string
  /** Lines in the order in which they ended, newest last. What ended before the call is among them. */
  readonly read: (query: LogQuery) => Promise<readonly unknown[]>
}

/** The log in `/api`. */
export function logRoutes({ workspaceId, read }: LogRoutesOptions): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/logs',
      summary: 'Read the log: requests and sign-ins in the order in which they ended, newest last',
      needs: 'read',
      status: 200,
      query: logsQuery,
      answer: logsAnswer,
      handle: async ({ account, readable: accountId, query: { workspace, ...query } }) => ({
        lines: await read({
          ...query,
          accountId,
          workspaceId: workspace === undefined ? undefined : workspaceId(account, workspace),
        }),
      }),
    }),
  ]
}

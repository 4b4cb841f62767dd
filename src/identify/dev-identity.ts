import { GatewayError } from '../errors.ts'
import type { DevSettings } from '../workspaces/settings.ts'
import { anonymous, type Caller, localCaller } from './caller.ts'
import type { Identity } from './identify.ts'

/** The issuer of callers who are believed: no token of a real one can say it, since it is no URL that could issue any. */
const ISSUER = 'gatehouse:dev'
const USER_LENGTH_MAX = 200

/**
 * Everybody is believed: `X-User-ID` says who calls, else it is the default user. For trying things out alone.
 *
 * @throws GatewayError `config_invalid` unless NODE_ENV is `test` or `development`; unset counts as production.
 */
export function createDevIdentity(
  settings: DevSettings,
  { isDevelopment }: { readonly isDevelopment: boolean },
): Identity {
  if (!isDevelopment) {
    throw new GatewayError(
      'config_invalid',
      'authType dev believes everybody: it works only when NODE_ENV is test or development. Use jwt.',
    )
  }
  const { defaultUser, allowedUsers } = settings
  const allowed = allowedUsers === undefined ? undefined : new Set(allowedUsers)
  const scopes = new Set(settings.scopes)
  return {
    authorizationServers: () => [],
    takesOAuth: false,
    isOpenToAll: false,
    start: async () => ['authType dev: EVERYBODY WHO REACHES THIS GATEWAY IS BELIEVED. Never use it with real data.'],
    identify(request) {
      if (request.transport === 'stdio') return localCaller
      return callerNamed(request.header('x-user-id')?.trim() || defaultUser)
    },
    isGood: () => true,
    requiredScopes: () => [],
  }

  function callerNamed(user: string): Caller {
    // A comma: the header came twice and was joined.
    if (user.length > USER_LENGTH_MAX || user.includes(',') || (allowed !== undefined && !allowed.has(user))) {
      throw new GatewayError('invalid_token', 'X-User-ID names no user that is allowed here')
    }
    return { ...anonymous, kind: 'dev', issuer: ISSUER, subject: user, userId: user, scopes }
  }
}

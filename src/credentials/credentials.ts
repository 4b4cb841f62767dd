import { type HeaderSet, mergeHeaders } from '../egress/merge-headers.ts'
import type { LoginSettings, UpstreamSettings } from '../workspaces/settings.ts'
import { type CredentialContext, createLoginFlow } from './login-flow.ts'
import type { SignInWorld } from './sign-in.ts'
import { compileHeaders, staticAuthHeaders } from './static.ts'
import type { Params } from './template.ts'

/**
 * The credential of one workspace's upstream, as headers. They win over anything that comes from a tool's arguments
 * (FEATURES D17; `mergeHeaders` does it).
 *
 * Both methods throw GatewayError `credential_missing`, `login_failed`, `unsafe_value` or `cancelled`.
 */
export interface Credentials {
  /** At once, without a promise, while nothing has to be fetched. */
  headersFor(ctx: CredentialContext): HeaderSet | Promise<HeaderSet>
  /** New headers after the API answered 401 to `usedHeaders`; undefined when there is nothing that could be renewed. */
  renew(ctx: CredentialContext, usedHeaders: HeaderSet): Promise<HeaderSet | undefined>
}

/** Compiles the credential of a workspace. What is missing is an error of the call that needs it, not of this function. */
export function createCredentials(upstream: UpstreamSettings, params: Params, world: SignInWorld): Credentials {
  const { auth } = upstream
  const isLogin = auth.type === 'bearer' && auth.token === '' && (params['login_url'] ?? '') !== ''
  return isLogin ? loginCredentials(upstream, auth.login, params, world) : staticCredentials(upstream, params)
}

function staticCredentials(upstream: UpstreamSettings, params: Params): Credentials {
  const renderOwn = compileHeaders(upstream.headers)
  let headers: HeaderSet | undefined
  return {
    headersFor: () => {
      headers ??= mergeHeaders(renderOwn(params), staticAuthHeaders(upstream.auth, params))
      return headers
    },
    renew: async () => undefined,
  }
}

function loginCredentials(
  upstream: UpstreamSettings,
  settings: LoginSettings,
  params: Params,
  world: SignInWorld,
): Credentials {
  const renderOwn = compileHeaders(upstream.headers)
  const flow = createLoginFlow({ ...world, settings, params })
  let last: { readonly token: string; readonly headers: HeaderSet } | undefined

  function headersOf(token: string): HeaderSet {
    if (last?.token !== token) {
      last = { token, headers: mergeHeaders(renderOwn(params), { Authorization: `Bearer ${token}` }) }
    }
    return last.headers
  }

  return {
    headersFor: (ctx) => {
      const token = flow.token(ctx)
      return typeof token === 'string' ? headersOf(token) : token.then(headersOf)
    },
    async renew(ctx, usedHeaders) {
      const rejected = usedHeaders['Authorization']?.slice('Bearer '.length) ?? ''
      const token = await flow.renew(ctx, rejected)
      return token === undefined ? undefined : headersOf(token)
    },
  }
}

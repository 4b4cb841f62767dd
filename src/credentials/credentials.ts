import { GatewayError } from '../errors.ts'
import type { SecurityRequirement } from '../tools/tool.ts'
import type { UpstreamSettings } from '../workspaces/settings.ts'
import { type Credential, combine, keyAt, NO_CREDENTIAL } from './credential.ts'
import { type CredentialContext, createLoginFlow, type LoginFlow } from './login-flow.ts'
import { createPlanner, type Plan } from './meet-requirement.ts'
import type { SignInWorld } from './sign-in.ts'
import { AUTHORIZATION, compileHeaders, schemeCredential, staticAuth } from './static.ts'
import type { Params } from './template.ts'

/** The credentials of one workspace's upstream, compiled for every requirement that its operations have. */
export interface Credentials {
  /** Of operations with that requirement; undefined: of those about which nothing is said, and of what is no operation. */
  of(requirement: SecurityRequirement | undefined): OperationCredential
  /** Names in `upstream.security` that no operation asks for. */
  readonly unknownNames: readonly string[]
}

/** Both methods throw GatewayError `credential_missing`, `login_failed`, `unsafe_value` or `cancelled`. */
export interface OperationCredential {
  /** Why `get` always throws: no credential that is set meets the requirement. */
  readonly problem: string | undefined
  /** At once, without a promise, while nothing has to be fetched. */
  get(ctx: CredentialContext): Credential | Promise<Credential>
  /** Another one after the API answered 401 to `used`; undefined when there is nothing that could be renewed. */
  renew(ctx: CredentialContext, used: Credential): Promise<Credential | undefined>
}

/**
 * Compiles the credentials of a workspace. `requirements` are those of its operations (`requirementsOf`); what goes with
 * which is decided in `meet-requirement.ts`. What is missing is an error of the call that needs it, not of this function.
 */
export function createCredentials(
  upstream: UpstreamSettings,
  params: Params,
  world: SignInWorld,
  requirements: readonly SecurityRequirement[] = [],
): Credentials {
  const { auth } = upstream
  const isLogin = auth.type === 'bearer' && auth.token === '' && (params['login_url'] ?? '') !== ''
  const flow = isLogin ? createLoginFlow({ ...world, settings: auth.login, params }) : undefined
  const planner = createPlanner(upstream, requirements)
  const compile = (requirement: SecurityRequirement | undefined) =>
    compilePlan(planner.plan(requirement), { upstream, params, flow })
  const unsaid = compile(undefined)
  const said = new Map(requirements.map((requirement) => [requirement, compile(requirement)]))
  return {
    unknownNames: planner.unknownNames,
    of(requirement) {
      if (requirement === undefined) return unsaid
      const found = said.get(requirement)
      // Nothing was decided for it, so nothing may be sent.
      if (found === undefined) throw new GatewayError('internal', 'A security requirement was not compiled.')
      return found
    },
  }
}

interface Parts {
  readonly upstream: UpstreamSettings
  readonly params: Params
  readonly flow: LoginFlow | undefined
}

function compilePlan(plan: Plan, { upstream, params, flow }: Parts): OperationCredential {
  if (!plan.ok) return refused(plan.message)
  const { usesAuth, placed } = plan
  const renderOwn = compileHeaders(upstream.headers)
  /** Own headers first: the credential of the same place wins. */
  const withAuth = (auth: Credential) =>
    combine(
      { ...NO_CREDENTIAL, headers: renderOwn(params) },
      auth,
      ...placed.map((one) => schemeCredential(one, params)),
    )
  if (usesAuth && flow !== undefined) return loginCredential(flow, withAuth)
  return staticCredential(() => withAuth(usesAuth ? staticAuth(upstream.auth, params) : NO_CREDENTIAL))
}

function refused(message: string): OperationCredential {
  const refuse = () => {
    throw new GatewayError('credential_missing', message)
  }
  return { problem: message, get: refuse, renew: async () => refuse() }
}

function staticCredential(render: () => Credential): OperationCredential {
  let credential: Credential | undefined
  return {
    problem: undefined,
    get: () => {
      credential ??= render()
      return credential
    },
    renew: async () => undefined,
  }
}

function loginCredential(flow: LoginFlow, withAuth: (auth: Credential) => Credential): OperationCredential {
  let last: Credential | undefined

  function credentialOf(token: string): Credential {
    if (last?.token !== token) last = withAuth({ ...keyAt(AUTHORIZATION, `Bearer ${token}`), token })
    return last
  }

  return {
    problem: undefined,
    get: (ctx) => {
      const token = flow.token(ctx)
      return typeof token === 'string' ? credentialOf(token) : token.then(credentialOf)
    },
    async renew(ctx, used) {
      const token = await flow.renew(ctx, used.token ?? '')
      return token === undefined ? undefined : credentialOf(token)
    },
  }
}

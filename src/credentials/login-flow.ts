import type { CancelSignal } from '../egress/cancel-signal.ts'
import { cancelled } from '../egress/failure.ts'
import type { LoginSettings } from '../workspaces/settings.ts'
import { createBackOff } from './back-off.ts'
import { composeSignIns } from './compose-sign-in.ts'
import { type SignInWorld, signIn } from './sign-in.ts'
import type { RefreshField, SignInAnswer } from './sign-in-answer.ts'
import type { Params } from './template.ts'

/** The call that needs a credential. */
export interface CredentialContext {
  readonly requestId: string
  /** Its caller's: ends its waiting, not a sign-in that others wait for too. */
  readonly signal?: CancelSignal | undefined
}

/**
 * The token of an API that gives tokens for a username and a password.
 *
 * Both methods throw GatewayError `login_failed` (what failed and what to do), `credential_missing` (which params are not
 * set) or `cancelled`.
 */
export interface LoginFlow {
  /** The token; at once, without a promise, while a good one is kept. */
  token(ctx: CredentialContext): string | Promise<string>
  /**
   * Another token after the API has answered 401 to `rejectedToken`: the newer one when there is one, else from a full login.
   * Undefined when tokens were rejected so often that another login would not help.
   */
  renew(ctx: CredentialContext, rejectedToken: string): Promise<string | undefined>
}

export interface LoginFlowOptions extends SignInWorld {
  readonly settings: LoginSettings
  /** `login_url`, `username`, `password`, perhaps `refresh_url`, and what the templates name. */
  readonly params: Params
  /** For one sign-in, refresh and login together. Default 10,000. */
  readonly timeoutMs?: number
}

const MARGIN_MS = 30_000
const LIFE_MS_DEFAULT = 300_000
const RENEWALS_MAX = 3
const RENEWALS_WINDOW_MS = 60_000

interface Session {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly refreshField: RefreshField
  readonly renewAt: number
  readonly endsAt: number
}

/**
 * Builds the login flow of one workspace (PRODUCT.md, 15). Any number of calls share one sign-in. A token is kept until 30 s
 * before its expiry, or for half its life when that is under 60 s; without any expiry for 5 minutes, less the 30 s. After
 * that it is refreshed, and when that fails the flow logs in, within the same call. When that fails too, the token serves until
 * its end.
 *
 * The secrets live in this closure only.
 */
export function createLoginFlow(options: LoginFlowOptions): LoginFlow {
  const { now, timeoutMs = 10_000 } = options
  const compose = composeSignIns(options.settings, options.params)
  const backOff = createBackOff(now)
  let session: Session | undefined
  let flight: Promise<string> | undefined
  let renewals: number[] = []

  function keep(answer: SignInAnswer, startedAt: number): string {
    const { lifeMs = LIFE_MS_DEFAULT } = answer
    // Counted from before the request: what it took is not left of the token's life.
    const renewAt = startedAt + (lifeMs < 2 * MARGIN_MS ? lifeMs / 2 : lifeMs - MARGIN_MS)
    // An answer without a new refresh token leaves the old one in use (RFC 6749 §6).
    const { refreshToken, refreshField } = answer.refreshToken === undefined && session !== undefined ? session : answer
    session = { accessToken: answer.accessToken, refreshToken, refreshField, renewAt, endsAt: startedAt + lifeMs }
    return answer.accessToken
  }

  async function refresh(requestId: string, startedAt: number): Promise<string | undefined> {
    if (session?.refreshToken === undefined) return undefined
    const { refreshToken, refreshField } = session
    const request = compose.refresh({ requestId, timeoutMs: timeoutMs / 2 }, refreshToken, refreshField)
    const refreshed = await signIn(options, request)
    if (refreshed.ok) return keep(refreshed.answer, startedAt)
    session = { ...session, refreshToken: undefined }
    return undefined
  }

  async function login(requestId: string, startedAt: number): Promise<string> {
    const leftMs = Math.max(timeoutMs - (now() - startedAt), timeoutMs / 2)
    const loginStartedAt = now()
    const result = await signIn(options, compose.login({ requestId, timeoutMs: leftMs }))
    if (result.ok) {
      backOff.succeeded()
      return keep(result.answer, loginStartedAt)
    }
    backOff.failed(result)
    throw result.error
  }

  async function acquire(requestId: string): Promise<string> {
    const startedAt = now()
    try {
      backOff.check()
      return (await refresh(requestId, startedAt)) ?? (await login(requestId, startedAt))
    } catch (error) {
      // The margin is there for this: a sign-in that is down for a moment fails no call while the token is good.
      if (session !== undefined && now() < session.endsAt) return session.accessToken
      throw error
    }
  }

  async function join(ctx: CredentialContext): Promise<string> {
    if (ctx.signal?.aborted) throw cancelled()
    flight ??= acquire(ctx.requestId).finally(() => {
      flight = undefined
    })
    return leaveOnAbort(flight, ctx.signal)
  }

  function findGoodToken(): string | undefined {
    return session !== undefined && now() < session.renewAt ? session.accessToken : undefined
  }

  function mayLoginAgain(): boolean {
    // An API that answers 401 to fresh tokens would otherwise get one login for each call.
    renewals = renewals.filter((at) => at > now() - RENEWALS_WINDOW_MS)
    if (renewals.length >= RENEWALS_MAX) return false
    renewals.push(now())
    return true
  }

  return {
    token: (ctx) => findGoodToken() ?? join(ctx),
    async renew(ctx, rejectedToken) {
      if (flight !== undefined || session?.accessToken !== rejectedToken) return findGoodToken() ?? join(ctx)
      if (!mayLoginAgain()) return undefined
      // The refresh token goes too: it belongs to the session that the API has just ended.
      session = undefined
      return join(ctx)
    },
  }
}

function leaveOnAbort<Value>(shared: Promise<Value>, signal: CancelSignal | undefined): Promise<Value> {
  if (signal === undefined) return shared
  return new Promise((resolve, reject) => {
    const leave = { handleEvent: () => reject(cancelled()) }
    signal.addEventListener('abort', leave)
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

import { randomSecret } from '../../crypto/random.ts'
import { notThisSignIn } from './failure.ts'
import type { SignInMemory } from './sign-in-provider.ts'

/** People read, choose, and find their second factor. */
const SIGN_IN_MAX_MS = 10 * 60_000
const USED_MAX = 10_000

/** The states that have come back, as long as they could again. The caller’s store is the first to see to that. */
export class UsedStates {
  readonly #until = new Map<string, number>()

  /** False when it was used before. Bounded: the oldest make room, and their code is used up at the provider as well. */
  use(state: string, now: number): boolean {
    if (this.#until.has(state)) return false
    this.#until.set(state, now + SIGN_IN_MAX_MS)
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size <= USED_MAX) break
      this.#until.delete(oldest)
    }
    return true
  }
}

export function newMemory(of: { providerId: string; redirectUri: string; now: number }): SignInMemory {
  return {
    providerId: of.providerId,
    redirectUri: of.redirectUri,
    state: randomSecret(),
    nonce: randomSecret(),
    codeVerifier: randomSecret(),
    startedAt: of.now,
  }
}

export interface Returned {
  readonly callbackUrl: string
  readonly redirectUri: string
  readonly memory: SignInMemory
  readonly providerId: string
  readonly now: number
  readonly usedStates: UsedStates
}

/**
 * The URL that the browser came back to, when it is the one that this very sign-in was told: a response of one provider at
 * another one’s address is a mix-up (RFC 9700 §4.4.2.2, THREATS.md, T10).
 *
 * Uses the state up. Does not look at `iss`, `code` and `error`. @throws GatewayError `invalid_request`
 */
export function callbackOf({ callbackUrl, redirectUri, memory, providerId, now, usedStates }: Returned): URL {
  if (memory.providerId !== providerId) throw notThisSignIn('the sign-in was begun at another provider')
  if (memory.redirectUri !== redirectUri) throw notThisSignIn('the sign-in was begun with another redirect URI')
  const url = URL.parse(callbackUrl)
  const wanted = new URL(redirectUri)
  if (url === null || url.origin !== wanted.origin || url.pathname !== wanted.pathname) {
    throw notThisSignIn('the answer came to another address than the redirect URI')
  }
  const [state, second] = url.searchParams.getAll('state')
  if (state === undefined || second !== undefined || state !== memory.state) {
    throw notThisSignIn('the state is not the one of this sign-in')
  }
  if (now - memory.startedAt >= SIGN_IN_MAX_MS) throw notThisSignIn('the sign-in took more than ten minutes')
  if (!usedStates.use(state, now)) throw notThisSignIn('the state was used before')
  wanted.search = url.search
  return wanted
}

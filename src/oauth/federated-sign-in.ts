import * as z from 'zod'
import { sha256 } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { ModelAdapter } from './adapter.ts'
import type { Cookies } from './cookies.ts'
import { type SignInProvider, signInMemory } from './federation/sign-in-provider.ts'
import type { Principal, Principals } from './principals.ts'
import { ROUTES } from './routes.ts'

/** A sign-in at a provider takes at most so long, seconds. */
const AWAY_SECONDS = 600

const away = z.object({ uid: z.string(), memory: signInMemory })

export interface FederatedSignInOptions {
  readonly publicUrl: string
  readonly providers: readonly SignInProvider[]
  /** `id` of the one whose address has no id in it. Never two: it keeps their answers apart (RFC 9700 §4.4.2.2). */
  readonly plainCallback: string | undefined
  /** Keeps who is away at a provider, under the model `SignInAway`. */
  readonly adapter: ModelAdapter
  readonly principals: Principals
  readonly cookies: Cookies
}

/** Who came back, and to which sign-in of ours. */
export type Returned = { readonly uid: string } & (
  | { readonly ok: true; readonly principal: Principal; readonly amr: string }
  | { readonly ok: false; readonly problem: string }
)

/** Sends people to a provider and takes them back. What is remembered meanwhile counts once, in the browser that began it. */
export class FederatedSignIn {
  readonly #options: FederatedSignInOptions

  constructor(options: FederatedSignInOptions) {
    this.#options = options
  }

  get providers(): readonly { readonly id: string; readonly name: string }[] {
    return this.#options.providers
  }

  /** The address at the provider to go to, for the sign-in `uid`. @throws GatewayError `not_found`, `identity_provider_unavailable` */
  async begin(providerId: string, uid: string): Promise<string> {
    const { providers, adapter } = this.#options
    const provider = providers.find(({ id }) => id === providerId)
    if (provider === undefined) throw new GatewayError('not_found', 'There is no such provider.')
    const { url, memory } = await provider.begin({ redirectUri: this.#redirectUri(provider) })
    await adapter.upsert(sha256(memory.state), { uid, memory }, AWAY_SECONDS)
    return url
  }

  /** Undefined: nobody is awaited in this browser. */
  async finish(exchange: Exchange): Promise<Returned | undefined> {
    const { providers, adapter, principals, cookies, publicUrl } = this.#options
    const key = sha256(new URLSearchParams(exchange.query).get('state') ?? '')
    const found = away.safeParse(await adapter.find(key))
    if (!found.success) return undefined
    const { uid, memory } = found.data
    // Before it is taken out: another browser that was sent here must not spoil the sign-in of this one.
    if (!cookies.holdsFlow(exchange.header('cookie'), uid)) return undefined
    await adapter.destroy(key)
    const provider = providers.find(({ id }) => id === memory.providerId)
    if (provider === undefined) return undefined
    try {
      const redirectUri = this.#redirectUri(provider)
      const callbackUrl = `${publicUrl}${exchange.path}?${exchange.query}`
      const identity = await provider.finish({ callbackUrl, redirectUri, memory })
      return { uid, ok: true, principal: await principals.ofIdentity(provider.id, identity), amr: 'fed' }
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'internal') throw error
      return { uid, ok: false, problem: error.message }
    }
  }

  #redirectUri({ id }: SignInProvider): string {
    const { publicUrl, plainCallback } = this.#options
    const callback = `${publicUrl}${ROUTES.callback}`
    return id === plainCallback ? callback : `${callback}/${id}`
  }
}

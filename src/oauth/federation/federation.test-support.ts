import assert from 'node:assert/strict'
import { createEgress } from '../../egress/create-egress.ts'
import { GatewayError } from '../../errors.ts'
import { followUntil } from '../../testing/browser.ts'
import { createSignInProviders } from './create-sign-in-providers.ts'
import { type SignInProviderSettings, signInProviderSettings } from './settings.ts'
import type { Identity, SignInMemory, SignInProvider } from './sign-in-provider.ts'

export const CLIENT_ID = 'gatehouse'
export const CLIENT_SECRET = 'provider-secret-provider-secret-1234'
export const REDIRECT_URI = 'http://127.0.0.1:9/oauth/callback/one'

/** As `oidc-provider` takes it. */
export const CLIENT = {
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  redirect_uris: [REDIRECT_URI],
  response_types: ['code'],
  grant_types: ['authorization_code'],
}

/** Starts at the time of the machine, since `openid-client` has no other, and moves only when told to. */
export class Clock {
  ms = Date.now()
  readonly now = () => this.ms
}

export interface Stand extends AsyncDisposable {
  readonly provider: SignInProvider
  readonly clock: Clock
}

/** A provider as the gateway makes it, with a way out of its own. */
export function standOf(settings: unknown, { timeoutMs = 5_000 } = {}): Stand {
  const egress = createEgress()
  const clock = new Clock()
  const parsed: SignInProviderSettings = signInProviderSettings.parse(settings)
  const [provider] = createSignInProviders([parsed], { egress, now: clock.now, timeoutMs })
  assert.ok(provider)
  return { provider, clock, [Symbol.asyncDispose]: () => egress.close() }
}

export interface Visit {
  readonly callbackUrl: string
  readonly memory: SignInMemory
}

/** The browser’s way to the provider and back. */
export async function visit(provider: SignInProvider, redirectUri = REDIRECT_URI): Promise<Visit> {
  const { url, memory } = await provider.begin({ redirectUri })
  return { callbackUrl: await followUntil(url, redirectUri), memory }
}

export async function signIn(provider: SignInProvider): Promise<Identity> {
  const { callbackUrl, memory } = await visit(provider)
  return provider.finish({ callbackUrl, redirectUri: REDIRECT_URI, memory })
}

/** How it failed: the code, the words for the person and the reason for the record. No secret may stand in either. */
export async function failureOf(work: Promise<unknown>): Promise<{ code: string; message: string; cause: string }> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { code, message } = error
    const { cause } = error.detail
    assert.ok(cause === undefined || typeof cause === 'string', 'the cause is a text')
    assert.ok(!`${message} ${cause}`.includes(CLIENT_SECRET), 'the secret is in an error')
    return { code, message, cause: cause ?? '' }
  }
  return { code: 'signed in', message: '', cause: '' }
}

import type { CustomFetch } from 'openid-client'
import type { Egress } from '../../egress/egress.ts'
import { GatewayError } from '../../errors.ts'

export interface ProviderCalls {
  readonly egress: Egress
  /** How messages call the other side. */
  readonly calledAs: string
  /** Each call, from dial to last byte. Default 5,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

const TIMEOUT_MS = 5_000
/** Metadata, key sets, tokens and profiles are a few KB; Microsoft’s key set is 20 KB. */
const ANSWER_BYTES_MAX = 512 * 1024
/** What somebody may want to read of an answer. */
const KEPT_HEADERS = ['content-type', 'www-authenticate', 'retry-after']
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Lets `openid-client` call out through the only way out. Never follows a redirect. Providers are named by the operator, so
 * private addresses are allowed (PRODUCT.md, 13).
 */
export function providerCaller({ egress, calledAs, timeoutMs = TIMEOUT_MS, signal }: ProviderCalls): CustomFetch {
  return async (address, { method, headers, body, signal: ofCall }) => {
    const url = new URL(address)
    const signals = [signal, ofCall].filter((one) => one !== undefined)
    const response = await egress.send({
      method,
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { 'user-agent': 'gatehouse', ...headers },
      body: textOf(body),
      reach: 'operator',
      timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      calledAs,
      signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
    })
    const kept = new Headers()
    for (const name of KEPT_HEADERS) {
      const value = response.headers[name]
      if (typeof value === 'string') kept.set(name, value)
    }
    const hasBody = !WITHOUT_BODY.has(response.status)
    return new Response(hasBody ? new Uint8Array(response.body) : null, { status: response.status, headers: kept })
  }
}

function textOf(body: unknown): string | undefined {
  if (body === null || body === undefined) return undefined
  if (typeof body === 'string') return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new GatewayError('internal', 'Internal error', { cause: 'a body of a kind that is never sent to a provider' })
}

import { GatewayError } from '../errors.ts'
import type { Asking, PublicUrls } from '../http/public-urls.ts'

/**
 * The issuers that our authorization server has: one for each address under which clients reach us, as far as it may be one
 * (PRODUCT.md, 12). A closed set that the operator has named: no request adds to it.
 */
export class Issuers {
  readonly #urls: PublicUrls

  constructor(urls: PublicUrls) {
    this.#urls = urls
  }

  /** Of this request; undefined when codes and tokens would travel in the open. */
  of(asking: Asking): string | undefined {
    const url = this.#urls.of(asking)
    return mayIssue(url) ? url : undefined
  }

  /** Whether this issuer of ours is that of the request. Asked at every call. */
  is(issuer: string, asking: Asking): boolean {
    return this.#urls.of(asking) === issuer
  }

  /** Whether a token that says this is for us to judge, wherever it is shown. */
  isOurs(issuer: unknown): boolean {
    if (typeof issuer !== 'string') return false
    return (issuer === this.#urls.own || this.#urls.forwarded.has(issuer)) && mayIssue(issuer)
  }

  /**
   * Refuses a gateway that could be no issuer for anybody. One that proxies pass requests to needs no https of its own.
   *
   * @throws GatewayError `config_invalid`
   */
  check(): void {
    if ([this.#urls.own, ...this.#urls.forwarded].some(mayIssue)) return
    throw new GatewayError(
      'config_invalid',
      'authType oauth and both need a publicUrl that begins with https:// (http works on this machine only).',
    )
  }
}

/** https, or this machine (OAuth 2.1 §1.5). */
function mayIssue(url: string): boolean {
  if (url.startsWith('https://')) return true
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** What whoever comes over http is told, where sign-in needs https. */
export function overHttp(): GatewayError {
  return new GatewayError(
    'invalid_request',
    'Sign-in needs https, and this request came over http. The proxy in front has to send X-Forwarded-Proto: https; else set publicUrl.',
  )
}

import type { Exchange } from './exchange.ts'

/** What the configuration says about how clients reach us. */
export interface ConfiguredNames {
  readonly host: string
  readonly port: number
  readonly publicUrl?: string | undefined
  readonly allowedHosts?: readonly string[] | undefined
  readonly trustProxy: readonly string[]
}

/** Whoever asks, as far as it decides how we are called. */
export type Asking = Pick<Exchange, 'forwarded'>

/**
 * The addresses under which clients reach this gateway. `publicUrl` is the only one when it is set. Otherwise it is where we
 * listen, and for a request that a trusted proxy passes on, the origin that the client used. None has a slash at its end.
 */
export class PublicUrls {
  readonly #isGiven: boolean
  readonly #forwarded: ReadonlySet<string>
  #own: string

  constructor(names: ConfiguredNames) {
    this.#isGiven = names.publicUrl !== undefined
    this.#forwarded = forwardedOrigins(names) ?? new Set()
    this.#own = (names.publicUrl ?? `http://${names.host}:${names.port}`).replace(/\/+$/, '')
  }

  /** What the configuration says, or where we listen: for whatever no request asks for. */
  get own(): string {
    return this.#own
  }

  /** All but our own: every origin that a proxy may choose. */
  get forwarded(): ReadonlySet<string> {
    return this.#forwarded
  }

  /** Tells where the listener ended up. */
  listensOn(url: string): void {
    if (!this.#isGiven) this.#own = url
  }

  /** As the client of this request writes it. */
  of({ forwarded }: Asking): string {
    return forwarded?.origin ?? this.#own
  }
}

/**
 * Every origin that a trusted proxy may say: those of `allowedHosts`, each with the port that is written there. A proxy passes
 * on what strangers write, so it only chooses among what the operator has named (THREATS.md, T21). Undefined: none counts,
 * since `publicUrl` says it all or no proxy is trusted.
 */
export function forwardedOrigins({
  publicUrl,
  allowedHosts = [],
  trustProxy,
}: Pick<ConfiguredNames, 'publicUrl' | 'allowedHosts' | 'trustProxy'>): ReadonlySet<string> | undefined {
  if (publicUrl !== undefined || trustProxy.length === 0) return undefined
  const urls = allowedHosts.flatMap((host) => [URL.parse(`https://${host}`), URL.parse(`http://${host}`)])
  return new Set(urls.flatMap((url) => (url === null ? [] : [url.origin])))
}

/** The name in an entry of `allowedHosts`, which may have a port. */
export function hostNameOf(entry: string): string {
  return /^(\[[^\]]+\]|[^:]+):\d{1,5}$/.exec(entry)?.[1] ?? entry
}

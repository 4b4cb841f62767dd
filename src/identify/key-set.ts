import { createLocalJWKSet, errors, type LocalJWKSet } from 'jose'
import type { Egress, Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import { parseKeySetUrl } from './key-set-url.ts'
import type { VerificationKey } from './static-key.ts'
import { readUsableKeys } from './usable-keys.ts'

/** The key that a token's header names, or why there is none. */
export type FoundKey = { readonly ok: true; readonly key: VerificationKey } | JwtFailure

export interface WantedKey {
  readonly alg: string
  readonly kid: string | undefined
  /** A token without `kid` gets the set's only key. */
  readonly allowMissingKeyId: boolean
}

export interface KeySetOptions {
  readonly url: string
  readonly reach: Reach
  readonly egress: Egress
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Ends a fetch under way. */
  readonly signal?: AbortSignal | undefined
}

interface Keys {
  readonly choose: LocalJWKSet
  readonly ids: ReadonlySet<string>
  readonly repeatedIds: ReadonlySet<string>
  readonly count: number
  readonly fetchedAt: number
}

const FETCH_TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 512 * 1024
/** From this age on the set is fetched again while it is still used. */
const REFRESH_AFTER_MS = 10 * 60_000
/** From this age on a request waits for the fetch: a key that was taken back may not open the door after a quiet night. */
const WAIT_AFTER_MS = 60 * 60_000
/** How long the last set is used while the identity provider is down. */
const KEEP_MS = 24 * 60 * 60_000
/** Between two fetches for an unknown `kid`, and after one that failed. */
const COOL_DOWN_MS = 30_000
/** After a fetch that failed when there is no key at all, so nobody can come in. */
const RETRY_WITHOUT_KEYS_MS = 5_000

/**
 * The public keys of an identity provider (RFC 7517), fetched from a URL and kept fresh on use.
 *
 * One fetch at a time. An unknown key id causes at most one every 30 seconds, whoever asks. A provider that is down locks
 * nobody out for 24 hours.
 */
export class KeySet {
  readonly #options: KeySetOptions
  readonly #url: URL
  #keys: Keys | undefined
  #fetching: Promise<void> | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #soughtAt = Number.NEGATIVE_INFINITY
  #problem: string | undefined

  /** @throws GatewayError `config_invalid` when keys from that URL could not be trusted. Fetches nothing. */
  constructor(options: KeySetOptions) {
    this.#options = options
    this.#url = parseKeySetUrl(options.url, options.reach)
  }

  /** Fetches the keys now, or takes the ones that are there. Gives the problem, for the log, when there is still none; never throws. */
  async start(): Promise<string | undefined> {
    if (this.#keys === undefined) await this.#fetch()
    return this.#keys === undefined ? this.#problem : undefined
  }

  /** The key for a token: by key id, and fit for its algorithm. Only `key_source` says something about us rather than the token. */
  async find(wanted: WantedKey): Promise<FoundKey> {
    await this.#freshen()
    const found = await this.#choose(wanted)
    if (found !== undefined) return found
    const now = this.#options.now()
    const mayFetch = now - this.#soughtAt >= COOL_DOWN_MS
    if (this.#fetching === undefined && mayFetch) this.#soughtAt = now
    if (this.#fetching !== undefined || mayFetch) await this.#fetch()
    const problem = this.#problem === undefined ? '' : `; ${this.#problem}`
    const unknown = jwtFailure('key_id', `no key has the kid ${quoted(wanted.kid)}${problem}`)
    return (await this.#choose(wanted)) ?? unknown
  }

  /** Fetches when it is time to; waits for it only when what we have is too old or nothing. */
  async #freshen(): Promise<void> {
    const now = this.#options.now()
    const age = this.#keys === undefined ? Number.POSITIVE_INFINITY : now - this.#keys.fetchedAt
    if (age >= KEEP_MS) this.#keys = undefined
    const pause = this.#keys === undefined ? RETRY_WITHOUT_KEYS_MS : COOL_DOWN_MS
    if (age < REFRESH_AFTER_MS || (this.#fetching === undefined && now - this.#triedAt < pause)) return
    const hasFailed = this.#problem !== undefined
    const fetching = this.#fetch()
    if (this.#keys === undefined || (age >= WAIT_AFTER_MS && !hasFailed)) await fetching
  }

  /** Undefined: the key id is unknown, which a fetch may change. */
  async #choose(wanted: WantedKey): Promise<FoundKey | undefined> {
    const keys = this.#keys
    if (keys === undefined) return jwtFailure('key_source', this.#problem ?? 'no keys were fetched yet')
    const { alg, kid, allowMissingKeyId } = wanted
    if (kid === undefined && !(allowMissingKeyId && keys.count === 1)) {
      return jwtFailure('key_id', 'the token has no kid', 'JWT verification failed: missing key id (kid)')
    }
    if (kid !== undefined && !keys.ids.has(kid)) return undefined
    if (kid !== undefined && keys.repeatedIds.has(kid)) {
      return jwtFailure('key_id', `several keys have the kid ${quoted(kid)}`)
    }
    try {
      return { ok: true, key: await keys.choose({ alg, ...(kid === undefined ? {} : { kid }) }) }
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      return jwtFailure('algorithm', `the key ${quoted(kid)} does not fit the algorithm ${quoted(alg)}`)
    }
  }

  /** One at a time; never throws. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchOnce(): Promise<void> {
    const startedAt = this.#options.now()
    this.#triedAt = startedAt
    try {
      this.#keys = await this.#load(startedAt)
      this.#problem = undefined
    } catch (error) {
      // Whatever went wrong, the keys we have stay: an identity provider that is down must not lock everybody out.
      const reason = error instanceof GatewayError ? error.message : 'unexpected failure'
      this.#problem = `the key set of ${this.#url.host} could not be fetched: ${reason}`
    }
  }

  async #load(startedAt: number): Promise<Keys> {
    const { egress, reach, signal } = this.#options
    const response = await egress.send({
      method: 'GET',
      origin: this.#url.origin,
      path: this.#url.pathname + this.#url.search,
      headers: { accept: 'application/jwk-set+json, application/json' },
      reach,
      timeoutMs: FETCH_TIMEOUT_MS,
      responseBytesMax: ANSWER_BYTES_MAX,
      signal,
    })
    // A redirect too is refused here: where keys come from is written down, not told by a stranger.
    if (response.status !== 200) throw unusable(`it answered ${response.status}`)
    const usable = await readUsableKeys(response.body.toString('utf8'))
    if (usable === undefined) throw unusable('the answer is not a JWK set')
    const ids = usable.keys.map((key) => key.kid).filter((kid) => kid !== undefined)
    return {
      choose: createLocalJWKSet({ keys: [...usable.keys] }),
      ids: new Set(ids),
      repeatedIds: new Set(ids.filter((kid, index) => ids.indexOf(kid) !== index)),
      count: usable.keys.length,
      fetchedAt: startedAt,
    }
  }
}

function unusable(problem: string): GatewayError {
  return new GatewayError('identity_provider_unavailable', problem)
}

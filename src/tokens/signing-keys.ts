import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import * as z from 'zod'
import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import type { SigningKeyRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** The only algorithm that we sign with (PRODUCT.md, 6). */
export const SIGNING_ALGORITHM = 'ES256'

/** The type of the tokens that we sign (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

export interface SigningKeysOptions {
  readonly store: Pick<Store, 'signingKeys' | 'issued'>
  readonly keyring: Keyring
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How long a retired key is published at least: tokens that nobody has noted, of the authorization server. Default: 0. */
  readonly unnotedMs?: number | undefined
}

/** A key whose public half is published. */
export interface PublishedKey {
  readonly kid: string
  readonly createdAt: number
  /** Undefined: it signs. */
  readonly retiredAt: number | undefined
}

interface KnownKey extends PublishedKey {
  readonly publicJwk: JWK
  readonly publicKey: CryptoKey
}

const namedKey = z.object({ kid: z.string() })

/** What public halves are published as; anything else in a JWK stays here. */
const publicHalf = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() })

/** Puts a new key in place of the one that signs, which is retired at that time. */
export type KeepKey = (row: SigningKeyRow, retiredAt: number) => Promise<void>

/**
 * The keys that our tokens are signed with: one signs, those before it stay published until the last token that they
 * signed has ended. The first is made when the first token is signed.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions
  readonly #known = new Map<string, KnownKey>()
  #signer: { readonly kid: string; readonly key: CryptoKey } | undefined
  /** Making keys happens one after the other. */
  #lastChange: Promise<unknown> = Promise.resolve()

  static async open(options: SigningKeysOptions): Promise<SigningKeys> {
    const keys = new SigningKeys(options)
    for (const row of await options.store.signingKeys.list()) keys.#learn(await knownKey(row))
    await keys.#dropEnded()
    return keys
  }

  private constructor(options: SigningKeysOptions) {
    this.#options = options
  }

  /** The key set that we publish (RFC 7517 §5), as JSON text. */
  get jwks(): string {
    return JSON.stringify({ keys: [...this.#known.values()].map(({ publicJwk }) => publicJwk) })
  }

  /** Oldest first. */
  get published(): readonly PublishedKey[] {
    return [...this.#known.values()].map(({ kid, createdAt, retiredAt }) => ({ kid, createdAt, retiredAt }))
  }

  /** The public half of a key that is ours, undefined for any other `kid`. */
  find(kid: string): CryptoKey | undefined {
    return this.#known.get(kid)?.publicKey
  }

  /** A signed JWT of these claims, and the key that signed it. Must not run beside a rotation: see `manage/`. */
  async sign(claims: Readonly<Record<string, unknown>>): Promise<{ readonly token: string; readonly kid: string }> {
    const { kid, key } = await this.#inTurn(() => this.#currentSigner())
    const header = { alg: SIGNING_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid }
    return { kid, token: await new SignJWT(claims).setProtectedHeader(header).sign(key) }
  }

  /** The key that signs now. Only once it is `ready`. */
  get signer(): { readonly kid: string } {
    if (this.#signer === undefined) throw noSigner()
    return { kid: this.#signer.kid }
  }

  /** Makes the key that signs, or opens it. */
  async ready(): Promise<void> {
    await this.#inTurn(() => this.#currentSigner())
  }

  /**
   * The signature of the first two parts of a JWT, as RFC 7518 §3.4 has it, by the key that its header names.
   *
   * @throws GatewayError `unavailable` when another key has taken its place meanwhile: trying again helps.
   */
  async signBytes(signingInput: Uint8Array): Promise<Uint8Array> {
    const { kid, key } = await this.#inTurn(() => this.#currentSigner())
    const [header = ''] = Buffer.from(signingInput).toString('latin1').split('.', 1)
    const named = namedKey.parse(JSON.parse(Buffer.from(header, 'base64url').toString('utf8')))
    if (named.kid !== kid) throw new GatewayError('unavailable', 'The signing key has changed. Try again.')
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, Buffer.from(signingInput))
    return new Uint8Array(signature)
  }

  /**
   * Signs with a new key from now on. The one before can sign no more, and is published as long as tokens need it.
   * Resolves once the new key is on disk, where `keep` puts it.
   */
  rotate(keep: KeepKey = this.#keep): Promise<PublishedKey> {
    return this.#inTurn(async () => {
      const made = await this.#make(keep)
      await this.#dropEnded()
      return { kid: made.kid, createdAt: made.createdAt, retiredAt: undefined }
    })
  }

  async #currentSigner(): Promise<{ readonly kid: string; readonly key: CryptoKey }> {
    if (this.#signer !== undefined) return this.#signer
    const rows = await this.#options.store.signingKeys.list()
    const row = rows.find(({ retired_at }) => retired_at === null)
    if (row === undefined || row.sealed_private_jwk === null) await this.#make()
    // Opened at the first token and not at the start: verifying goes on when a sealed row was tampered with.
    else this.#signer = { kid: row.kid, key: await privateKey(row.kid, row.sealed_private_jwk, this.#options.keyring) }
    if (this.#signer !== undefined) return this.#signer
    throw noSigner()
  }

  async #make(keep: KeepKey = this.#keep): Promise<KnownKey> {
    const { keyring, now } = this.#options
    const pair = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
    const publicJwk = publicHalf.parse(await exportJWK(pair.publicKey))
    const kid = await calculateJwkThumbprint(publicJwk)
    const privateJwk = JSON.stringify(await exportJWK(pair.privateKey))
    const createdAt = now()
    const row: SigningKeyRow = {
      kid,
      public_jwk: JSON.stringify(publicJwk),
      sealed_private_jwk: seal(keyring, sealedFor(kid), privateJwk),
      created_at: createdAt,
      retired_at: null,
    }
    await keep(row, createdAt)
    for (const key of this.#known.values()) {
      if (key.retiredAt === undefined) this.#learn({ ...key, retiredAt: createdAt })
    }
    const made = await knownKey(row)
    this.#learn(made)
    this.#signer = { kid, key: pair.privateKey }
    return made
  }

  readonly #keep: KeepKey = (row, retiredAt) => this.#options.store.signingKeys.replace(row, retiredAt)

  #learn(key: KnownKey): void {
    this.#known.set(key.kid, key)
  }

  /** A retired key goes when no token needs it any more: none that lives, and none that never ends. */
  async #dropEnded(): Promise<void> {
    const { store, now, unnotedMs = 0 } = this.#options
    const needs = new Map((await store.issued.needsOfKeys()).map(({ kid, until }) => [kid, until]))
    for (const { kid, retiredAt } of this.#known.values()) {
      const until = needs.get(kid)
      if (retiredAt === undefined) continue
      const isNeeded = until === null || (until !== undefined && until > now()) || retiredAt + unnotedMs > now()
      if (isNeeded) continue
      await store.signingKeys.delete(kid)
      this.#known.delete(kid)
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastChange.then(work)
    this.#lastChange = turn.catch(() => undefined)
    return turn
  }
}

function noSigner(): GatewayError {
  return new GatewayError('internal', 'Internal error', { cause: 'there is no signing key' })
}

async function knownKey(row: SigningKeyRow): Promise<KnownKey> {
  const half = publicHalf.parse(JSON.parse(row.public_jwk))
  return {
    kid: row.kid,
    createdAt: row.created_at,
    retiredAt: row.retired_at ?? undefined,
    publicJwk: { ...half, kid: row.kid, use: 'sig', alg: SIGNING_ALGORITHM },
    publicKey: await imported(half),
  }
}

async function privateKey(kid: string, sealed: string, keyring: Keyring): Promise<CryptoKey> {
  const half = publicHalf.extend({ d: z.string() })
  return imported(half.parse(JSON.parse(unseal(keyring, sealedFor(kid), sealed))))
}

async function imported(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNING_ALGORITHM)
  if (!(key instanceof Uint8Array)) return key
  throw new GatewayError('internal', 'Internal error', { cause: 'a signing key is no key pair' })
}

/** The row that the private half belongs to: moved anywhere else it does not open (THREATS.md, T30). */
function sealedFor(kid: string): string {
  return `signing_key:${kid}:private`
}

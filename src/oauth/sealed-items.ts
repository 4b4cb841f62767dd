import { hmacSha256 } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import type { OauthItem, OauthItemName } from '../store/oauth-items.ts'

/** What the library keeps of a model: JSON. */
export type StoredPayload = Record<string, unknown>

/** What hangs on a grant, and is deleted with it. A session and a sign-in under way name grants without hanging on them. */
const HANGS_ON_GRANT = new Set([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
])

/**
 * Turns what the library keeps into items that tell nothing, and back. The ids are what clients and browsers present, and the
 * rest would show who uses what: so names become HMACs under a key of this installation (a name that can be guessed, such as a
 * person's, cannot be tried without it), and the content is sealed for its kind and id (THREATS.md, T30).
 */
export class SealedItems {
  readonly #keyring: Keyring
  readonly #nameKey: Uint8Array

  constructor(keyring: Keyring) {
    this.#keyring = keyring
    this.#nameKey = keyring.derive('oauth item names')
  }

  name(kind: string, id: string): OauthItemName {
    return { kind, id: this.#hash('id', `${kind}:${id}`) }
  }

  /** A session's second name. */
  uid(kind: string, uid: string): string {
    return this.#hash('uid', `${kind}:${uid}`)
  }

  userCode(kind: string, userCode: string): string {
    return this.#hash('user code', `${kind}:${userCode}`)
  }

  grant(grantId: string): string {
    return this.#hash('grant', grantId)
  }

  owner(accountId: string): string {
    return this.#hash('owner', accountId)
  }

  client(clientId: string): string {
    return this.#hash('client', clientId)
  }

  /** The item of a payload; `endsAt` is milliseconds since the epoch. */
  item(kind: string, id: string, payload: StoredPayload, endsAt: number | undefined): OauthItem {
    const { uid, userCode, grantId, accountId, clientId, consumed } = payload
    return {
      ...this.sealed(this.name(kind, id), payload),
      uid: typeof uid === 'string' ? this.uid(kind, uid) : undefined,
      userCode: typeof userCode === 'string' ? this.userCode(kind, userCode) : undefined,
      grant: typeof grantId === 'string' && HANGS_ON_GRANT.has(kind) ? this.grant(grantId) : undefined,
      owner: typeof accountId === 'string' ? this.owner(accountId) : undefined,
      client: typeof clientId === 'string' ? this.client(clientId) : undefined,
      consumedAt: typeof consumed === 'number' ? consumed * 1000 : undefined,
      endsAt,
    }
  }

  /** The same for what is none of the library's: it has no other name than its own. */
  sealed(name: OauthItemName, payload: StoredPayload): OauthItem {
    return {
      ...name,
      ...{ uid: undefined, userCode: undefined, grant: undefined, owner: undefined, client: undefined },
      ...{ consumedAt: undefined, endsAt: undefined },
      sealed: seal(this.#keyring, rowOf(name), JSON.stringify(payload)),
    }
  }

  /**
   * What was kept, with `consumed` (seconds since the epoch) as the library wants it.
   *
   * @throws GatewayError `internal` for an item that was made for another place, or altered.
   */
  payload(item: OauthItem): StoredPayload {
    const payload: StoredPayload = JSON.parse(unseal(this.#keyring, rowOf(item), item.sealed))
    if (item.consumedAt === undefined) return payload
    // At least 1: the library asks whether it is true.
    return { ...payload, consumed: Math.max(1, Math.floor(item.consumedAt / 1000)) }
  }

  #hash(what: string, text: string): string {
    return hmacSha256(this.#nameKey, `${what}:${text}`)
  }
}

function rowOf({ kind, id }: OauthItemName): string {
  return `oauth_items:${kind}:${id}:sealed`
}

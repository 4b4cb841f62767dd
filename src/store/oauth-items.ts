/**
 * What the authorization server keeps: codes, refresh tokens, grants, sessions, clients. Every name in an item is a hash and
 * its content is sealed (`oauth/sealed-items.ts`), so an engine can be read by anybody and tells nothing.
 */
export interface OauthItem extends OauthItemName {
  /** `crypto/seal.ts` made it for this very kind and id. */
  readonly sealed: string
  /** A second name, of sessions and sign-ins under way. The newest item of a name stands. */
  readonly uid: string | undefined
  /** What a person types at a device. */
  readonly userCode: string | undefined
  /** The grant that it hangs on: `revokeGrant` deletes it. */
  readonly grant: string | undefined
  /** Whose it is, for lists. */
  readonly owner: string | undefined
  /** Which client it is for, for lists. */
  readonly client: string | undefined
  /** Milliseconds since the epoch. Undefined: not consumed. */
  readonly consumedAt: number | undefined
  /** Milliseconds since the epoch. Undefined: never. Engines may still give what has ended. */
  readonly endsAt: number | undefined
}

export interface OauthItemName {
  /** The model's name: `RefreshToken`, `Session`, … */
  readonly kind: string
  readonly id: string
}

/** One change of a batch. */
export type OauthChange =
  /** Keeps the item in the place of the one before. */
  | { readonly do: 'put'; readonly item: OauthItem }
  /** The same, on condition that there is none that has not ended. */
  | { readonly do: 'putNew'; readonly item: OauthItem }
  /** On condition that the item is there and not consumed yet. `endsAt` replaces its end. */
  | ({ readonly do: 'consume'; readonly at: number; readonly endsAt?: number | undefined } & OauthItemName)
  | ({ readonly do: 'delete' } & OauthItemName)
  /** Deletes every item that hangs on the grant. */
  | { readonly do: 'revokeGrant'; readonly grant: string }

/** Whether a batch was kept, or which of its conditions did not hold. */
export type Applied = { readonly ok: true } | { readonly ok: false; readonly unmet: OauthChange }

/** The names under which an item can be looked up besides its id. */
export type OauthIndex = 'uid' | 'userCode'

export interface OauthListing {
  readonly kind: string
  readonly by: 'owner' | 'client'
  readonly name: string
  readonly limit: number
  /** Ends by id: items that the caller has with this very end. An engine that is far away leaves them out. */
  readonly known?: ReadonlyMap<string, number>
}

/**
 * Where they are kept. What a promise acknowledges is kept, as far as the engine keeps anything: `memory` until the process ends,
 * the others for good.
 *
 * Every call may throw a GatewayError `unavailable`, at the latest after the engine's own deadline. Every engine runs
 * `oauth-items-contract.ts`.
 */
export interface OauthItems {
  find(name: OauthItemName): Promise<OauthItem | undefined>
  /** The newest of that name. */
  findBy(index: OauthIndex, kind: string, name: string): Promise<OauthItem | undefined>
  /**
   * All of the changes or none. The conditions are looked at before anything is changed, and nobody comes in between. `now` is
   * milliseconds since the epoch.
   */
  apply(changes: readonly OauthChange[], options: { readonly now: number }): Promise<Applied>
  /** Items of one owner or client. Where there are more than `limit`, those that live longest. */
  list(listing: OauthListing): Promise<OauthItem[]>
  /** How many of a kind there are that have not ended. */
  count(kind: string, options: { readonly now: number }): Promise<number>
  /** Deletes at most `limit` items whose end is `endedBy` or earlier. Gives their number. */
  expire(options: { readonly endedBy: number; readonly limit: number }): Promise<number>
  /** Short notes to every process on the same storage. Undefined: there is only this one. */
  readonly notes: OauthNotes | undefined
  /** Waits for what was begun. A second call does nothing. */
  close(): Promise<void>
}

/** A line to the other processes. It may be lost when the connection breaks, of which `onConnected` tells afterwards. */
export interface OauthNotes {
  send(text: string): Promise<void>
  /** One listener. `onConnected` is called at every connection after the first. */
  listen(listener: { onNote(text: string): void; onConnected(): void }): Promise<void>
}

import { GatewayError } from '../errors.ts'
import type { Applied, OauthChange, OauthItem, OauthItemName, OauthItems, OauthListing } from './oauth-items.ts'

/** Of one kind. A stranger can fill sign-ins and clients: more of those push out the oldest of their own kind only. */
const ITEMS_MAX = 20_000

export interface MemoryItemsOptions {
  /** Most items of one kind; default 20,000. */
  readonly itemsMax?: number
}

/** Items in memory: gone with the process. */
export function openMemoryItems(options: MemoryItemsOptions = {}): OauthItems {
  const table = new ItemTable(options)
  let isClosed = false
  const open = <Result>(work: () => Result): Promise<Result> =>
    isClosed ? Promise.reject(closedError()) : Promise.resolve().then(work)
  return {
    find: (name) => open(() => table.find(name)),
    findBy: (index, kind, name) => open(() => table.newest(index, kind, name)),
    apply: (changes, { now }) => open(() => table.apply(changes, now)),
    list: (listing) => open(() => table.list(listing)),
    count: (kind, { now }) => open(() => table.count(kind, now)),
    expire: ({ endedBy, limit }) => open(() => table.expire(endedBy, limit)),
    notes: undefined,
    close: async () => {
      isClosed = true
    },
  }
}

export function closedError(): GatewayError {
  return new GatewayError('unavailable', 'The session storage cannot be used at the moment.', {
    cause: new Error('the session storage is closed'),
  })
}

const INDEXES = ['uid', 'userCode', 'grant', 'owner', 'client'] as const
type Index = (typeof INDEXES)[number]

/** The items and their names, all in one process: the memory engine, and what the file engine writes down. */
export class ItemTable {
  readonly #itemsMax: number
  /** By kind, then by id, oldest first. */
  readonly #kinds = new Map<string, Map<string, OauthItem>>()
  /** Keys of items by the names that they have, oldest first. */
  readonly #names = new Map<string, Map<string, OauthItemName>>()

  constructor({ itemsMax = ITEMS_MAX }: MemoryItemsOptions = {}) {
    this.#itemsMax = itemsMax
  }

  find({ kind, id }: OauthItemName): OauthItem | undefined {
    return this.#kinds.get(kind)?.get(id)
  }

  newest(index: Index, kind: string, name: string): OauthItem | undefined {
    return this.named(index, kind, name).at(-1)
  }

  list({ kind, by, name, limit }: OauthListing): OauthItem[] {
    return this.named(by, kind, name)
      .sort((one, other) => endOf(other) - endOf(one))
      .slice(0, limit)
  }

  named(index: Index, kind: string, name: string): OauthItem[] {
    const names = [...(this.#names.get(nameKey(index, name))?.values() ?? [])]
    return names.filter((item) => item.kind === kind).flatMap((item) => this.find(item) ?? [])
  }

  count(kind: string, now: number): number {
    return [...(this.#kinds.get(kind)?.values() ?? [])].filter((item) => !hasEnded(item, now)).length
  }

  apply(changes: readonly OauthChange[], now: number): Applied {
    const unmet = changes.find((change) => !this.#isMet(change, now))
    if (unmet !== undefined) return { ok: false, unmet }
    for (const change of changes) this.#change(change, now)
    return { ok: true }
  }

  expire(endedBy: number, limit: number): number {
    const ended = [...this.all()].filter((item) => hasEnded(item, endedBy)).slice(0, limit)
    for (const item of ended) this.#delete(item)
    return ended.length
  }

  *all(): Generator<OauthItem> {
    for (const items of this.#kinds.values()) yield* items.values()
  }

  #isMet(change: OauthChange, now: number): boolean {
    switch (change.do) {
      case 'putNew': {
        const before = this.find(change.item)
        return before === undefined || hasEnded(before, now)
      }
      case 'consume': {
        const item = this.find(change)
        return item !== undefined && item.consumedAt === undefined
      }
      case 'put':
      case 'delete':
      case 'revokeGrant':
        return true
    }
  }

  #change(change: OauthChange, now: number): void {
    switch (change.do) {
      case 'put':
      case 'putNew':
        this.#put(change.item, now)
        return
      case 'consume': {
        const item = this.find(change)
        if (item === undefined) return
        const endsAt = change.endsAt ?? item.endsAt
        // In its place: a consumed item is no newer than it was.
        this.#kinds.get(item.kind)?.set(item.id, { ...item, consumedAt: change.at, endsAt })
        return
      }
      case 'delete':
        this.#delete(change)
        return
      case 'revokeGrant': {
        const names = [...(this.#names.get(nameKey('grant', change.grant))?.values() ?? [])]
        for (const name of names) this.#delete(name)
      }
    }
  }

  #put(item: OauthItem, now: number): void {
    this.#delete(item)
    const items = this.#kinds.get(item.kind) ?? new Map<string, OauthItem>()
    this.#kinds.set(item.kind, items)
    items.set(item.id, item)
    for (const key of namesOf(item)) {
      const names = this.#names.get(key) ?? new Map<string, OauthItemName>()
      this.#names.set(key, names.set(itemKey(item), { kind: item.kind, id: item.id }))
    }
    if (items.size > this.#itemsMax) this.#makeRoom(items, now)
  }

  /** What has ended goes first, and an eighth at a time: a full table is not searched at every put. */
  #makeRoom(items: ReadonlyMap<string, OauthItem>, now: number): void {
    for (const item of [...items.values()].filter((candidate) => hasEnded(candidate, now))) this.#delete(item)
    if (items.size <= this.#itemsMax) return
    const count = items.size - this.#itemsMax + Math.floor(this.#itemsMax / 8)
    for (const item of [...items.values()].slice(0, count)) this.#delete(item)
  }

  #delete(name: OauthItemName): void {
    const item = this.find(name)
    if (item === undefined) return
    this.#kinds.get(item.kind)?.delete(item.id)
    for (const key of namesOf(item)) {
      const names = this.#names.get(key)
      names?.delete(itemKey(item))
      if (names?.size === 0) this.#names.delete(key)
    }
  }
}

function endOf({ endsAt = Number.MAX_SAFE_INTEGER }: OauthItem): number {
  return endsAt
}

function hasEnded({ endsAt }: OauthItem, now: number): boolean {
  return endsAt !== undefined && endsAt <= now
}

function namesOf(item: OauthItem): string[] {
  return INDEXES.flatMap((index) => {
    const name = item[index]
    return name === undefined ? [] : [nameKey(index, name)]
  })
}

function nameKey(index: Index, name: string): string {
  return `${index}:${name}`
}

function itemKey({ kind, id }: OauthItemName): string {
  return `${kind}:${id}`
}

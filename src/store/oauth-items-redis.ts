import { createHash } from 'node:crypto'
import type { Redis, RedisOptions } from 'ioredis'
import { GatewayError, toGatewayError } from '../errors.ts'
import type { Applied, OauthChange, OauthItem, OauthItemName, OauthItems, OauthNotes } from './oauth-items.ts'
import { APPLY_SCRIPT } from './oauth-items-redis-script.ts'

/** How long a command may take, the wait for a connection included. */
const COMMAND_TIMEOUT_MS = 2_000
const CONNECT_TIMEOUT_MS = 2_000
const RETRY_MAX_MS = 1_000
const KEEP_ALIVE_MS = 10_000
/** Of a long list: the time of a command runs while others wait before it. */
const FOUND_AT_ONCE = 1_000

const SCRIPT_ID = createHash('sha1').update(APPLY_SCRIPT).digest('hex')
const FIELDS = ['sealed', 'uid', 'code', 'grant', 'owner', 'client', 'consumed', 'ends'] as const

export interface RedisItemsOptions {
  /** `redis://`, or `rediss://` for TLS, with user, password, host, port and database. What stands beside it wins. */
  readonly url?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** A Unix socket, in the place of host and port. */
  readonly socketPath?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly db?: number | undefined
  /** Before every key; default `gatehouse:`. */
  readonly keyPrefix?: string | undefined
  /** True: TLS, with the authorities that Node knows. `ca`: with this one, in PEM. */
  readonly tls?: boolean | { readonly ca: string } | undefined
  /** Told when the connection breaks. */
  readonly onError?: ((error: Error) => void) | undefined
  /** Told when it is there again. */
  readonly onConnected?: (() => void) | undefined
}

/**
 * Items in Redis 6.2 or later, or Valkey: for several processes. What is acknowledged is as safe as that server keeps it
 * (`docs/guide/sessions.md`).
 *
 * @throws GatewayError `config_invalid` when the server cannot be reached, or refuses the password or the database.
 */
export async function openRedisItems(options: RedisItemsOptions): Promise<OauthItems> {
  // Only who uses Redis loads the client.
  const { Redis } = await import('ioredis')
  const redis = options.url === undefined ? new Redis(settingsOf(options)) : new Redis(options.url, settingsOf(options))
  // Without a listener the client prints its errors.
  let lastError: unknown
  redis.on('error', (error) => {
    lastError = error
    options.onError?.(error)
  })
  try {
    await redis.connect()
    await redis.ping()
    // The client goes on in database 0 when it may not use the one that was asked for, and tells that as an event only.
    if (lastError !== undefined) throw lastError
  } catch (cause) {
    redis.disconnect()
    throw new GatewayError('config_invalid', unreachable(options, lastError ?? cause), { cause })
  }
  redis.on('ready', () => options.onConnected?.())
  return new RedisItems(redis, options)
}

function settingsOf({ host, port, socketPath, username, password, db, tls }: RedisItemsOptions): RedisOptions {
  const given = { host, port, path: socketPath, username, password, db, tls: tls === true ? {} : tls || undefined }
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    lazyConnect: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(times * 50, RETRY_MAX_MS),
    // A batch that was cut off may have been kept: a second time its conditions would not hold, and its own request would be
    // taken for the loser of a race.
    autoResendUnfulfilledCommands: false,
    // A listener reads again what it has missed, which it can only once it is subscribed again.
    autoResubscribe: false,
  }
}

function unreachable({ url, host = 'localhost', port = 6379, socketPath }: RedisItemsOptions, cause: unknown): string {
  const place = url === undefined ? (socketPath ?? `${host}:${port}`) : new URL(url).host
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : wordsOf(cause)
  return `Redis at ${place} cannot be used (${reason}). Start it, or correct oauth.sessionStorage.redis.`
}

/** The kind of a Redis error (`NOAUTH`, `WRONGPASS`), which stands first; the rest may hold anything. */
function wordsOf(cause: unknown): string {
  return /^[A-Z]{3,20}(?= )/.exec(cause instanceof Error ? cause.message : '')?.[0] ?? 'no connection'
}

class RedisItems implements OauthItems {
  readonly notes: OauthNotes
  readonly #redis: Redis
  readonly #prefix: string
  readonly #listeners: Redis[] = []
  #isClosed = false

  constructor(redis: Redis, { keyPrefix: prefix = 'gatehouse:', onError, onConnected }: RedisItemsOptions) {
    this.#redis = redis
    this.#prefix = prefix
    const channel = `${prefix}notes`
    this.notes = {
      send: async (text) => void (await this.#ask((client) => client.publish(channel, text))),
      listen: async (listener) => {
        const subscriber = redis.duplicate()
        this.#listeners.push(subscriber)
        subscriber.on('error', (error) => onError?.(error))
        subscriber.on('message', (_channel, text) => listener.onNote(text))
        await this.#ask(() => subscriber.connect().then(() => subscriber.subscribe(channel)))
        subscriber.on('ready', () => {
          onConnected?.()
          subscriber.subscribe(channel).then(
            () => listener.onConnected(),
            (error) => onError?.(error),
          )
        })
      },
    }
  }

  async find({ kind, id }: OauthItemName): Promise<OauthItem | undefined> {
    const values = await this.#ask((redis) => redis.hmget(this.#itemKey({ kind, id }), ...FIELDS))
    return itemOf({ kind, id }, values)
  }

  async findBy(index: 'uid' | 'userCode', kind: string, name: string): Promise<OauthItem | undefined> {
    const id = await this.#ask((redis) => redis.get(`${this.#prefix}${index}:${kind}:${name}`))
    const item = id === null ? undefined : await this.find({ kind, id })
    return item?.[index] === name ? item : undefined
  }

  async apply(changes: readonly OauthChange[], { now }: { readonly now: number }): Promise<Applied> {
    const args = [this.#prefix, String(now), JSON.stringify(changes.map(textsOf))] as const
    const place = await this.#ask((redis) =>
      redis.evalsha(SCRIPT_ID, 0, ...args).catch((error: unknown) => {
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return redis.eval(APPLY_SCRIPT, 0, ...args)
        throw error
      }),
    )
    const unmet = typeof place === 'number' ? changes[place - 1] : undefined
    return unmet === undefined ? { ok: true } : { ok: false, unmet }
  }

  async list(listing: Parameters<OauthItems['list']>[0]): Promise<OauthItem[]> {
    const { kind, by, name, limit, known } = listing
    const key = `${this.#prefix}${by === 'owner' ? 'o' : 'c'}:${kind}:${name}`
    // What lives longest first: what Redis has forgotten meanwhile stands at the other end.
    const members = await this.#ask((redis) => redis.zrevrange(key, 0, limit - 1, 'WITHSCORES'))
    const wanted = idsIn(members, kind).filter(({ id, end }) => known?.get(id) !== end)
    const items: OauthItem[] = []
    for (let start = 0; start < wanted.length; start += FOUND_AT_ONCE) {
      const found = wanted.slice(start, start + FOUND_AT_ONCE).map(({ id }) => this.find({ kind, id }))
      for (const item of await Promise.all(found)) if (item !== undefined) items.push(item)
    }
    return items
  }

  count(kind: string, { now }: { readonly now: number }): Promise<number> {
    return this.#ask((redis) => redis.zcount(`${this.#prefix}k:${kind}`, `(${now}`, '+inf'))
  }

  /** Redis forgets by itself. */
  async expire(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const listener of this.#listeners) listener.disconnect()
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }

  #itemKey({ kind, id }: OauthItemName): string {
    return `${this.#prefix}i:${kind}:${id}`
  }

  async #ask<Result>(question: (redis: Redis) => Promise<Result>): Promise<Result> {
    try {
      return await question(this.#redis)
    } catch (cause) {
      throw unavailable(cause)
    }
  }
}

/** Members of a set and their scores, one after the other: see the script. */
function idsIn(members: readonly string[], kind: string): { readonly id: string; readonly end: number }[] {
  return members.flatMap((member, place) =>
    place % 2 === 0 ? [{ id: member.slice(kind.length + 1), end: Number(members[place + 1]) }] : [],
  )
}

function unavailable(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return toGatewayError(cause)
  return new GatewayError('unavailable', 'The session storage cannot be used at the moment.', { cause })
}

/** A change in texts alone, empty for what is undefined: see the script. */
function textsOf(change: OauthChange): Readonly<Record<string, string>> {
  switch (change.do) {
    case 'put':
    case 'putNew': {
      const { kind, id, sealed, uid = '', userCode = '', grant = '', owner = '', client = '' } = change.item
      const times = { consumed: textOf(change.item.consumedAt), ends: textOf(change.item.endsAt) }
      return { do: change.do, kind, id, sealed, uid, code: userCode, grant, owner, client, ...times }
    }
    case 'consume':
      return { do: 'consume', kind: change.kind, id: change.id, at: String(change.at), ends: textOf(change.endsAt) }
    case 'delete':
      return { do: 'delete', kind: change.kind, id: change.id }
    case 'revokeGrant':
      return { do: 'revokeGrant', grant: change.grant }
  }
}

function textOf(time: number | undefined): string {
  return time === undefined ? '' : String(time)
}

function itemOf(name: OauthItemName, values: readonly (string | null)[]): OauthItem | undefined {
  const [sealed, uid, code, grant, owner, client, consumed, ends] = values.map((value) => value || undefined)
  if (sealed === undefined) return undefined
  return {
    ...name,
    ...{ sealed, uid, userCode: code, grant, owner, client },
    consumedAt: consumed === undefined ? undefined : Number(consumed),
    endsAt: ends === undefined ? undefined : Number(ends),
  }
}

import { equalInConstantTime, hmacSha256 } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { randomSecret } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'

/** Whom a protocol session belongs to: another caller's session is no session at all (THREATS.md, T17). */
export interface SessionOwner {
  readonly workspaceId: string
  readonly issuer: string
  readonly subject: string
}

export interface Session {
  /** `name/version` of the client that opened it. */
  readonly client: string | undefined
  readonly protocolVersion: string
  /** The id that the MCP server behind us gave to its own session. */
  readonly upstreamId?: string | undefined
}

const LIFETIME_MS = 7 * 24 * 3_600_000
const REMEMBERED_MAX = 10_000
const ID_LENGTH_MAX = 2_000
/** 132 bits. */
const NAME_MARK_LENGTH = 22

/**
 * Sessions of the 2025 revisions (`Mcp-Session-Id`).
 *
 * An id carries its own content and an HMAC over it and its owner, so a stranger's flood of `initialize` costs no memory,
 * a restart loses no session, and every replica with the same key accepts it. Only sessions that were ended by DELETE are
 * remembered, the newest 10,000.
 */
export class McpSessions {
  readonly #key: Uint8Array
  readonly #now: () => number
  readonly #ended = new Set<string>()
  readonly #checked = new Map<string, { owner: string; session: Session; endsAt: number }>()

  constructor(keyring: Keyring, now: () => number) {
    this.#key = keyring.derive('mcp session')
    this.#now = now
  }

  /**
   * Opens a session and returns its id: visible ASCII, as the specification asks.
   *
   * @throws GatewayError `upstream_too_large` when the MCP server's id makes ours longer than 2,000 characters; one of 1,000
   * plain characters does not.
   */
  open(owner: SessionOwner, { protocolVersion, client = '', upstreamId = '' }: Session): string {
    const content = [randomSecret(12), this.#now() + LIFETIME_MS, protocolVersion, client, upstreamId]
    const payload = Buffer.from(JSON.stringify(content)).toString('base64url')
    const id = `${payload}.${this.#sign(owner, payload)}`
    // Longer, it would be given and never found.
    if (id.length <= ID_LENGTH_MAX) return id
    throw new GatewayError('upstream_too_large', 'The MCP server’s session id is too long.')
  }

  /** The session, if this id was given to this owner for this workspace and has neither ended nor run out (7 days). */
  find(id: string, owner: SessionOwner): Session | undefined {
    if (id.length > ID_LENGTH_MAX || this.#ended.has(id)) return undefined
    const ownerKey = ownerText(owner)
    const known = this.#checked.get(id)
    if (known !== undefined) {
      return known.owner === ownerKey && known.endsAt > this.#now() ? known.session : undefined
    }
    const opened = this.#open(id, owner)
    if (opened === undefined || opened.endsAt <= this.#now()) return undefined
    if (this.#checked.size >= REMEMBERED_MAX) dropOldest(this.#checked)
    this.#checked.set(id, { owner: ownerKey, session: opened.session, endsAt: opened.endsAt })
    return opened.session
  }

  /** Ends the session. The caller has checked that it is theirs. */
  end(id: string): void {
    this.#checked.delete(id)
    this.#ended.add(id)
    if (this.#ended.size > REMEMBERED_MAX) dropOldest(this.#ended)
  }

  /**
   * What a server behind us gets of the name that a caller has for his session (`X-MCP-Session-Id`): the same name of
   * another caller is another session (FEATURES F6). Always the same one under the same key.
   */
  nameOf(owner: SessionOwner, name: string): string {
    return `${name}.${hmacSha256(this.#key, `name\n${ownerText(owner)}\n${name}`).slice(0, NAME_MARK_LENGTH)}`
  }

  #open(id: string, owner: SessionOwner): { session: Session; endsAt: number } | undefined {
    const [payload, signature, ...more] = id.split('.')
    // One way to write an id: another one would outlive the end of the session.
    if (payload === undefined || signature === undefined || more.length > 0) return undefined
    if (!equalInConstantTime(signature, this.#sign(owner, payload))) return undefined
    // Signed by us: the content is what `open` wrote.
    const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (!Array.isArray(content)) return undefined
    const [, endsAt, protocolVersion, client, upstreamId] = content
    if (typeof endsAt !== 'number' || typeof protocolVersion !== 'string') return undefined
    const upstream = upstreamId ? { upstreamId } : {}
    return { endsAt, session: { protocolVersion, client: client || undefined, ...upstream } }
  }

  #sign(owner: SessionOwner, payload: string): string {
    return hmacSha256(this.#key, `${ownerText(owner)}\n${payload}`)
  }
}

/** JSON keeps the parts apart: no issuer can be written so that it reads as another pair. */
export function ownerText(owner: SessionOwner): string {
  return JSON.stringify([owner.workspaceId, owner.issuer, owner.subject])
}

function dropOldest(kept: { keys(): Iterable<string>; delete(key: string): boolean }): void {
  for (const oldest of kept.keys()) {
    kept.delete(oldest)
    return
  }
}

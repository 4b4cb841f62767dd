import { type Account, accountUrl } from '../accounts/account.ts'
import { randomId } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import { scopesOfWorkspace } from '../oauth/workspace-scopes.ts'
import { type AuditAction, type AuditEvent, bySystem, type Origin } from '../records/audit-event.ts'
import type { IssuedRow, IssuedWorkspaceRow } from '../store/schema.ts'
import type { ChangeTables, Store } from '../store/store.ts'
import { apiKeyHash, makeApiKey } from '../tokens/api-key.ts'
import type { IssuedIndex } from '../tokens/revocation.ts'
import type { PublishedKey, SigningKeys } from '../tokens/signing-keys.ts'
import type { Uses } from '../tokens/uses.ts'
import type { Workspace } from '../workspaces/workspace.ts'

export type IssuedKind = IssuedRow['kind']

/** What is issued, as people ask for it. */
export interface IssueRequest {
  readonly description: string
  /** Who calls with it: none of our people, and no other credential. Default: the credential itself, by its id. */
  readonly subject?: string | undefined
  readonly scopes: readonly string[]
  /** Infinite: until it is revoked. */
  readonly lifetimeSeconds: number
  /** Ids or slugs. */
  readonly workspaces: readonly string[]
  /** It becomes the default of those workspaces. */
  readonly isDefault?: boolean | undefined
}

/** A credential without its value, and what it opens. */
export interface Issued {
  readonly row: IssuedRow
  readonly opens: readonly { readonly workspace: Workspace; readonly isDefault: boolean }[]
}

export interface TokenManagerOptions {
  readonly store: Pick<Store, 'issued' | 'people'>
  readonly keys: SigningKeys
  readonly index: IssuedIndex
  readonly uses: Uses
  /** The account whose credentials these are. */
  readonly account: Account
  readonly publicUrl: () => string
  /** The account's workspace of an id or slug; throws `not_found`. */
  readonly workspace: (accountId: string, reference: string) => Workspace
  /** Has a workspace ask its callers for a credential, if it does not yet. */
  readonly askForCredential: (workspace: Workspace, by: Origin) => Promise<unknown>
  /** Makes a change together with the event that tells of it: both are kept, or neither. */
  readonly change: <Result>(
    event: AuditEvent,
    work: (tables: Pick<ChangeTables, 'issued' | 'signingKeys'>) => Promise<Result>,
  ) => Promise<Result>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told what was done, in words without secrets. */
  readonly note: (message: string) => void
}

const SWEEP_EVERY_MS = 60_000
const LISTED_MAX = 10_000
/** Subjects of credentials that say none, and of people who come through a provider (`federatedId`). */
const OF_OTHERS = /^(?:(?:token|session|key):|fed_)/

/** What the managers of all accounts have in common. */
interface Shared {
  /** Changes run one after the other: a key is not retired between a signature and its row. */
  lastChange: Promise<unknown>
  sweptAt: number
}

/**
 * Issues tokens, session tokens and API keys of one account, and takes them back: those of another are not there. What is granted is on disk before it is in force; what is
 * taken away is in force at once, and acknowledged when it is on disk.
 */
export class TokenManager {
  readonly #options: TokenManagerOptions
  readonly #shared: Shared

  constructor(options: TokenManagerOptions, shared: Shared = { lastChange: Promise.resolve(), sweptAt: 0 }) {
    this.#options = options
    this.#shared = shared
  }

  /** The credentials of another account. */
  of(account: Account): TokenManager {
    return new TokenManager({ ...this.#options, account }, this.#shared)
  }

  /**
   * Issues a credential. Its value is in this answer and nowhere else, ever (PRODUCT.md, 17).
   *
   * @throws GatewayError `not_found`, or `invalid_request` for a subject that is somebody else's.
   */
  async issue(
    kind: IssuedKind,
    request: IssueRequest,
    by: Origin = bySystem,
  ): Promise<Issued & { readonly value: string }> {
    const workspaces = request.workspaces.map((reference) => this.#workspace(reference))
    await this.#refuseSubjectOfOthers(request.subject)
    // First the door, then the key: stopped between the two, nobody comes in.
    for (const workspace of workspaces) await this.#options.askForCredential(workspace, by)
    return this.#inTurn(async () => {
      await this.#sweep()
      const { row, value } = kind === 'key' ? this.#makeKey(request) : await this.#makeToken(kind, request)
      const opens = [...new Set(workspaces.map(({ id }) => id))].map((workspace_id) => ({
        workspace_id,
        is_default: flag(request.isDefault === true),
      }))
      const event = eventOf('created', row, by, workspaces)
      await this.#options.change(event, ({ issued }) => issued.insert(row, opens))
      this.#options.index.keep(
        row,
        opens.map(({ workspace_id }) => workspace_id),
      )
      this.#options.note(
        `Issued ${row.id}, a ${kind}, for ${workspaces.map(({ slug }) => slug).join(', ') || 'no workspace'}.`,
      )
      return { row, value, opens: await this.#opensOf(row.id) }
    })
  }

  /** Which of these scopes makes its holder an administrator of one of these workspaces; undefined: none does. */
  administratorScope({ scopes, workspaces }: Pick<IssueRequest, 'scopes' | 'workspaces'>): string | undefined {
    const forAdmins = workspaces.flatMap((reference) => {
      const { access, rateLimiting } = this.#workspace(reference)
      return scopesOfWorkspace(access, rateLimiting === undefined ? [] : [rateLimiting.adminScope]).forAdmins
    })
    return scopes.find((scope) => forAdmins.includes(scope))
  }

  /** Newest first. With `workspace`, those that open it. */
  async list(kind: IssuedKind, workspace?: string): Promise<readonly Issued[]> {
    const { store, uses } = this.#options
    const workspaceId = workspace === undefined ? undefined : this.#workspace(workspace).id
    await uses.flush()
    return this.#withOpens(
      await store.issued.list({ accountId: this.#options.account.id, kind, workspaceId, limit: LISTED_MAX }),
    )
  }

  /** @throws GatewayError `not_found`, also for one of another kind or another account. */
  async get(kind: IssuedKind, id: string): Promise<Issued> {
    await this.#options.uses.flush()
    const row = await this.#options.store.issued.find(id)
    if (row === undefined || row.kind !== kind || row.account_id !== this.#options.account.id) throw notFound(kind)
    return { row, opens: await this.#opensOf(id) }
  }

  /** Ends it: the next call with it is refused, also where it was remembered. A second time changes nothing. */
  async revoke(kind: IssuedKind, id: string, by: Origin = bySystem): Promise<Issued> {
    const { index, now, note, change } = this.#options
    const { row } = await this.get(kind, id)
    index.revoke(id)
    await change(eventOf('revoked', row, by), ({ issued }) => issued.revoke(id, now()))
    note(`Revoked ${id}, a ${kind}.`)
    return this.get(kind, id)
  }

  /** Lets it open a workspace too, which from then on lets nobody in without a credential. */
  async associate(
    kind: IssuedKind,
    id: string,
    workspace: string,
    { isDefault = false, by = bySystem }: { readonly isDefault?: boolean; readonly by?: Origin } = {},
  ): Promise<Issued> {
    const { index, note, askForCredential, change } = this.#options
    const opened = this.#workspace(workspace)
    const { id: workspaceId, slug } = opened
    const { row } = await this.get(kind, id)
    await askForCredential(opened, by)
    return this.#inTurn(async () => {
      const opens = { issued_id: id, workspace_id: workspaceId, is_default: flag(isDefault) }
      await change(eventOf('associated', row, by, [opened]), ({ issued }) => issued.associate(opens))
      index.associate(id, workspaceId)
      note(`Associated ${id}, a ${kind}, with ${slug}.`)
      return this.get(kind, id)
    })
  }

  /** It no longer opens the workspace, which goes on asking for a credential: also when this was the last one. */
  dissociate(kind: IssuedKind, id: string, workspace: string, by: Origin = bySystem): Promise<Issued> {
    const { index, note, change } = this.#options
    const closed = this.#workspace(workspace)
    const { id: workspaceId, slug } = closed
    return this.#inTurn(async () => {
      const { row } = await this.get(kind, id)
      index.dissociate(id, workspaceId)
      const opens = { issued_id: id, workspace_id: workspaceId }
      await change(eventOf('dissociated', row, by, [closed]), ({ issued }) => issued.dissociate(opens))
      note(`Dissociated ${id}, a ${kind}, from ${slug}.`)
      return this.get(kind, id)
    })
  }

  /** Oldest first; the last one signs. */
  signingKeys(): readonly PublishedKey[] {
    return this.#options.keys.published
  }

  rotateSigningKeys(by: Origin = bySystem): Promise<PublishedKey> {
    return this.#inTurn(async () => {
      const { keys, change } = this.#options
      const made = await keys.rotate((row, retiredAt) => {
        const target = { kind: 'gateway', id: row.kid } as const
        const event = { action: 'signing_key.rotated', by, target } as const
        return change(event, ({ signingKeys }) => signingKeys.replace(row, retiredAt))
      })
      this.#options.note('A new key signs from now on.')
      return made
    })
  }

  /** Callers are told apart by issuer and subject, and the issuer of all of these is ours: rules, limits and sessions would take one for the other. */
  async #refuseSubjectOfOthers(subject: string | undefined): Promise<void> {
    if (subject === undefined) return
    if (!OF_OTHERS.test(subject) && (await this.#options.store.people.find(subject)) === undefined) return
    throw new GatewayError(
      'invalid_request',
      `subject: ${subject} is somebody who signs in here, or another credential. Choose another, such as the user’s id in your own system.`,
    )
  }

  #makeKey(request: IssueRequest): { readonly row: IssuedRow; readonly value: string } {
    const value = makeApiKey()
    const row = { ...this.#row('key', request), preview: `${value.slice(0, 12)}…`, key_hash: apiKeyHash(value) ?? null }
    return { row, value }
  }

  async #makeToken(
    kind: IssuedKind,
    request: IssueRequest,
  ): Promise<{ readonly row: IssuedRow; readonly value: string }> {
    const { account, keys, publicUrl } = this.#options
    const row = this.#row(kind, request)
    const { token, kid } = await keys.sign({
      iss: publicUrl(),
      sub: row.subject,
      aud: accountUrl(publicUrl(), account.id),
      iat: row.created_at / 1000,
      ...(row.expires_at === null ? {} : { exp: row.expires_at / 1000 }),
      jti: row.id,
      ...(row.scopes === '' ? {} : { scope: row.scopes }),
    })
    return { row: { ...row, signing_kid: kid, preview: `${token.slice(0, 10)}…${token.slice(-4)}` }, value: token }
  }

  #row(kind: IssuedKind, { description, subject, scopes, lifetimeSeconds }: IssueRequest): IssuedRow {
    const id = randomId(24)
    // Whole seconds, as in the token (RFC 7519 §2, NumericDate).
    const createdAt = Math.floor(this.#options.now() / 1000) * 1000
    return {
      id,
      account_id: this.#options.account.id,
      kind,
      description,
      subject: subject ?? `${kind}:${id}`,
      scopes: scopes.join(' '),
      preview: '',
      key_hash: null,
      signing_kid: null,
      created_at: createdAt,
      expires_at: Number.isFinite(lifetimeSeconds) ? createdAt + lifetimeSeconds * 1000 : null,
      last_used_at: null,
      revoked_at: null,
    }
  }

  async #opensOf(id: string): Promise<Issued['opens']> {
    return this.#opens(await this.#options.store.issued.workspacesOf([id]))
  }

  async #withOpens(rows: readonly IssuedRow[]): Promise<readonly Issued[]> {
    const opens = Map.groupBy(
      await this.#options.store.issued.workspacesOf(rows.map(({ id }) => id)),
      ({ issued_id }) => issued_id,
    )
    return rows.map((row) => ({ row, opens: this.#opens(opens.get(row.id) ?? []) }))
  }

  #opens(rows: readonly IssuedWorkspaceRow[]): Issued['opens'] {
    return rows.flatMap(({ workspace_id, is_default }) => {
      const workspace = this.#find(workspace_id)
      return workspace === undefined ? [] : [{ workspace, isDefault: is_default === 1 }]
    })
  }

  #workspace(reference: string): Workspace {
    return this.#options.workspace(this.#options.account.id, reference)
  }

  /** Undefined: the workspace is kept and not served, because the config file names it no more. */
  #find(id: string): Workspace | undefined {
    try {
      return this.#workspace(id)
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'not_found') return undefined
      throw error
    }
  }

  /** Session tokens come by the thousand: those that have ended leave store and memory. */
  async #sweep(): Promise<void> {
    const { store, index, now } = this.#options
    const at = now()
    if (at - this.#shared.sweptAt < SWEEP_EVERY_MS) return
    this.#shared.sweptAt = at
    index.sweep(at)
    await store.issued.deleteSessions({ endedBy: at })
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#shared.lastChange.then(work)
    this.#shared.lastChange = turn.catch(() => undefined)
    return turn
  }
}

type Deed = 'created' | 'revoked' | 'associated' | 'dissociated'

/** What the audit is told: never the value. Session tokens count as tokens. */
function eventOf(deed: Deed, row: IssuedRow, by: Origin, workspaces: readonly Workspace[] = []): AuditEvent {
  const kind = row.kind === 'key' ? 'key' : 'token'
  const action: AuditAction = `${kind}.${deed}`
  const slugs = workspaces.map(({ slug }) => slug)
  const [added, removed] = deed === 'dissociated' ? [[], slugs] : [slugs, []]
  const changes = slugs.length === 0 ? [] : [{ setting: 'workspaces', added, removed }]
  return { action, by, accountId: row.account_id, target: { kind, id: row.id, label: row.description }, changes }
}

function flag(value: boolean): 0 | 1 {
  return value ? 1 : 0
}

function notFound(kind: IssuedKind): GatewayError {
  return new GatewayError('not_found', kind === 'key' ? 'There is no such API key.' : 'There is no such token.')
}

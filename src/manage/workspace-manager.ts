import { isDeepStrictEqual } from 'node:util'
import { randomId } from '../crypto/random.ts'
import type { Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import { type AuditAction, type AuditEvent, bySystem, type Origin } from '../records/audit-event.ts'
import { type AccessChange, changedAccess } from '../workspaces/access-settings.ts'
import type {
  InboundAuthSettings,
  SourceSettings,
  UpstreamChange,
  UpstreamSettings,
  WorkspaceSettings,
} from '../workspaces/settings.ts'
import type { Workspace, WorkspaceDocument } from '../workspaces/workspace.ts'
import { workspaceEvent } from './setting-changes.ts'

/** Where workspaces are kept. Every promise resolves only when the change is on disk, and with it the event of the audit. */
export interface WorkspaceRows {
  list(): Promise<{ readonly workspaces: readonly Workspace[]; readonly unreadable: readonly Unreadable[] }>
  insert(workspace: Workspace, event: AuditEvent): Promise<void>
  update(workspace: Workspace, event: AuditEvent): Promise<void>
  delete(id: string, event: AuditEvent): Promise<void>
}

export interface Unreadable {
  readonly id: string
  readonly slug: string
  readonly reason: string
}

export interface ManagerOptions<Open> {
  readonly rows: WorkspaceRows
  /** The account whose workspaces these are. */
  readonly accountId: string
  /** Compiles a workspace; throws `config_invalid` or `document_invalid` when it cannot be served as it is. */
  readonly open: (workspace: Workspace) => Promise<Open>
  /** Puts the served set in place; called after every change, in order. */
  readonly publish: (served: readonly Open[]) => void
  readonly fetchDocument: (url: string, reach: Reach) => Promise<string>
  readonly now: () => number
  /** Whether a kept workspace is ours to serve; false for one that the config file names no more. */
  readonly isServed: (workspace: Workspace) => boolean
  /** Told of a workspace that cannot be served; the others are. */
  readonly onBroken: (slug: string, error: unknown) => void
}

/** What may be changed on a workspace after it was made. What is not mentioned stays; `null` removes a param or the base URL. */
export interface WorkspaceChange {
  readonly name?: string | undefined
  readonly auth?: WorkspaceSettings['auth'] | null | undefined
  readonly access?: AccessChange | undefined
  readonly rateLimiting?: WorkspaceSettings['rateLimiting'] | null | undefined
  readonly upstream?: UpstreamChange | undefined
  readonly params?: Readonly<Record<string, string | null>> | undefined
  readonly tools?: WorkspaceSettings['tools'] | undefined
}

/** Asked before a change is kept; throws a GatewayError for one that is not allowed. `before` is undefined where it could not be served. */
export type CheckChange<Open> = (after: Open, before: Open | undefined) => void

/** What the managers of all accounts have in common. */
interface Shared<Open> {
  readonly served: Map<string, { workspace: Workspace; open: Open | undefined }>
  /**
   * The last change of each account: they run one after the other, so that two at once cannot overwrite each other's. Not those
   * of all accounts together: compiling one may take as long as its description is large.
   */
  readonly lastChange: Map<string, Promise<unknown>>
}

/**
 * What the API, the CLI and the config file can do with the workspaces of one account: those of another are not there. Every change is compiled first, kept second and served
 * third: a change that does not work is refused with nothing altered, and one that is acknowledged survives a kill -9.
 * `by` says in the audit who it was.
 */
export class WorkspaceManager<Open> {
  readonly #options: ManagerOptions<Open>
  readonly #shared: Shared<Open>

  constructor(options: ManagerOptions<Open>, shared: Shared<Open> = { served: new Map(), lastChange: new Map() }) {
    this.#options = options
    this.#shared = shared
  }

  /** The workspaces of another account. */
  of(accountId: string): WorkspaceManager<Open> {
    return new WorkspaceManager({ ...this.#options, accountId }, this.#shared)
  }

  /** The account that this workspace belongs to, whichever it is; undefined: it is not served. */
  accountOf(workspaceId: string): string | undefined {
    return this.#shared.served.get(workspaceId)?.workspace.accountId
  }

  /** Reads the workspaces of every account and serves those that work. Call once, before anything else. */
  async start(): Promise<void> {
    const { workspaces, unreadable } = await this.#options.rows.list()
    for (const { slug, reason } of unreadable) this.#options.onBroken(slug, new Error(reason))
    // All at once: large descriptions are read on threads, and a start must not add that up.
    const opened = workspaces.filter(this.#options.isServed).map(async (workspace) => {
      const open = await this.#options.open(workspace).catch((error: unknown) => {
        this.#options.onBroken(workspace.slug, error)
        return undefined
      })
      return { workspace, open }
    })
    for (const served of await Promise.all(opened)) this.#shared.served.set(served.workspace.id, served)
    this.#publish()
  }

  /** All workspaces of the account, oldest first. */
  list(): readonly Workspace[] {
    const all = [...this.#shared.served.values()].map(({ workspace }) => workspace)
    return all.filter(({ accountId }) => accountId === this.#options.accountId)
  }

  /**
   * The workspace with this id, slug, or `<slug>-<id>`.
   *
   * @throws GatewayError `not_found`
   */
  get(reference: string): Workspace {
    const found = this.find(reference)
    if (found === undefined) throw new GatewayError('not_found', 'There is no such workspace.')
    return found
  }

  /** The same, or undefined. */
  find(reference: string): Workspace | undefined {
    return this.list().find(({ id, slug }) => [id, slug, `${slug}-${id}`].includes(reference))
  }

  /** The compiled workspace, undefined when it cannot be served. */
  opened(reference: string): Open | undefined {
    return this.#shared.served.get(this.get(reference).id)?.open
  }

  /** Makes a workspace, importing its source if it has one. */
  async create(
    settings: WorkspaceSettings,
    made: { keptBy: Workspace['keptBy']; reach: Reach },
    by: Origin = bySystem,
  ): Promise<Workspace> {
    const document = settings.source === undefined ? undefined : await this.#read(settings.source, made.reach)
    return this.#inTurn(async () => {
      const slug = settings.slug ?? this.#freeSlug(settings.name)
      if (this.list().some((other) => other.slug === slug)) {
        throw new GatewayError('conflict', `There is already a workspace with the slug ${slug}.`)
      }
      const now = this.#options.now()
      const workspace: Workspace = {
        id: randomId(16),
        accountId: this.#options.accountId,
        slug,
        name: settings.name,
        ...made,
        inbound: settings.auth,
        access: settings.access,
        rateLimiting: settings.rateLimiting,
        upstream: settings.upstream,
        params: settings.params,
        tools: settings.tools,
        document,
        createdAt: now,
        updatedAt: now,
      }
      const open = await this.#options.open(workspace)
      const event = workspaceEvent('workspace.created', by, { before: undefined, after: workspace })
      await this.#options.rows.insert(workspace, event)
      this.#serve(workspace, open)
      return workspace
    })
  }

  /**
   * Changes settings; what is not mentioned stays. A change that depends on what is there already is a function: it is called
   * when every change before it is made.
   */
  change(
    reference: string,
    asked: WorkspaceChange | (() => WorkspaceChange),
    by: Origin = bySystem,
    check?: CheckChange<Open>,
  ): Promise<Workspace> {
    return this.#inTurn(async () => {
      const change = typeof asked === 'function' ? asked() : asked
      const given = Object.entries(change).filter(([, value]) => value !== undefined)
      const action = given.length === 1 && change.tools !== undefined ? 'tools.switched' : 'workspace.changed'
      const namesAddresses = [change.upstream, change.params, change.auth].some((value) => value !== undefined)
      if (namesAddresses) refuseWiderReach(this.get(reference), by)
      return this.#replace(reference, (before) => applyChange(before, change), { action, by, check })
    })
  }

  /**
   * Asks callers for a credential from now on: `authType` none becomes jwt. `fallback` counts for a workspace that says nothing.
   *
   * @throws GatewayError `conflict` for one that the config file keeps: at the next start it would be open again.
   */
  askForCredential(reference: string, fallback: InboundAuthSettings, by: Origin = bySystem): Promise<Workspace> {
    return this.#inTurn(async () => {
      const before = this.get(reference)
      const inbound = before.inbound ?? fallback
      if (inbound.authType !== 'none') return before
      if (before.keptBy === 'file') {
        throw new GatewayError(
          'conflict',
          `${before.slug} is open to everybody and kept by the config file: set its auth there.`,
        )
      }
      const closed = { ...inbound, authType: 'jwt' } as const
      return this.#replace(reference, (workspace) => ({ ...workspace, inbound: closed }), {
        action: 'workspace.changed',
        by,
      })
    })
  }

  /** Puts all settings of the config file in place; id, slug and document stay. */
  replaceSettings(
    reference: string,
    settings: Omit<WorkspaceSettings, 'source' | 'slug'>,
    by: Origin = bySystem,
  ): Promise<Workspace> {
    const { name, auth, access, rateLimiting, upstream, params, tools } = settings
    return this.#inTurn(() =>
      this.#replace(
        reference,
        (before) => ({ ...before, ...{ name, inbound: auth, access, rateLimiting, upstream, params, tools } }),
        { action: 'workspace.changed', by },
      ),
    )
  }

  /** Imports a document again or another one; without a source the URL of the last import is fetched again. */
  async import(
    reference: string,
    source: SourceSettings | undefined,
    by: Origin = bySystem,
    check?: CheckChange<Open>,
  ): Promise<Workspace> {
    const workspace = this.get(reference)
    const { id, document, reach } = workspace
    // The same URL again is where the operator has sent it; a new document names new servers.
    if (source !== undefined) refuseWiderReach(workspace, by)
    const from = source ?? (document?.url === undefined ? undefined : { url: document.url })
    if (from === undefined) {
      throw new GatewayError('invalid_request', 'There is no URL to fetch again: give a URL, or the document itself.')
    }
    const read = await this.#read(from, reach)
    const done = { action: 'workspace.imported', by, check } as const
    return this.#inTurn(() => this.#replace(id, (before) => ({ ...before, document: read }), done))
  }

  delete(reference: string, by: Origin = bySystem): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.get(reference)
      await this.#options.rows.delete(before.id, workspaceEvent('workspace.deleted', by, { before, after: undefined }))
      this.#shared.served.delete(before.id)
      this.#publish()
    })
  }

  async #replace(
    reference: string,
    edit: (before: Workspace) => Workspace,
    {
      action,
      by,
      check,
    }: { readonly action: AuditAction; readonly by: Origin; readonly check?: CheckChange<Open> | undefined },
  ): Promise<Workspace> {
    const before = this.get(reference)
    const edited = edit(before)
    // The config file says the same at every start: that is no change.
    const isRepeated = by.actor === 'config_file' && isSame(edited, before)
    if (isRepeated && this.#shared.served.get(before.id)?.open !== undefined) return before
    const after = isRepeated ? before : { ...edited, updatedAt: this.#options.now() }
    const open = await this.#options.open(after)
    check?.(open, this.#shared.served.get(before.id)?.open)
    if (!isRepeated) await this.#options.rows.update(after, workspaceEvent(action, by, { before, after }))
    this.#serve(after, open)
    return after
  }

  #serve(workspace: Workspace, open: Open): void {
    this.#shared.served.set(workspace.id, { workspace, open })
    this.#publish()
  }

  #publish(): void {
    const served: Open[] = []
    for (const { open } of this.#shared.served.values()) if (open !== undefined) served.push(open)
    this.#options.publish(served)
  }

  async #read(source: SourceSettings, reach: Reach): Promise<WorkspaceDocument> {
    const importedAt = this.#options.now()
    if ('document' in source) return { url: undefined, text: source.document, importedAt }
    return { url: source.url, text: await this.#options.fetchDocument(source.url, reach), importedAt }
  }

  #freeSlug(name: string): string {
    const base = slugOf(name)
    const taken = new Set(this.list().map((workspace) => workspace.slug))
    if (!taken.has(base)) return base
    for (let count = 2; ; count += 1) if (!taken.has(`${base}-${count}`)) return `${base}-${count}`
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const { lastChange } = this.#shared
    const { accountId } = this.#options
    const turn = (lastChange.get(accountId) ?? Promise.resolve()).then(work)
    lastChange.set(
      accountId,
      turn.catch(() => undefined),
    )
    return turn
  }
}

/** A person's addresses reach public networks only (PRODUCT.md, 13), so none is put where the operator's may reach further. */
function refuseWiderReach({ reach }: Workspace, { actor }: Origin): void {
  if (actor !== 'person' || reach === 'person') return
  throw new GatewayError(
    'forbidden',
    'This workspace was made with the admin key, and may reach private addresses: only that key changes its addresses, credentials and document. Make a workspace of your own instead.',
  )
}

/** Whether they differ in times only. */
function isSame(one: Workspace, other: Workspace): boolean {
  // As they are kept: what is undefined is not there.
  const settings = ({ updatedAt: _updatedAt, document: _document, ...rest }: Workspace) =>
    JSON.parse(JSON.stringify(rest))
  if (one.document?.text !== other.document?.text || one.document?.url !== other.document?.url) return false
  return isDeepStrictEqual(settings(one), settings(other))
}

function applyChange(before: Workspace, change: WorkspaceChange): Workspace {
  return {
    ...before,
    name: change.name ?? before.name,
    inbound: change.auth === undefined ? before.inbound : (change.auth ?? undefined),
    access: changedAccess(before.access, change.access ?? {}),
    rateLimiting: change.rateLimiting === undefined ? before.rateLimiting : (change.rateLimiting ?? undefined),
    upstream: changedUpstream(before.upstream, change.upstream ?? {}),
    tools: change.tools ?? before.tools,
    params: changedEntries(before.params, change.params ?? {}),
  }
}

/** Null removes one, what is not mentioned stays: what nobody can read back cannot be given again. */
function changedEntries<Value>(
  before: Readonly<Record<string, Value>>,
  change: Readonly<Record<string, Value | null>>,
): Record<string, Value> {
  const entries = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(change)) {
    if (value === null) entries.delete(name)
    else entries.set(name, value)
  }
  return Object.fromEntries(entries)
}

function changedUpstream(before: UpstreamSettings, change: UpstreamChange): UpstreamSettings {
  return {
    baseUrl: change.baseUrl === undefined ? before.baseUrl : (change.baseUrl ?? undefined),
    auth: change.auth ?? before.auth,
    security: changedEntries(before.security, change.security ?? {}),
    headers: change.headers ?? before.headers,
    timeoutMs: change.timeoutMs ?? before.timeoutMs,
    responseBytesMax: change.responseBytesMax ?? before.responseBytesMax,
  }
}

/** A URL-safe name: `My API` becomes `my-api`. */
export function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 36)
    .replace(/-+$/, '')
  return slug === '' ? 'workspace' : slug
}

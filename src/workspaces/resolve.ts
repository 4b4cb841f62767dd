import { GatewayError } from '../errors.ts'

/** The paths below a workspace that are its MCP endpoint: the plain one and the aliases of PRODUCT.md, "URLs". */
const ENDPOINT_SUFFIXES: ReadonlySet<string> = new Set(['', '/mcp', '/sse', '/message', '/messages', '/mcp/message'])

/** What a directory needs to know of an entry: its path, `/<slug>-<id>`. */
export interface Addressable {
  readonly path: string
}

/** Finds the workspace a URL path names. One lookup: it stands first in every request's life. */
export class WorkspaceDirectory<Entry extends Addressable> {
  #byPath = new Map<string, Entry>()
  #only: Entry | undefined

  /** Puts the whole set in place at once; a request sees the old set or the new one. */
  replace(entries: readonly Entry[]): void {
    this.#byPath = new Map(entries.map((entry) => [entry.path, entry]))
    this.#only = entries.length === 1 ? entries[0] : undefined
  }

  get entries(): readonly Entry[] {
    return [...this.#byPath.values()]
  }

  /**
   * The workspace behind an endpoint path. Without a first segment that names one, `/mcp` and its aliases mean the only
   * workspace there is.
   */
  find(path: string): Entry | undefined {
    const end = path.indexOf('/', 1)
    const first = end === -1 ? path : path.slice(0, end)
    const named = this.#byPath.get(first)
    const rest = named === undefined ? path : path.slice(first.length)
    const suffix = rest.endsWith('/') ? rest.slice(0, -1) : rest
    if (!ENDPOINT_SUFFIXES.has(suffix)) return undefined
    return named ?? (suffix === '' ? undefined : this.#only)
  }

  /**
   * @throws GatewayError `not_found`: the same answer for a workspace that never was and one that is gone.
   */
  get(path: string): Entry {
    const entry = this.find(path)
    if (entry === undefined) throw new GatewayError('not_found', 'There is no workspace at this address.')
    return entry
  }
}

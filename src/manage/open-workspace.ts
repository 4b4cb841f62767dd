import { compileAccess, unknownNames } from '../authorize/compile-access.ts'
import type { ToolRules } from '../authorize/tool-rules.ts'
import { type Credentials, createCredentials } from '../credentials/credentials.ts'
import type { Egress } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import { createIdentity, type Identity, type IdentityOptions } from '../identify/identify.ts'
import type { CallerLimits, CheckLimits } from '../limits/caller-limits.ts'
import type { ServerDescription } from '../mcp/answer.ts'
import type { WriteRecord } from '../records/record.ts'
import { type Catalog, createCatalog } from '../tools/catalog.ts'
import { importDocument } from '../tools/import-document.ts'
import { requirementsOf } from '../tools/security.ts'
import type { ImportedTools, Tool } from '../tools/tool.ts'
import { type ApiServer, parseServer } from '../upstream/http-api.ts'
import { type McpServer, parseMcpServer } from '../upstream/mcp-http.ts'
import type { Addressable } from '../workspaces/resolve.ts'
import type { InboundAuthSettings, RateLimitingSettings } from '../workspaces/settings.ts'
import { type Workspace, type WorkspaceDocument, workspacePath } from '../workspaces/workspace.ts'
import { unmetSecurity } from './unmet-security.ts'

/** A workspace as requests meet it: everything is compiled, nothing is read from the store. */
export interface OpenWorkspace extends Addressable {
  readonly workspace: Workspace
  readonly path: string
  readonly identity: Identity
  readonly imported: ImportedTools
  readonly catalog: Catalog
  /** Names in the settings that no tool has, in words: what they should close stays open. */
  readonly misnamed: readonly string[]
  readonly credentials: Credentials
  readonly rules: ToolRules
  /** Undefined: nothing is limited. */
  readonly checkLimits: CheckLimits | undefined
  /** The MCP server that is passed through; undefined: the tools are made from a document. */
  readonly mcpServer: McpServer | undefined
  /** Where a tool's operation is. Throws `config_invalid` when nobody has said it. */
  readonly apiServer: (tool: Tool) => ApiServer
  readonly server: ServerDescription
  /** Resolves when the keys of every issuer are here, or cannot be fetched; requests that need them wait by themselves. */
  readonly started: Promise<void>
}

export interface OpenOptions {
  readonly identity: Omit<IdentityOptions, 'reach'>
  /** What counts for a workspace that says nothing about callers. */
  readonly defaultAuth: InboundAuthSettings
  readonly defaultLimits?: RateLimitingSettings | undefined
  readonly callerLimits: CallerLimits
  readonly egress: Egress
  readonly now: () => number
  readonly writeRecord: WriteRecord
  readonly version: string
  readonly imports: WeakMap<WorkspaceDocument, ImportedDocument>
  readonly warn: (message: string) => void
}

/** What was read from a document. A change of settings opens the workspace again, and then nothing is read twice. */
export interface ImportedDocument {
  readonly baseUrl: string | undefined
  readonly imported: ImportedTools
}

const NOTHING_IMPORTED: ImportedTools = { title: '', tools: [], setAside: [] }

/**
 * Compiles a workspace: each room takes its part of the settings. Waits for nobody else's server: an identity provider that
 * does not answer would hold up everything that is opened after this.
 *
 * @throws GatewayError `config_invalid`, `document_invalid`: the workspace cannot be served like this.
 */
export async function openWorkspace(workspace: Workspace, options: OpenOptions): Promise<OpenWorkspace> {
  const { document, upstream, params, reach, slug, id, name } = workspace
  const imported = document === undefined ? NOTHING_IMPORTED : await importOnce(document, upstream.baseUrl, options)
  const catalog = await createCatalog(imported, workspace.tools)
  const misnamed = document === undefined ? [] : misnamedTools(workspace, catalog, imported.tools)
  for (const problem of misnamed) options.warn(`Workspace ${slug}: ${problem}`)
  const { mcp } = workspace
  const limits = workspace.rateLimiting ?? options.defaultLimits
  const rules = compileToolRules(workspace, catalog)
  const identity = createIdentity(workspace.inbound ?? options.defaultAuth, {
    ...options.identity,
    reach,
    allowsAnonymous: rules.admitsAnonymous,
    target: { path: workspacePath(workspace), accountId: workspace.accountId },
  })
  if (identity.isOpenToAll) refuseScopes(rules)
  warnOfAnyAudience(workspace, options)
  const world = {
    egress: options.egress,
    reach,
    now: options.now,
    writeRecord: options.writeRecord,
    workspace: { id, slug },
  }
  const credentials = createCredentials(upstream, params, world, requirementsOf(imported.tools))
  if (document !== undefined) {
    for (const problem of unmetSecurity(catalog, credentials)) options.warn(`Workspace ${slug}: ${problem}`)
  }
  return {
    workspace,
    path: workspacePath(workspace),
    identity,
    imported,
    catalog,
    misnamed,
    credentials,
    rules,
    checkLimits: limits === undefined ? undefined : options.callerLimits.of(id, limits),
    mcpServer: mcp === undefined ? undefined : parseMcpServer(mcp.url),
    apiServer: apiServers(),
    server: { name: slug, title: name, version: options.version },
    started: started(identity, workspace, options),
  }
}

async function started(identity: Identity, { slug }: Workspace, { warn }: OpenOptions): Promise<void> {
  for (const problem of await identity.start()) warn(`Workspace ${slug}: ${problem}`)
}

function compileToolRules({ access, mcp }: Workspace, { enabled }: Catalog): ToolRules {
  if (mcp !== undefined) return compileAccess(access, { kind: 'server', offered: mcp.tools })
  return compileAccess(access, { kind: 'document', tools: [...enabled.values()].map(({ tool }) => tool) })
}

/** Whoever asks nobody knows nobody's scopes: the tools would be open to all, and that was not meant. */
function refuseScopes({ scopesOf }: ToolRules): void {
  if (scopesOf === undefined) return
  throw new GatewayError(
    'config_invalid',
    'access: with authType none nobody has scopes. Leave out toolScopes and adminTools, or ask for a token.',
  )
}

function misnamedTools({ access }: Workspace, catalog: Catalog, tools: readonly Tool[]): readonly string[] {
  const unknown = unknownNames(access, tools)
  return [
    ...(catalog.unknownNames.length === 0 ? [] : [`there is no tool ${catalog.unknownNames.join(', ')}.`]),
    ...(unknown.length === 0 ? [] : [`access names ${unknown.slice(0, 10).join(', ')}, and there is no such tool.`]),
  ]
}

/** FEATURES A16: it works, and nobody shall have it without knowing. */
function warnOfAnyAudience({ slug, inbound }: Workspace, { defaultAuth, warn }: OpenOptions): void {
  const { jwt, userinfo } = inbound ?? defaultAuth
  if (jwt.some(({ allowAnyAudience }) => allowAnyAudience)) {
    warn(`Workspace ${slug} accepts any audience: every token of its issuer opens it.`)
  }
  if (userinfo === undefined) return
  warn(
    `Workspace ${slug} asks ${userinfo.issuer} whose a token is, and cannot know for whom it was issued: tokens that people gave to other services open it too. MCP forbids that.`,
  )
}

async function importOnce(
  document: WorkspaceDocument,
  baseUrl: string | undefined,
  { imports }: OpenOptions,
): Promise<ImportedTools> {
  const known = imports.get(document)
  if (known !== undefined && known.baseUrl === baseUrl) return known.imported
  const imported = await importDocument(document.text, { documentUrl: document.url, baseUrl })
  imports.set(document, { baseUrl, imported })
  return imported
}

/** Few servers, many calls: each URL is parsed once. */
function apiServers(): (tool: Tool) => ApiServer {
  const parsed = new Map<string, ApiServer>()
  return ({ operation: { server } }) => {
    if (server === undefined) {
      throw new GatewayError(
        'config_invalid',
        'The API description names no server: set the base URL of the workspace.',
      )
    }
    const known = parsed.get(server) ?? parseServer(server)
    parsed.set(server, known)
    return known
  }
}

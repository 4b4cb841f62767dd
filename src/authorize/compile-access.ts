import { GatewayError } from '../errors.ts'
import type { Tool } from '../tools/tool.ts'
import type { AccessSettings, ToolScopeSettings } from '../workspaces/access-settings.ts'
import { compileRules } from './rules.ts'
import { foldedName, isOfNamespace } from './tool-names.ts'
import type { ToolRules } from './tool-rules.ts'

/** Where the tools come from: a document, or a server that is passed through, of which only names will be known. */
export type ToolSource =
  | { readonly kind: 'document'; readonly tools: readonly Tool[] }
  | { readonly kind: 'server'; readonly offered: readonly string[] | undefined }

/**
 * Compiles who may call which tool. What closes beats what opens: a tool with scopes, for administrators or in
 * `denyPublicTools` is never public, whatever its spelling.
 *
 * @throws GatewayError `config_invalid`: a rule that is none, or settings that this source cannot have.
 */
export function compileAccess(access: AccessSettings, source: ToolSource): ToolRules {
  if (source.kind === 'server') refuseMarks(access)
  const scopes = scopesByName(access)
  const admins = new Set(access.adminTools.map(foldedName))
  const closed = new Set([...scopes.keys(), ...access.denyPublicTools.map(foldedName)])
  const opened = openedBy(access, source)
  const annotations = source.kind === 'document' ? annotationsByName(source.tools) : undefined
  const hasPublic = opened.size > 0
  return {
    offered: source.kind === 'server' && source.offered !== undefined ? new Set(source.offered) : undefined,
    admitsAnonymous: hasPublic || !access.requireAuthForToolsList || !access.requireAuthForToolsCall,
    opensList: hasPublic || !access.requireAuthForToolsList,
    showsAllToAnonymous: !access.requireAuthForToolsList,
    isPublic(tool) {
      if (access.requireAuthForToolsCall && !opened.has(tool)) return false
      if (closed.size > 0 && closed.has(foldedName(tool))) return false
      return access.namespaceWhitelist.length === 0 || isOfNamespace(tool, access.namespaceWhitelist)
    },
    scopesOf: scopes.size === 0 ? undefined : (tool) => scopes.get(foldedName(tool)),
    isForAdmins: (tool) => admins.size > 0 && admins.has(foldedName(tool)),
    rules: compileRules(access.rules, annotations && ((tool) => annotations.get(tool))),
  }
}

/** Names in the settings that no tool has: a misspelling, or an operation that is gone. What they should close stays open. */
export function unknownNames(access: AccessSettings, tools: readonly Tool[]): readonly string[] {
  const known = new Set(tools.map(({ name }) => foldedName(name)))
  const { publicTools, denyPublicTools, adminTools, toolScopes } = access
  const named = [...(publicTools === 'default' ? [] : publicTools), ...denyPublicTools, ...adminTools]
  return [...new Set([...named, ...Object.keys(toolScopes)])].filter((name) => !known.has(foldedName(name)))
}

function scopesByName({ toolScopes, adminTools, adminScope }: AccessSettings): Map<string, ToolScopeSettings> {
  const scopes = new Map<string, ToolScopeSettings>()
  const add = (name: string, { allOf, anyOf }: ToolScopeSettings) => {
    const folded = foldedName(name)
    const before = scopes.get(folded)
    if (before !== undefined && before.anyOf.length > 0 && anyOf.length > 0) {
      throw new GatewayError('config_invalid', `access.toolScopes: ${name} is there twice, in two spellings.`)
    }
    scopes.set(folded, { allOf: [...(before?.allOf ?? []), ...allOf], anyOf: [...(before?.anyOf ?? []), ...anyOf] })
  }
  for (const [name, wanted] of Object.entries(toolScopes)) add(name, wanted)
  for (const name of adminTools) add(name, { allOf: [adminScope], anyOf: [] })
  return scopes
}

/** The tools that are named, marked or tagged as public. */
function openedBy({ publicTools, publicCategories }: AccessSettings, source: ToolSource): ReadonlySet<string> {
  const named = publicTools === 'default' ? [] : publicTools
  const tools = source.kind === 'document' ? source.tools : []
  const categories = new Set(publicCategories)
  const marked = tools.filter(
    ({ isMarkedPublic, categories: own = [] }) =>
      (publicTools === 'default' && isMarkedPublic === true) || own.some((category) => categories.has(category)),
  )
  return new Set([...named, ...marked.map(({ name }) => name)])
}

function annotationsByName(tools: readonly Tool[]): ReadonlyMap<string, object> {
  return new Map(tools.map(({ name, annotations }) => [name, annotations]))
}

function refuseMarks({ publicTools, publicCategories }: AccessSettings): void {
  if (publicTools !== 'default' && publicCategories.length === 0) return
  throw new GatewayError(
    'config_invalid',
    'access: an MCP server marks no tools as public and has no categories. List them in publicTools.',
  )
}

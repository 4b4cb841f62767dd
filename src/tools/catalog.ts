import { GatewayError } from '../errors.ts'
import type { ToolsSettings } from '../workspaces/settings.ts'
import { type CheckedArguments, compileArguments } from './arguments.ts'
import { inSlices } from './in-slices.ts'
import type { Arguments } from './path-template.ts'
import { compileRequest, type UpstreamRequest } from './request.ts'
import type { ImportedTools, SetAside, Tool } from './tool.ts'
import { ToolLists } from './tool-lists.ts'

/** The longest list of tools that is made, in characters: a client reads it whole, and it is kept in memory. */
export const listLengthMax = 50_000_000

/** A tool that is switched on, ready to be called. */
export interface CallableTool {
  readonly tool: Tool
  /** Checks the arguments; compiled at the first call. Throws `document_invalid` when the schema cannot be. */
  check(args: unknown): CheckedArguments
  /** Makes the request from arguments that passed `check`. Throws `unsafe_value`. */
  request(args: Arguments): UpstreamRequest
}

/** The tools of one workspace, made once when the document or the settings change. */
export interface Catalog {
  readonly all: readonly { readonly tool: Tool; readonly enabled: boolean }[]
  /** By name. What is not in here cannot be called (T20). */
  readonly enabled: ReadonlyMap<string, CallableTool>
  readonly setAside: readonly SetAside[]
  /** The enabled tools as the JSON array of an MCP `tools/list` result. */
  readonly listJson: string
  /** The same with those that may be seen, by name. */
  listOf(isVisible: (name: string) => boolean): string
  /** Names in the settings that no tool has: an operation that a new import no longer brings, or a misspelling. */
  readonly unknownNames: readonly string[]
}

/**
 * Makes the catalog of a workspace. What is on is decided by name, so it survives a new import; `reads` means tools that
 * only read, by their HTTP method. A long list is made in slices, so that calls are served meanwhile. Throws `document_invalid` when the list would be too long: a small document whose
 * operations share one large schema unfolds to gigabytes (THREATS.md, T15).
 */
export async function createCatalog(imported: ImportedTools, settings: ToolsSettings): Promise<Catalog> {
  const isEnabled = enabledBy(settings)
  const all = imported.tools.map((tool) => ({ tool, enabled: isEnabled(tool) }))
  const on = all.filter(({ enabled }) => enabled).map(({ tool }) => tool)
  const names = new Set(imported.tools.map((tool) => tool.name))
  const items = await listItems(on)
  const listJson = `[${items.join(',')}]`
  const listed = on.map(({ name }, index) => ({ name, length: items[index]?.length ?? 0 }))
  const lists = new ToolLists(listed, listJson)
  return {
    all,
    enabled: new Map(on.map((tool) => [tool.name, callable(tool)])),
    setAside: imported.setAside,
    listJson,
    listOf: (isVisible) => lists.of(isVisible),
    unknownNames: typeof settings === 'string' ? [] : [...new Set(settings)].filter((name) => !names.has(name)),
  }
}

function enabledBy(settings: ToolsSettings): (tool: Tool) => boolean {
  if (settings === 'all') return () => true
  if (settings === 'reads') return ({ operation: { method } }) => method === 'GET' || method === 'HEAD'
  const names = new Set(settings)
  return (tool) => names.has(tool.name)
}

function callable(tool: Tool): CallableTool {
  let check: ReturnType<typeof compileArguments> | undefined
  let request: ReturnType<typeof compileRequest> | undefined
  return {
    tool,
    check(args) {
      check ??= compiled(tool)
      return check(args)
    },
    request(args) {
      request ??= compileRequest(tool)
      return request(args)
    },
  }
}

/** What cannot be compiled is not tried again at every call: it may take seconds to fail. */
function compiled(tool: Tool): ReturnType<typeof compileArguments> {
  try {
    return compileArguments(tool)
  } catch (error) {
    return () => {
      throw error
    }
  }
}

async function listItems(tools: readonly Tool[]): Promise<readonly string[]> {
  const items: string[] = []
  let length = 2
  await inSlices(tools, (tool) => {
    const item = listed(tool)
    length += item.length + 1
    if (length > listLengthMax) {
      throw new GatewayError(
        'document_invalid',
        `The list of the ${tools.length} tools that are on would have more than ${listLengthMax} bytes. Switch on fewer, by name.`,
      )
    }
    items.push(item)
  })
  return items
}

function listed({ name, description, inputSchema, annotations }: Tool): string {
  const title = annotations.title === undefined ? {} : { title: annotations.title }
  return JSON.stringify({ name, ...title, description, inputSchema, annotations })
}

import type { ToolsSettings } from '../workspaces/settings.ts'
import { type CheckedArguments, compileArguments } from './arguments.ts'
import type { Arguments } from './path-template.ts'
import { compileRequest, type UpstreamRequest } from './request.ts'
import type { ImportedTools, SetAside, Tool } from './tool.ts'

/** A tool that is switched on, ready to be called. */
export interface CallableTool {
  readonly tool: Tool
  /** Checks the arguments; compiled at the first call, so that call may throw `document_invalid`. */
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
  /** Names in the settings that no tool has: an operation that a new import no longer brings, or a misspelling. */
  readonly unknownNames: readonly string[]
}

/**
 * Makes the catalog of a workspace. What is on is decided by name, so it survives a new import; `reads` means tools that
 * only read, by their HTTP method.
 */
export function createCatalog(imported: ImportedTools, settings: ToolsSettings): Catalog {
  const isEnabled = enabledBy(settings)
  const all = imported.tools.map((tool) => ({ tool, enabled: isEnabled(tool) }))
  const on = all.filter(({ enabled }) => enabled).map(({ tool }) => tool)
  const names = new Set(imported.tools.map((tool) => tool.name))
  return {
    all,
    enabled: new Map(on.map((tool) => [tool.name, callable(tool)])),
    setAside: imported.setAside,
    listJson: `[${on.map(listed).join(',')}]`,
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
      check ??= compileArguments(tool)
      return check(args)
    },
    request(args) {
      request ??= compileRequest(tool)
      return request(args)
    },
  }
}

function listed({ name, description, inputSchema, annotations }: Tool): string {
  const title = annotations.title === undefined ? {} : { title: annotations.title }
  return JSON.stringify({ name, ...title, description, inputSchema, annotations })
}

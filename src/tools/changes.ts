import { isObject } from './json.ts'
import type { ImportedTools, Tool } from './tool.ts'

/** What of a tool may differ between two imports. `request`: how its arguments are sent; `security`: what credential it wants; `permissions`: what can make it public. */
export type ToolAspect =
  | 'description'
  | 'arguments'
  | 'annotations'
  | 'method'
  | 'path'
  | 'server'
  | 'request'
  | 'security'
  | 'permissions'

/** The difference between two imports, by tool name in alphabetical order. A rename is one removed and one added. */
export interface ToolChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly { readonly name: string; readonly aspects: readonly ToolAspect[] }[]
}

/** Compares two imports, for a person to see before the new one is taken (T25). The order of keys is no difference. */
export function compareImports(before: ImportedTools, after: ImportedTools): ToolChanges {
  const old = new Map(before.tools.map((tool) => [tool.name, tool]))
  const now = new Map(after.tools.map((tool) => [tool.name, tool]))
  const changed = [...now].flatMap(([name, tool]) => {
    const previous = old.get(name)
    const aspects = previous ? differences(previous, tool) : []
    return aspects.length > 0 ? [{ name, aspects }] : []
  })
  return {
    added: [...now.keys()].filter((name) => !old.has(name)).sort(),
    removed: [...old.keys()].filter((name) => !now.has(name)).sort(),
    changed: changed.sort((left, right) => (left.name < right.name ? -1 : 1)),
  }
}

function differences(before: Tool, after: Tool): readonly ToolAspect[] {
  const old = aspectsOf(before)
  const now = aspectsOf(after)
  const aspects = [
    'description',
    'arguments',
    'annotations',
    'method',
    'path',
    'server',
    'request',
    'security',
    'permissions',
  ] as const
  return aspects.filter((aspect) => canonical(old[aspect]) !== canonical(now[aspect]))
}

function aspectsOf(tool: Tool): { readonly [aspect in ToolAspect]: unknown } {
  const { method, path, server, parameters, body, security } = tool.operation
  const { description, inputSchema, annotations, categories, isMarkedPublic } = tool
  const request = { parameters, body }
  const permissions = { categories, isMarkedPublic }
  return { description, arguments: inputSchema, annotations, method, path, server, request, security, permissions }
}

/** JSON with its keys in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const names = Object.keys(value).filter((name) => value[name] !== undefined)
  return `{${names
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(',')}}`
}

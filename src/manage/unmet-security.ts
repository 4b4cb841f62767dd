import type { Credentials } from '../credentials/credentials.ts'
import type { Catalog } from '../tools/catalog.ts'
import { cleanText } from '../tools/text.ts'

const LINES_MAX = 20
const NAMES_SHOWN = 5

/**
 * What the person who set the workspace up should know of its credentials: tools that are on and whose calls are all refused,
 * by the reason for it, and credentials that no operation asks for. At most 20 lines, without secrets.
 */
export function unmetSecurity(catalog: Catalog, credentials: Credentials): readonly string[] {
  const byProblem = new Map<string, string[]>()
  for (const { tool } of catalog.enabled.values()) {
    const { problem } = credentials.of(tool.operation.security)
    if (problem === undefined) continue
    const names = byProblem.get(problem) ?? []
    names.push(tool.name)
    byProblem.set(problem, names)
  }
  const refused = [...byProblem].map(([problem, names]) => `${tools(names)} cannot be called. ${problem}`)
  const unknown = credentials.unknownNames.map((name) => {
    return `no operation of the API description names the security scheme ${cleanText(name, 80)} of upstream.security.`
  })
  return [...refused, ...unknown].slice(0, LINES_MAX)
}

function tools(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  if (more > 0) return `the tools ${shown} and ${more} more`
  return names.length === 1 ? `the tool ${shown}` : `the tools ${shown}`
}

import { deserialize, serialize } from 'node:v8'
import { inSlices } from './in-slices.ts'
import type { ImportedTools, SecurityRequirement, Tool } from './tool.ts'

/** Of a hostile document twenty tools are some 300 KB, and take 15 ms to unpack. */
const TOOLS_A_PART = 20

/**
 * What was read from a document, on its way from one thread to another. A message of it as it is would be built up at once
 * where it arrives, and nobody is answered meanwhile: of one hostile document (T15) for over a second.
 */
export interface PackedTools extends Omit<ImportedTools, 'tools'> {
  /** A few tools each, as `node:v8` serialises them. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[]
}

export function packTools({ tools, ...rest }: ImportedTools): PackedTools {
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let start = 0; start < tools.length; start += TOOLS_A_PART) {
    // A copy of its exact size: what `serialize` gives may have room to grow.
    parts.push(new Uint8Array(serialize(tools.slice(start, start + TOOLS_A_PART))))
  }
  return { ...rest, parts }
}

/** Lets others go first after every few parts. */
export async function unpackTools({ parts, ...rest }: PackedTools): Promise<ImportedTools> {
  const tools: Tool[] = []
  const requirements = new Map<string, SecurityRequirement>()
  await inSlices(parts, (part) => {
    const unpacked: readonly Tool[] = deserialize(part)
    for (const tool of unpacked) tools.push(withSharedRequirement(tool, requirements))
  })
  return { ...rest, tools }
}

/** Equal requirements are one object again (`SecurityRequirement`): each part has brought its own. */
function withSharedRequirement(tool: Tool, known: Map<string, SecurityRequirement>): Tool {
  const { security } = tool.operation
  if (security === undefined) return tool
  const key = JSON.stringify(security)
  const shared = known.get(key) ?? security
  known.set(key, shared)
  return shared === security ? tool : { ...tool, operation: { ...tool.operation, security: shared } }
}

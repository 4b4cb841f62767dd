import { isRecord } from './json-rpc.ts'

/** Whether the caller may see the tool of this name. */
export type IsVisible = (tool: string) => boolean

/**
 * The message without the tools that the caller may not see; the same text when it holds none of those. Looks at every
 * message with a list of tools, not only at the answer of the moment: a stream may repeat an earlier one. Numbers stay as
 * they were written.
 *
 * Undefined when the text is no JSON: what cannot be read cannot be filtered.
 */
export function filterTools(text: string, isVisible: IsVisible): string | undefined {
  const value = parse(text)
  if (value === undefined) return undefined
  if ([value].flat().every((message) => hiddenTools(message, isVisible) === 0)) return text
  const exact: unknown = JSON.parse(text, keepNumber)
  return JSON.stringify(Array.isArray(exact) ? exact.map((one) => shorten(one, isVisible)) : shorten(exact, isVisible))
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch {
    // Not JSON is one of the two answers, and no JSON is undefined.
    return undefined
  }
}

function toolsOf(message: unknown): readonly unknown[] {
  if (!isRecord(message) || !isRecord(message['result'])) return []
  const { tools } = message['result']
  return Array.isArray(tools) ? tools : []
}

/** A tool without a name cannot be called, so it is none that the caller may call. */
function isShown(tool: unknown, isVisible: IsVisible): boolean {
  return isRecord(tool) && typeof tool['name'] === 'string' && isVisible(tool['name'])
}

function hiddenTools(message: unknown, isVisible: IsVisible): number {
  return toolsOf(message).filter((tool) => !isShown(tool, isVisible)).length
}

function shorten(message: unknown, isVisible: IsVisible): unknown {
  if (hiddenTools(message, isVisible) === 0 || !isRecord(message) || !isRecord(message['result'])) return message
  const tools = toolsOf(message).filter((tool) => isShown(tool, isVisible))
  return { ...message, result: { ...message['result'], tools } }
}

/** A number that JavaScript would write in another way, or round: a schema's bounds of 64 bits. */
function keepNumber(_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  return typeof value === 'number' && source !== undefined && source !== String(value) ? JSON.rawJSON(source) : value
}

declare global {
  interface JSON {
    /** A number or text that `stringify` writes as it stands (ECMA-262, "JSON.rawJSON"). */
    rawJSON(text: string): unknown
  }
}

import { isRecord } from './json-rpc.ts'

/** Whether the caller may see the tool of this name. */
export type IsVisible = (tool: string) => boolean

/**
 * The message without the tools that the caller may not see; the same text when it holds none of those. Looks at every
 * message with a list of tools, not only at the answer of the moment: a stream may repeat an earlier one.
 *
 * Undefined when the text is no JSON: what cannot be read cannot be filtered.
 */
export function filterTools(text: string, isVisible: IsVisible): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Not JSON is one of the two answers.
    return undefined
  }
  const filtered = Array.isArray(value) ? value.map((one) => filterOne(one, isVisible)) : filterOne(value, isVisible)
  const isSame = Array.isArray(filtered) ? filtered.every((one, index) => one === at(value, index)) : filtered === value
  return isSame ? text : JSON.stringify(filtered)
}

function filterOne(message: unknown, isVisible: IsVisible): unknown {
  if (!isRecord(message) || !isRecord(message['result'])) return message
  const { tools } = message['result']
  if (!Array.isArray(tools)) return message
  // A tool without a name cannot be called, so it is none that the caller may call.
  const visible = tools.filter((tool) => isRecord(tool) && typeof tool['name'] === 'string' && isVisible(tool['name']))
  return visible.length === tools.length ? message : { ...message, result: { ...message['result'], tools: visible } }
}

function at(value: unknown, index: number): unknown {
  return Array.isArray(value) ? value[index] : undefined
}

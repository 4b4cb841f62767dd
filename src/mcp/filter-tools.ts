import { isRecord } from './json-rpc.ts'

/** What one caller is shown of a server's answers. */
export interface View {
  /** Whether he may see the tool of this name. */
  readonly isVisible: (tool: string) => boolean
  /** Nothing but tools is for him, so the server's hello promises nothing else: clients ask at once for what it promises. */
  readonly isToolsOnly: boolean
}

/**
 * The message without the tools that the caller may not see, and without capabilities that are not for him; the same text when
 * it holds none of those. Looks at every message, not only at the answer of the moment: a stream may repeat an earlier one.
 * Numbers stay as they were written.
 *
 * Undefined when the text is no JSON: what cannot be read cannot be filtered.
 */
export function filterTools(text: string, view: View): string | undefined {
  const value = parse(text)
  if (value === undefined) return undefined
  if (![value].flat().some((message) => hidesFrom(message, view))) return text
  const exact: unknown = JSON.parse(text, keepNumber)
  return JSON.stringify(Array.isArray(exact) ? exact.map((one) => shorten(one, view)) : shorten(exact, view))
}

function hidesFrom(message: unknown, view: View): boolean {
  return hiddenTools(message, view) > 0 || (view.isToolsOnly && otherCapabilities(message).length > 0)
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
function isShown(tool: unknown, { isVisible }: View): boolean {
  return isRecord(tool) && typeof tool['name'] === 'string' && isVisible(tool['name'])
}

function hiddenTools(message: unknown, view: View): number {
  return toolsOf(message).filter((tool) => !isShown(tool, view)).length
}

/** Of the answer to `initialize` and `server/discover`; of any other there are none. */
function capabilitiesOf(message: unknown): Record<string, unknown> {
  const capabilities = isRecord(message) && isRecord(message['result']) ? message['result']['capabilities'] : undefined
  return isRecord(capabilities) ? capabilities : {}
}

function otherCapabilities(message: unknown): readonly string[] {
  return Object.keys(capabilitiesOf(message)).filter((name) => name !== 'tools')
}

function shorten(message: unknown, view: View): unknown {
  if (!hidesFrom(message, view) || !isRecord(message) || !isRecord(message['result'])) return message
  const result = { ...message['result'] }
  if (hiddenTools(message, view) > 0) result['tools'] = toolsOf(message).filter((tool) => isShown(tool, view))
  if (view.isToolsOnly && otherCapabilities(message).length > 0) {
    const { tools } = capabilitiesOf(message)
    result['capabilities'] = tools === undefined ? {} : { tools }
  }
  return { ...message, result }
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

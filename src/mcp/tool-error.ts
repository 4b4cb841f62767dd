import { isRecord } from './json-rpc.ts'

/** Whether the text is the result of a tool that failed. Most are not, and are not parsed to find out. */
export function isToolError(text: string): boolean {
  if (!text.includes('"isError"')) return false
  try {
    const message: unknown = JSON.parse(text)
    return isRecord(message) && isRecord(message['result']) && message['result']['isError'] === true
  } catch {
    // It is passed on as it came; for the record it is no failure of a tool.
    return false
  }
}

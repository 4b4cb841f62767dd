import type { RecordLine } from './record.ts'

/** Control characters, line separators and marks that turn the direction of text: a name must not forge or hide a line. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g
/** The same without those that JSON itself always escapes. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g
const NEEDS_QUOTES = /[\s"=]/

/** One message as a line to read: `22:10:03.120 warn   the message  key=value`. */
export function messageText(
  level: string,
  message: string,
  entry: { readonly at: number; readonly fields: Readonly<Record<string, unknown>> },
): string {
  let text = `${timeText(entry.at)} ${level.padEnd(7)}${printable(message)}`
  for (const [name, value] of Object.entries(entry.fields)) {
    if (value !== undefined) text += `  ${name}=${word(String(value))}`
  }
  return `${text}\n`
}

/** One record as a line to read: `22:10:03.120 call   listItems  ok 200  12 ms  admin@issuer shop  req=…`. The time is that of its end. */
export function recordText(line: RecordLine): string {
  const isCall = line.kind === 'request' && line.tool !== undefined
  const what = isCall ? line.tool : line.method
  let text = `${timeText(line.at + line.durationMs)} ${(isCall ? 'call' : line.kind).padEnd(8)}${word(what ?? '-')}`
  text += `  ${line.outcome}`
  if (line.status !== undefined) text += ` ${line.status}`
  text += `  ${Math.round(line.durationMs)} ms`
  if (line.upstreamStatus !== undefined) text += `  upstream ${line.upstreamStatus}`
  if (line.subject !== undefined) text += `  ${word(line.issuer ? `${line.subject}@${line.issuer}` : line.subject)}`
  if (line.workspace !== undefined) text += `  ${word(line.workspace)}`
  text += `  req=${word(line.requestId)}`
  if (line.code !== undefined) text += `  ${line.code}`
  if (line.detail !== undefined) text += `  ${JSON.stringify(printable(line.detail))}`
  return `${text}\n`
}

function timeText(at: number): string {
  const time = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  const milliseconds = String(time.getMilliseconds()).padStart(3, '0')
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${milliseconds}`
}

function word(text: string): string {
  const clean = printable(text)
  return clean === '' || NEEDS_QUOTES.test(clean) ? JSON.stringify(clean) : clean
}

/** The text as one line that steers no terminal and hides nothing: what would do so is shown as `?` (THREATS.md, T16). */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?')
}

/** JSON that says the same and steers no terminal either: such characters stand there as escapes. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

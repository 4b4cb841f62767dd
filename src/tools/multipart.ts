import { sha256 } from '../crypto/hash.ts'
import type { BodyContent } from './body-content.ts'
import { formatOf } from './content-type.ts'
import { ruleFor } from './field-rules.ts'
import { isObject, type JsonObject } from './json.ts'
import { bytesOf, jsonText, plainText, unsafe } from './serialize.ts'
import type { FieldRule, OperationBody } from './tool.ts'

/**
 * Writes a `multipart/form-data` body (RFC 7578). A list makes one part for each of its items, null none; a file, given in
 * base64, is called like its field.
 *
 * Pure: the boundary is a hash of all the parts, which no part can contain, since it would have to contain its own hash.
 */
export function writeMultipart(value: JsonObject, { shape, fieldRules }: OperationBody): BodyContent {
  const parts = Object.entries(value).flatMap(([name, field]) => {
    const argument = shape.kind === 'whole' ? shape.argument : name
    return fieldParts(name, field, { argument, rule: ruleFor(fieldRules, name) })
  })
  const boundary = `gatehouse-${sha256(parts.map((part) => part.toString('latin1')).join('\0'))}`
  const lines = parts.flatMap((part) => [Buffer.from(`--${boundary}\r\n`), part, Buffer.from('\r\n')])
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...lines, Buffer.from(`--${boundary}--\r\n`)]),
  }
}

const separators: { readonly [style: string]: string } = { spaceDelimited: ' ', pipeDelimited: '|' }

interface Field {
  readonly argument: string
  readonly rule: FieldRule
}

function fieldParts(name: string, value: unknown, { argument, rule }: Field): readonly Buffer[] {
  if (!name.isWellFormed()) throw unsafe(argument, 'has a broken character in it')
  const isJson = rule.contentType !== undefined && formatOf(rule.contentType) === 'json' && rule.isFile !== true
  if (Array.isArray(value) && rule.explode === false && rule.isFile !== true) {
    const text = value.map((item) => plainText(item, argument)).join(separators[rule.style ?? 'form'] ?? ',')
    return [part(name, text, { argument, rule })]
  }
  const values = Array.isArray(value) && !isJson ? value : [value]
  return values.filter((one) => one !== null && one !== undefined).map((one) => part(name, one, { argument, rule }))
}

function part(name: string, value: unknown, { argument, rule }: Field): Buffer {
  const quoted = `"${quotedName(name)}"`
  if (rule.isFile === true) {
    const head = `Content-Disposition: form-data; name=${quoted}; filename=${quoted}\r\nContent-Type: ${rule.contentType ?? 'application/octet-stream'}\r\n\r\n`
    return Buffer.concat([Buffer.from(head), bytesOf(value, argument)])
  }
  const isStructured = isObject(value) || Array.isArray(value)
  const contentType = rule.contentType ?? (isStructured ? 'application/json' : undefined)
  const isJson = contentType !== undefined && formatOf(contentType) === 'json'
  const typeLine = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`
  const text = isJson ? jsonText(value, argument) : plainText(value, argument)
  return Buffer.from(`Content-Disposition: form-data; name=${quoted}\r\n${typeLine}\r\n${text}`)
}

/** What browsers do to a name (HTML, "multipart form data"): a quote or a line end would begin something else. */
function quotedName(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('\0', '%00')
}

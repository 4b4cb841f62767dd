import { formatOf } from './content-type.ts'
import { ruleFor } from './field-rules.ts'
import { isObject, member } from './json.ts'
import { writeMultipart } from './multipart.ts'
import { bareName } from './names.ts'
import type { Arguments } from './path-template.ts'
import { bytesOf, jsonText, plainText, queryPairs, unsafe } from './serialize.ts'
import type { FieldRule, OperationBody } from './tool.ts'

/** A body as it is sent. */
export interface BodyContent {
  readonly contentType: string
  readonly body: string | Uint8Array
}

/** The body that the arguments make; undefined when an optional one was not given. Throws `unsafe_value`. */
export function writeBody(body: OperationBody, args: Arguments): BodyContent | undefined {
  if (body.shape.kind === 'whole') {
    const { argument } = body.shape
    if (!Object.hasOwn(args, argument)) return undefined
    return contentOf(body, args[argument], argument)
  }
  const fields = body.shape.arguments.filter((argument) => Object.hasOwn(args, argument))
  if (fields.length === 0 && !body.required) return undefined
  return contentOf(body, Object.fromEntries(fields.map((field) => [field, args[field]])), fields[0] ?? 'body')
}

function contentOf(body: OperationBody, value: unknown, argument: string): BodyContent {
  const { contentType } = body
  switch (formatOf(contentType)) {
    case 'form':
      return { contentType, body: formOf(value, body) }
    case 'multipart':
      if (!isObject(value)) throw unsafe(argument, 'must be an object')
      return writeMultipart(value, body)
    case 'text':
      return { contentType, body: plainText(value, argument) }
    case 'bytes':
      return { contentType, body: bytesOf(value, argument) }
    default:
      return { contentType, body: jsonText(value, argument) }
  }
}

/** Without a rule objects are written with brackets: authors seldom say what they read, and that is what they mostly do. */
function formOf(value: unknown, { shape, fieldRules }: OperationBody): string {
  const given = Object.keys(isObject(value) ? value : {})
  const known = shape.kind === 'fields' ? shape.arguments : Object.keys(fieldRules ?? {})
  const taken = new Set([...given, ...known].map(bareName))
  const pairs = given.flatMap((name) => {
    const field = member(value, name)
    const rule = ruleFor(fieldRules, name)
    const argument = shape.kind === 'whole' ? shape.argument : name
    const style = rule.style ?? (isObject(field) ? 'deepObject' : 'form')
    const explode = rule.explode ?? (style === 'form' || style === 'deepObject')
    const written = isWrittenAsJson(field, rule) ? jsonText(field, argument) : field
    return queryPairs(written, { name, argument, style, explode, allowReserved: rule.allowReserved ?? false }, taken)
  })
  return pairs.join('&')
}

function isWrittenAsJson(field: unknown, { style, contentType }: FieldRule): boolean {
  const isStructured = typeof field === 'object' && field !== null
  return isStructured && style === undefined && contentType !== undefined && formatOf(contentType) === 'json'
}

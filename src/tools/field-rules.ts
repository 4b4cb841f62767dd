import { type BodyFormat, formatOf, isConcrete, mediaType } from './content-type.ts'
import { elements, isObject, type JsonObject, member, textMember } from './json.ts'
import type { References } from './references.ts'
import { cleanText } from './text.ts'
import type { FieldRule } from './tool.ts'

const fieldsMax = 500
const depthMax = 8
const styles = ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject']

/** Rules by the name of the field; a field without one is written in the usual way. */
export type FieldRules = { readonly [field: string]: FieldRule }

interface Context {
  readonly format: BodyFormat
  readonly references: References
}

/**
 * How the fields of a form are written: what `encoding` says of them (OpenAPI 3.1 §4.8.15), and which are files. Empty for
 * what is no form. Fields behind `allOf` and the like are seen too.
 */
export function readFieldRules(schema: unknown, encoding: unknown, { format, references }: Context): FieldRules {
  if (format !== 'form' && format !== 'multipart') return {}
  const properties = new Map<string, unknown>()
  gather(schema, properties, { references, depth: 0 })
  for (const name of isObject(encoding) ? Object.keys(encoding) : []) {
    if (!properties.has(name) && properties.size < fieldsMax) properties.set(name, undefined)
  }
  const rules = [...properties].flatMap(([name, property]) => {
    const rule = ruleOf(property, member(encoding, name), { format, references })
    return Object.keys(rule).length > 0 ? [[name, rule] as const] : []
  })
  return Object.fromEntries(rules)
}

function gather(
  raw: unknown,
  properties: Map<string, unknown>,
  { references, depth }: { readonly references: References; readonly depth: number },
): void {
  const followed = references.follow(raw)
  if (!followed.ok || !isObject(followed.value) || depth > depthMax) return
  const own = member(followed.value, 'properties')
  for (const [name, property] of isObject(own) ? Object.entries(own) : []) {
    if (properties.size >= fieldsMax) return
    if (!properties.has(name)) properties.set(name, property)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    // A list of lists of lists ends here: the parts of the innermost are not asked for fields.
    for (const part of elements(member(followed.value, keyword)).slice(0, 20)) {
      if (properties.size < fieldsMax) gather(part, properties, { references, depth: depth + 4 })
    }
  }
}

function ruleOf(property: unknown, encoding: unknown, { format, references }: Context): FieldRule {
  const style = styles.find((one) => one === member(encoding, 'style'))
  const explode = member(encoding, 'explode')
  const contentType = mediaType((textMember(encoding, 'contentType') ?? '').split(',', 1)[0] ?? '')
  const isFile = format === 'multipart' && isFileSchema(property, contentType, references)
  return {
    ...(style === undefined ? {} : { style }),
    ...(typeof explode === 'boolean' ? { explode } : {}),
    ...(member(encoding, 'allowReserved') === true ? { allowReserved: true } : {}),
    ...(isConcrete(contentType) ? { contentType } : {}),
    ...(isFile ? { isFile } : {}),
  }
}

/** The rule of a field whose name may be a stranger's; empty for one without. */
export function ruleFor(rules: FieldRules | undefined, field: string): FieldRule {
  return (rules !== undefined && Object.hasOwn(rules, field) ? rules[field] : undefined) ?? {}
}

/** 3.0: `format: binary`. 3.1: a text of no text type without `contentEncoding`, or a schema that says nothing. */
function isFileSchema(raw: unknown, contentType: string, references: References): boolean {
  const schema = itemOf(raw, references)
  const type = member(schema, 'type')
  if (type === 'file' || (type === 'string' && /^(?:binary|file)$/.test(textMember(schema, 'format') ?? '')))
    return true
  if (member(schema, 'contentEncoding') !== undefined) return false
  const media = mediaType(textMember(schema, 'contentMediaType') ?? contentType)
  const isBare =
    type === undefined && !['properties', 'allOf', 'anyOf', 'oneOf'].some((key) => Object.hasOwn(schema, key))
  return (type === 'string' || isBare) && formatOf(media) === 'bytes'
}

/** The schema, or that of the items of a list. */
function itemOf(raw: unknown, references: References): JsonObject {
  const outer = references.follow(raw)
  const items = outer.ok ? member(outer.value, 'items') : undefined
  const inner = items === undefined ? outer : references.follow(items)
  return inner.ok && isObject(inner.value) ? inner.value : {}
}

/** The schema of an argument that is a file, or several. */
export function fileSchema(raw: unknown, references: References): JsonObject {
  const outer = references.follow(raw)
  const value = outer.ok ? outer.value : undefined
  const description = `${cleanText(member(value, 'description'), 900)} In base64.`.trim()
  const file = { type: 'string', contentEncoding: 'base64' }
  if (member(value, 'items') === undefined) return { ...file, description }
  const counts = ['minItems', 'maxItems'].flatMap((key) => {
    const count = member(value, key)
    return typeof count === 'number' ? [[key, count]] : []
  })
  return { type: 'array', items: file, description, ...Object.fromEntries(counts) }
}

import { elements, isObject, type JsonObject, member, texts } from './json.ts'
import { unicodePattern } from './pattern.ts'
import type { SchemaDraft } from './schema-draft.ts'
import { cleanText, isVisible } from './text.ts'

const types = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']
const counts = ['maxLength', 'minLength', 'maxItems', 'minItems', 'maxContains', 'minContains', 'maxProperties']
const descriptionLengthMax = 1000
const valueBytesMax = 20_000

/**
 * Copies the keywords of a schema that hold no schemas, each only if it is well formed: what reaches the compiler of
 * schemas is this closed list, and nothing that a document made up.
 */
export function copyPlainKeywords(raw: JsonObject, draft: SchemaDraft): void {
  copyTexts(raw, draft)
  copyType(raw, draft)
  copyValues(raw, draft)
  copyNumbers(raw, draft)
  if (member(raw, 'uniqueItems') === true) draft.put('uniqueItems', true)
  if (member(raw, 'deprecated') === true) draft.put('deprecated', true)
  const pattern = member(raw, 'pattern')
  if (typeof pattern !== 'string' || pattern.length > 1000 || !isVisible(pattern)) return
  const written = unicodePattern(pattern)
  if (written !== undefined) draft.put('pattern', written)
}

function copyTexts(raw: JsonObject, draft: SchemaDraft): void {
  const title = cleanText(member(raw, 'title'), 100)
  if (title !== '') draft.put('title', title)
  const description = cleanText(member(raw, 'description'), descriptionLengthMax)
  if (description !== '') draft.put('description', description)
  const format = member(raw, 'format')
  if (typeof format === 'string' && /^[A-Za-z0-9._:-]{1,40}$/.test(format)) draft.put('format', format)
  for (const keyword of ['contentEncoding', 'contentMediaType'] as const) {
    const value = member(raw, keyword)
    if (typeof value === 'string' && /^[A-Za-z0-9./+_-]{1,100}$/.test(value)) draft.put(keyword, value)
  }
}

function copyType(raw: JsonObject, draft: SchemaDraft): void {
  const type = member(raw, 'type')
  if (typeof type === 'string' && types.includes(type)) draft.put('type', type)
  const several = [...new Set(texts(type))].filter((one) => types.includes(one))
  if (several.length > 0) draft.put('type', several)
}

function copyValues(raw: JsonObject, draft: SchemaDraft): void {
  const allowed = elements(member(raw, 'enum')).map((value) => fitType(value, member(raw, 'type')))
  const values = new Map(allowed.filter(isPlain).map((value) => [JSON.stringify(value), value]))
  // A value that was left out (invisible characters, too large) must not narrow what the API takes.
  if (values.size > 0 && allowed.every(isPlain)) draft.put('enum', [...values.values()])
  for (const keyword of ['const', 'default'] as const) {
    const value = member(raw, keyword)
    if (Object.hasOwn(raw, keyword) && isPlain(value)) draft.put(keyword, value)
  }
  const [example = member(raw, 'example')] = elements(member(raw, 'examples'))
  if (isScalar(example) && isPlain(example) && String(example).length <= 100) draft.put('examples', [example])
}

function copyNumbers(raw: JsonObject, draft: SchemaDraft): void {
  for (const keyword of [...counts, 'minProperties']) {
    const value = member(raw, keyword)
    if (Number.isSafeInteger(value) && Number(value) >= 0) draft.put(keyword, value)
  }
  const multipleOf = member(raw, 'multipleOf')
  if (typeof multipleOf === 'number' && multipleOf > 0 && Number.isFinite(multipleOf)) {
    draft.put('multipleOf', multipleOf)
  }
  for (const [keyword, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    const bound = member(raw, keyword)
    const strict = member(raw, exclusive)
    // In 3.0 `exclusiveMinimum: true` changes what `minimum` means; from 3.1 on it is a bound itself.
    if (typeof bound === 'number' && Number.isFinite(bound)) draft.put(strict === true ? exclusive : keyword, bound)
    if (typeof strict === 'number' && Number.isFinite(strict)) draft.put(exclusive, strict)
  }
}

/** `enum: [1.0, 2.0]` beside `type: string` is what YAML makes of unquoted texts; nothing could ever satisfy it. */
function fitType(value: unknown, type: unknown): unknown {
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return String(value)
  if ((type === 'integer' || type === 'number') && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) {
    return Number(value)
  }
  return value
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** Whether the value is small, not deep, and shows all its texts. Bounded work, whatever the value. */
function isPlain(value: unknown): boolean {
  let bytesLeft = valueBytesMax
  function visit(part: unknown, depth: number): boolean {
    bytesLeft -= typeof part === 'string' ? part.length + 2 : 8
    if (bytesLeft < 0 || depth > 8) return false
    if (typeof part === 'string') return isVisible(part)
    if (Array.isArray(part)) return part.every((one) => visit(one, depth + 1))
    if (!isObject(part)) return true
    return Object.keys(part).every((name) => visit(name, depth + 1) && visit(part[name], depth + 1))
  }
  return visit(value, 0)
}

import { type BodyFormat, chooseContentType } from './content-type.ts'
import { type FieldRules, fileSchema, readFieldRules } from './field-rules.ts'
import { isObject, member, texts } from './json.ts'
import { isArgumentName } from './names.ts'
import type { DocumentOperation } from './operations.ts'
import type { References } from './references.ts'
import { isReadOnly } from './schema.ts'
import { cleanText } from './text.ts'

const fieldsMax = 200

/** A field of a body that is taken from an argument of the same name. */
export interface BodyField {
  readonly name: string
  readonly schema: unknown
  readonly required: boolean
}

/** A request body as it stands in the document. */
export interface DocumentBody {
  readonly contentType: string
  readonly required: boolean
  readonly description: string
  readonly schema: unknown
  /** The fields, when the body is an object that is nothing but its fields. */
  readonly fields: readonly BodyField[] | undefined
  /** Of a form: how a field is written, where that is not left to us. */
  readonly fieldRules: FieldRules
}

/** The body of an operation, if it has one, or why it cannot be sent. */
export type ReadBody =
  | { readonly ok: true; readonly body: DocumentBody | undefined }
  | { readonly ok: false; readonly reason: string }

/** Reads the body of an operation, or says why it cannot be sent. */
export function readBody({ operation, method }: DocumentOperation, references: References): ReadBody {
  const followed = references.follow(member(operation, 'requestBody'))
  if (!followed.ok) return { ok: false, reason: `the body ${followed.reason}` }
  const content = member(followed.value, 'content')
  if (!isObject(followed.value) || !isObject(content) || Object.keys(content).length === 0) {
    return { ok: true, body: undefined }
  }
  const declared = member(followed.value, 'required')
  if (method === 'GET') {
    // "The request body SHALL be ignored" where HTTP gives it no meaning (OpenAPI 3.0 §4.7.10.1, RFC 9110 §9.3.1).
    return declared === true ? { ok: false, reason: 'is a GET that needs a body' } : { ok: true, body: undefined }
  }
  const chosen = chooseContentType(Object.keys(content))
  if (!chosen) {
    const offered = cleanText(Object.keys(content).join(', '), 200)
    return { ok: false, reason: `its body is ${offered}, which cannot be sent` }
  }
  // A media type may itself be a reference from 3.2 on.
  const followedMedia = references.follow(member(content, chosen.name))
  if (!followedMedia.ok) return { ok: false, reason: `the body ${followedMedia.reason}` }
  const media = followedMedia.value
  const schema = references.follow(member(media, 'schema'))
  if (!schema.ok) return { ok: false, reason: `the body ${schema.reason}` }
  const { contentType, format } = chosen
  const fieldRules = readFieldRules(schema.value, member(media, 'encoding'), { format, references })
  const fields = fieldsOf(schema.value, { format, references, fieldRules })
  const description = cleanText(member(followed.value, 'description'), 1000)
  return {
    ok: true,
    body: {
      contentType,
      // Left out it means "optional", but authors forget it: a body with required fields is meant to be sent.
      required: declared === true || (declared !== false && fields?.some((field) => field.required) === true),
      description: [description, ...noteOn(chosen, { isWhole: fields === undefined, fieldRules })].join('\n').trim(),
      schema: wholeSchema(member(media, 'schema'), chosen),
      fields,
      fieldRules,
    },
  }
}

interface Chosen {
  readonly contentType: string
  readonly format: BodyFormat
}

/** The schema of a body that is one argument: a text, bytes in base64, or what the document says. */
function wholeSchema(schema: unknown, { contentType, format }: Chosen): unknown {
  if (contentType === 'text/plain') return { type: 'string' }
  if (format === 'text') return { type: 'string', contentMediaType: contentType }
  if (format === 'bytes') return { type: 'string', contentEncoding: 'base64', contentMediaType: contentType }
  return schema ?? (format === 'json' ? undefined : { type: 'object' })
}

/** What a model has to know of an argument that is the whole body. */
function noteOn(
  { contentType, format }: Chosen,
  { isWhole, fieldRules }: { readonly isWhole: boolean; readonly fieldRules: FieldRules },
): readonly string[] {
  if (format === 'bytes') return [`The bytes of the body (${contentType}) in base64.`]
  if (format === 'text' && contentType !== 'text/plain') return [`The body as a text (${contentType}).`]
  const files = Object.keys(fieldRules).filter((name) => member(fieldRules[name], 'isFile') === true)
  return isWhole && files.length > 0 ? [`In base64: ${cleanText(files.join(', '), 500)}.`] : []
}

/** What an object schema may say besides its fields without the fields being less than the whole. */
const harmless = new Set(['type', 'properties', 'required', 'title', 'description', 'example', 'examples', 'xml'])

/** The fields of a body that is an object without composition, or undefined: then the whole body is one argument. */
function fieldsOf(schema: unknown, { format, references, fieldRules }: FieldContext): readonly BodyField[] | undefined {
  if (!isObject(schema) || format === 'text' || format === 'bytes') return undefined
  const properties = member(schema, 'properties')
  if (!isObject(properties) || (member(schema, 'type') ?? 'object') !== 'object') return undefined
  const others = Object.entries(schema).filter(([keyword]) => !harmless.has(keyword) && !isRemark(keyword))
  if (others.some(([keyword, value]) => keyword !== 'additionalProperties' || value !== false)) return undefined
  const sent = Object.entries(properties).filter(([, property]) => !isReadOnly(property, references))
  if (sent.length === 0 || sent.length > fieldsMax) return undefined
  if (sent.some(([name]) => !isArgumentName(name))) return undefined
  const required = new Set(texts(member(schema, 'required')))
  return sent.map(([name, property]) => {
    const schema = member(fieldRules[name], 'isFile') === true ? fileSchema(property, references) : property
    return { name, schema, required: required.has(name) }
  })
}

interface FieldContext {
  readonly format: BodyFormat
  readonly references: References
  readonly fieldRules: FieldRules
}

function isRemark(keyword: string): boolean {
  return (
    keyword.startsWith('x-') ||
    ['externalDocs', 'deprecated', 'default', '$comment', '$schema', 'discriminator'].includes(keyword)
  )
}

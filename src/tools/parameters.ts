import { elements, isObject, type JsonObject, member, textMember } from './json.ts'
import { argumentName, markedName } from './names.ts'
import { type DocumentOperation, splitPath } from './operations.ts'
import { type References, referenceOf } from './references.ts'
import { isSecurityPlace } from './security.ts'
import { cleanText } from './text.ts'
import type { OperationParameter, SecurityRequirement } from './tool.ts'

const parametersMax = 300

/** A parameter with what its argument's schema is made of. */
export interface DocumentParameter extends OperationParameter {
  readonly schema: unknown
  readonly description: string
  readonly deprecated: boolean
}

/** The parameters of an operation, or why it has none that can be used. */
export type ReadParameters =
  | { readonly ok: true; readonly parameters: readonly DocumentParameter[] }
  | { readonly ok: false; readonly reason: string }

type Place = OperationParameter['in']

/** In this order they take the plain name when several are called the same; the order in the document does not count. */
const places = ['path', 'query', 'header', 'cookie'] as const

const styles: { readonly [place in Place]: readonly [string, ...string[]] } = {
  path: ['simple', 'label', 'matrix'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
}

/**
 * Headers that no argument sets. The first three the specification leaves to others (OpenAPI 3.1 §4.8.12.1); the rest
 * frame the message, choose the host, or speak for the network (RFC 9110 §7.6.1, RFC 7239).
 */
const forbiddenHeaders =
  /^(?:accept|content-type|authorization|host|cookie|set-cookie|content-length|transfer-encoding|content-encoding|connection|keep-alive|proxy-.*|te|trailers?|upgrade|expect|via|http2-settings|forwarded|x-forwarded-.*|x-real-ip)$/i
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * The parameters of the path item and the operation, merged (the operation's win), each with the argument it is taken from.
 * A placeholder of the path that no parameter declares is a text; a declared one that is not in the path is left out, and so
 * is one that stands where a scheme of `security` has its key: that is the workspace's to send (FEATURES D17).
 */
export function readParameters(
  source: DocumentOperation,
  references: References,
  security?: SecurityRequirement,
): ReadParameters {
  const found = new Map<string, DocumentParameter>()
  for (const level of [source.pathItem, source.operation]) {
    for (const raw of elements(member(level, 'parameters'))) {
      const followed = references.follow(raw)
      if (!followed.ok) return { ok: false, reason: `a parameter ${followed.reason}` }
      const parameter = isObject(followed.value) ? readParameter(followed.value) : undefined
      if (parameter === 'ignored') continue
      if (parameter === undefined) return { ok: false, reason: 'a parameter has no name, or stands in no known place' }
      found.set(`${parameter.in} ${parameter.name}`, parameter)
    }
  }
  const { pathname, query } = splitPath(source.path)
  const placeholders = placeholdersOf(pathname)
  const constants = new Set(new URLSearchParams(query).keys())
  const declared = [...found.values()].filter(({ in: place, name }) => {
    if (isSecurityPlace(security, place, name)) return false
    // What the path itself says in its query is no choice of the caller.
    return place === 'path' ? placeholders.has(name) : place !== 'query' || !constants.has(name)
  })
  const undeclared = [...placeholders].filter((name) => !found.has(`path ${name}`)).map(textParameter)
  if (declared.length + undeclared.length > parametersMax) {
    return { ok: false, reason: `has more than ${parametersMax} parameters` }
  }
  const parameters = nameArguments([...undeclared, ...declared])
  if (new Set(parameters.map((parameter) => parameter.argument)).size < parameters.length) {
    return { ok: false, reason: 'has parameters whose names cannot be told apart' }
  }
  return { ok: true, parameters }
}

/** The names between braces in a path template. */
export function placeholdersOf(path: string): ReadonlySet<string> {
  return new Set([...path.matchAll(/\{([^{}/]+)\}/g)].map(([, name = '']) => name))
}

function readParameter(raw: JsonObject): DocumentParameter | 'ignored' | undefined {
  const name = textMember(raw, 'name')
  const place = places.find((one) => one === member(raw, 'in'))
  if (name === undefined || name === '' || name.length > 200 || place === undefined) return undefined
  if (place === 'header' && (forbiddenHeaders.test(name) || !token.test(name))) return 'ignored'
  if (place === 'cookie' && !token.test(name)) return 'ignored'
  const [fallback] = styles[place]
  const style = styles[place].find((one) => one === member(raw, 'style')) ?? fallback
  const explode = member(raw, 'explode')
  const content = contentOf(raw)
  return {
    name,
    argument: argumentName(name),
    in: place,
    required: place === 'path' || member(raw, 'required') === true,
    style,
    explode: typeof explode === 'boolean' ? explode : style === 'form' || style === 'deepObject',
    allowReserved: place === 'query' && member(raw, 'allowReserved') === true,
    json: content !== undefined && /\bjson\b/i.test(content.mediaType),
    schema: content ? content.schema : schemaOf(raw),
    description: cleanText(member(raw, 'description'), 1000),
    deprecated: member(raw, 'deprecated') === true,
  }
}

function contentOf(raw: JsonObject): { readonly mediaType: string; readonly schema: unknown } | undefined {
  const content = member(raw, 'content')
  const [first] = isObject(content) ? Object.entries(content) : []
  return first && { mediaType: first[0], schema: member(first[1], 'schema') }
}

/** Some authors write `type` beside `name`, as in Swagger 2.0: it says what was meant. */
function schemaOf(raw: JsonObject): unknown {
  const schema = member(raw, 'schema')
  if (schema !== undefined || referenceOf(raw) !== undefined) return schema
  const type = member(raw, 'type')
  return type === undefined ? {} : { type, enum: member(raw, 'enum'), items: member(raw, 'items') }
}

function textParameter(name: string): DocumentParameter {
  return {
    name,
    argument: argumentName(name),
    in: 'path',
    required: true,
    style: 'simple',
    explode: false,
    allowReserved: false,
    json: false,
    schema: { type: 'string' },
    description: '',
    deprecated: false,
  }
}

/** Gives every parameter its own argument. No name depends on the order of the parameters in the document. */
function nameArguments(parameters: readonly DocumentParameter[]): readonly DocumentParameter[] {
  const plain = new Set(parameters.map((parameter) => parameter.argument))
  return places.flatMap((place, rank) => {
    const here = parameters.filter((parameter) => parameter.in === place)
    const before = new Set(parameters.filter((one) => places.indexOf(one.in) < rank).map((one) => one.argument))
    return here.map((parameter) => {
      const { name, argument } = parameter
      const isAlone = here.filter((other) => other.argument === argument).length === 1
      if (isAlone && !before.has(argument)) return parameter
      const placed = `${argument}_${place}`
      const isFree = isAlone && !plain.has(placed) && placed.length <= 64
      return { ...parameter, argument: isFree ? placed : markedName(argument, `${place} ${name}`) }
    })
  })
}

import { mediaType } from './content-type.ts'
import { elements, isObject, type JsonObject, member, textMember, texts } from './json.ts'
import { createReferences, type References } from './references.ts'

const methods = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options']
const parametersMax = 1_000

/**
 * A Swagger 2.0 document in the shape of OpenAPI 3.0, as far as tools are made of it: servers, paths, parameters, bodies, security.
 *
 * Pure, and shallow: schemas are the document's own objects, and every `$ref` in them keeps its meaning, since what they
 * point to (`#/definitions/…`) stays where it is. What is not well formed is left for the importer to name.
 */
export function convertSwagger(root: JsonObject): JsonObject {
  const references = createReferences(root)
  const context = { references, consumes: texts(member(root, 'consumes')), root }
  const paths = member(root, 'paths')
  const converted = Object.entries(isObject(paths) ? paths : {}).map(([path, item]) => {
    return [path, convertPathItem(item, context)] as const
  })
  const servers = serversOf(root, schemesOf(root))
  return {
    ...root,
    openapi: '3.0.4',
    paths: Object.fromEntries(converted),
    // Those of the two versions differ in `type: basic` only, which the reader knows.
    components: { securitySchemes: member(root, 'securityDefinitions'), ...members(root, 'components') },
    ...(servers ? { servers } : {}),
  }
}

/** The members of the object of that name; none for anything else. */
function members(root: JsonObject, name: string): JsonObject {
  const found = member(root, name)
  return isObject(found) ? found : {}
}

interface Context {
  readonly root: JsonObject
  readonly references: References
  /** The content types of bodies where an operation names none. */
  readonly consumes: readonly string[]
}

function convertPathItem(raw: unknown, context: Context): unknown {
  const followed = context.references.follow(raw)
  if (!followed.ok || !isObject(followed.value)) return raw
  const item = followed.value
  // Those of the body are the operations' business (each has its own content type): they are handed down.
  const { inPlace, ofBody, broken } = sortParameters(member(item, 'parameters'), context)
  const operations = methods.flatMap((method) => {
    const operation = member(item, method)
    return isObject(operation) ? [[method, convertOperation(operation, ofBody, context)] as const] : []
  })
  const parameters = [...inPlace.map((one) => convertParameter(one)), ...broken]
  return { ...item, parameters, ...Object.fromEntries(operations) }
}

function convertOperation(operation: JsonObject, inherited: readonly JsonObject[], context: Context): JsonObject {
  const { inPlace, ofBody, broken } = sortParameters(member(operation, 'parameters'), context)
  const own = new Set(ofBody.map(keyOf))
  const body = [...inherited.filter((one) => !own.has(keyOf(one))), ...ofBody]
  const types = texts(member(operation, 'consumes'))
  const requestBody = bodyOf(body, types.length > 0 ? types : context.consumes)
  const servers = Array.isArray(member(operation, 'schemes'))
    ? serversOf(context.root, schemesOf(operation))
    : undefined
  return {
    ...operation,
    parameters: [...inPlace.map((one) => convertParameter(one)), ...broken],
    ...(requestBody ? { requestBody } : {}),
    ...(servers ? { servers } : {}),
  }
}

function keyOf(parameter: JsonObject): string {
  return `${textMember(parameter, 'in')} ${member(parameter, 'in') === 'body' ? '' : textMember(parameter, 'name')}`
}

/** Parameters by where they go; `broken` are the references that lead nowhere, for the importer to say so. */
function sortParameters(raw: unknown, { references }: Context) {
  const inPlace: JsonObject[] = []
  const ofBody: JsonObject[] = []
  const broken: unknown[] = []
  for (const parameter of elements(raw).slice(0, parametersMax)) {
    const followed = references.follow(parameter)
    if (!followed.ok || !isObject(followed.value)) broken.push(parameter)
    else if (/^(?:body|formData)$/.test(textMember(followed.value, 'in') ?? '')) ofBody.push(followed.value)
    else inPlace.push(followed.value)
  }
  return { inPlace, ofBody, broken }
}

/** How a list is written (Swagger 2.0 §Parameter Object). Tabs between items are what no style of 3.0 says: they become commas. */
const collections: { readonly [format: string]: { readonly style: string; readonly explode: boolean } } = {
  csv: { style: 'form', explode: false },
  ssv: { style: 'spaceDelimited', explode: false },
  tsv: { style: 'form', explode: false },
  pipes: { style: 'pipeDelimited', explode: false },
  multi: { style: 'form', explode: true },
}

function collectionOf(parameter: JsonObject) {
  return collections[textMember(parameter, 'collectionFormat') ?? 'csv'] ?? collections['csv']
}

function convertParameter(parameter: JsonObject): JsonObject {
  const { name, in: place, required, description, deprecated } = parameter
  const style = place === 'query' && member(parameter, 'type') === 'array' ? collectionOf(parameter) : {}
  return { name, in: place, required, description, deprecated, schema: valueSchema(parameter), ...style }
}

const aboutTheParameter = new Set(['name', 'in', 'required', 'collectionFormat', 'allowEmptyValue'])

/** The schema that is written out among the other members of a parameter. */
function valueSchema(parameter: JsonObject): JsonObject {
  if (isObject(parameter['schema'])) return parameter['schema']
  const entries = Object.entries(parameter).filter(([keyword]) => !aboutTheParameter.has(keyword))
  const schema = Object.fromEntries(entries)
  return member(parameter, 'type') === 'file' ? { ...schema, type: 'string', format: 'binary' } : schema
}

function bodyOf(parameters: readonly JsonObject[], consumes: readonly string[]): JsonObject | undefined {
  const body = parameters.find((one) => member(one, 'in') === 'body')
  if (body) {
    const types = consumes.filter(
      (type) => !/^(?:multipart\/form-data|application\/x-www-form-urlencoded)$/.test(mediaType(type)),
    )
    const media = { schema: member(body, 'schema') }
    return {
      description: member(body, 'description'),
      required: member(body, 'required'),
      content: Object.fromEntries((types.length > 0 ? types : ['application/json']).map((type) => [type, media])),
    }
  }
  return parameters.length === 0 ? undefined : formOf(parameters, consumes)
}

function formOf(parameters: readonly JsonObject[], consumes: readonly string[]): JsonObject {
  const fields = parameters.filter((one) => textMember(one, 'name') !== undefined)
  const hasFile = fields.some((one) => member(one, 'type') === 'file')
  const isMultipart =
    hasFile || (consumes.length > 0 && consumes.every((type) => mediaType(type) === 'multipart/form-data'))
  const named = fields.map((one) => [textMember(one, 'name') ?? '', one] as const)
  const required = named.filter(([, one]) => member(one, 'required') === true).map(([name]) => name)
  const lists = named.filter(([, one]) => member(one, 'type') === 'array')
  const schema = {
    type: 'object',
    properties: Object.fromEntries(named.map(([name, one]) => [name, valueSchema(one)])),
    required,
  }
  const encoding = Object.fromEntries(lists.map(([name, one]) => [name, collectionOf(one)]))
  const contentType = isMultipart ? 'multipart/form-data' : 'application/x-www-form-urlencoded'
  return { required: required.length > 0, content: { [contentType]: { schema, encoding } } }
}

function schemesOf(level: JsonObject): readonly string[] {
  return texts(member(level, 'schemes')).filter((scheme) => scheme === 'https' || scheme === 'http')
}

/** `https` where it is offered: a credential may go with the call. What is not said is as where the document came from. */
function serversOf(root: JsonObject, schemes: readonly string[]): readonly JsonObject[] | undefined {
  const host = textMember(root, 'host')
  const basePath = textMember(root, 'basePath') ?? ''
  const path = basePath === '' || basePath.startsWith('/') ? basePath : `/${basePath}`
  if (host === undefined || host === '') return path === '' ? undefined : [{ url: path }]
  // A template or a user name is no host: then there is no server, which a placeholder without a value says.
  if (!/^[\w.-]+(?::\d{1,5})?$|^\[[0-9a-f:]+\](?::\d{1,5})?$/i.test(host)) return [{ url: 'https://{host}' }]
  const scheme = schemes.length === 0 ? '' : schemes.includes('https') ? 'https:' : 'http:'
  return [{ url: `${scheme}//${host}${path}` }]
}

import type { OpenApiDocument } from './document.ts'
import { member, textMember } from './json.ts'
import { toolNames } from './names.ts'
import { type DocumentOperation, listOperations, operationLabel } from './operations.ts'
import { type DocumentParameter, readParameters } from './parameters.ts'
import { createReferences, type References } from './references.ts'
import { type DocumentBody, readBody } from './request-body.ts'
import { createSchemaConverter, type SchemaConverter } from './schema.ts'
import { type ConvertedSchema, schemaBytesMax, tooLarge } from './schema-draft.ts'
import { createSecurityReader, type SecurityReader } from './security.ts'
import { type ServerOptions, serverOf } from './servers.ts'
import { cleanText } from './text.ts'
import type {
  ImportedTools,
  JsonSchema,
  Operation,
  OperationBody,
  OperationParameter,
  SetAside,
  Tool,
  ToolAnnotations,
} from './tool.ts'

const descriptionLengthMax = 2000
const tagsMax = 100
/** The schemas of all tools together, in bytes: a short document whose operations share one schema unfolds to gigabytes. */
const schemasBytesMax = 200_000_000

/**
 * Makes one tool of every GET, PUT, POST, DELETE and PATCH of the document. Pure: fetches nothing.
 *
 * An operation that cannot be called is set aside with its reason; the others are not touched by it. The same document
 * gives the same tools whatever the order of its operations. Schemas are not compiled here: see `arguments.ts`.
 */
export function importOpenApi(document: OpenApiDocument, options: ServerOptions = {}): ImportedTools {
  const { root, version } = document
  const references = createReferences(root)
  const schemas = createSchemaConverter(references, version)
  const { operations, setAside } = listOperations(root, references)
  const readSecurity = createSecurityReader(root, references)
  const names = toolNames(operations)
  const tools: Tool[] = []
  const refused: SetAside[] = [...setAside]
  let bytes = 0
  for (const [index, source] of operations.entries()) {
    if (bytes > schemasBytesMax) {
      const reason = `the schemas of the operations before it have more than ${schemasBytesMax} bytes together`
      refused.push({ operation: operationLabel(source.method, source.path), reason })
      continue
    }
    const server = serverOf([source.operation, source.pathItem, root], options)
    const made = makeTool(source, names[index] ?? '', { server, references, schemas, readSecurity })
    if (made.ok) {
      tools.push(made.tool)
      bytes += made.bytes
    } else refused.push({ operation: operationLabel(source.method, source.path), reason: made.reason })
  }
  return { title: cleanText(textMember(member(root, 'info'), 'title'), 200), tools, setAside: refused }
}

interface Context {
  readonly server: string | undefined
  readonly references: References
  readonly schemas: SchemaConverter
  readonly readSecurity: SecurityReader
}

type Made =
  | { readonly ok: true; readonly tool: Tool; readonly bytes: number }
  | { readonly ok: false; readonly reason: string }

function makeTool(source: DocumentOperation, name: string, context: Context): Made {
  const wanted = context.readSecurity(source.operation)
  if (!wanted.ok) return wanted
  const { security } = wanted
  const read = readParameters(source, context.references, security)
  if (!read.ok) return read
  const readBodyResult = readBody(source, context.references)
  if (!readBodyResult.ok) return readBodyResult
  const { body } = readBodyResult
  const shape = body && shapeOf(body, read.parameters)
  const input = inputSchema([...parameterArguments(read.parameters), ...bodyArguments(body, shape)], context.schemas)
  if (!input.ok) return input
  const operation: Operation = {
    method: source.method,
    path: source.path,
    server: context.server,
    parameters: read.parameters.map(wireParameter),
    body: body && shape && wireBody(body, shape),
    ...(security === undefined ? {} : { security }),
  }
  const tool = {
    name,
    description: describe(source),
    inputSchema: input.schema,
    annotations: annotate(source),
    operation,
    ...marksOf(source.operation),
  }
  return { ok: true, tool, bytes: input.bytes }
}

/** An argument of a tool before its schema is converted. */
interface Argument {
  readonly name: string
  readonly schema: unknown
  readonly required: boolean
  readonly description: string
  readonly deprecated: boolean
}

function parameterArguments(parameters: readonly DocumentParameter[]): readonly Argument[] {
  return parameters.map(({ argument, schema, required, description, deprecated }) => {
    return { name: argument, schema, required, description, deprecated }
  })
}

function bodyArguments(body: DocumentBody | undefined, shape: OperationBody['shape'] | undefined): readonly Argument[] {
  if (!body || !shape) return []
  if (shape.kind === 'fields') {
    return (body.fields ?? []).map(({ name, schema, required }) => {
      return { name, schema, required: required && body.required, description: '', deprecated: false }
    })
  }
  const { description, required } = body
  return [{ name: shape.argument, schema: body.schema, required, description, deprecated: false }]
}

/** The fields of the body become arguments of their own, unless one is called like a parameter. */
function shapeOf(body: DocumentBody, parameters: readonly DocumentParameter[]): OperationBody['shape'] {
  const taken = new Set(parameters.map((parameter) => parameter.argument))
  if (body.fields && !body.fields.some((field) => taken.has(field.name))) {
    return { kind: 'fields', arguments: body.fields.map((field) => field.name) }
  }
  let argument = 'body'
  while (taken.has(argument)) argument += '_'
  return { kind: 'whole', argument }
}

type Input =
  | { readonly ok: true; readonly schema: JsonSchema; readonly bytes: number }
  | { readonly ok: false; readonly reason: string }

function inputSchema(args: readonly Argument[], schemas: SchemaConverter): Input {
  let bytes = 0
  const converted: ConvertedSchema[] = []
  const properties = args.map((argument) => {
    const one = schemas.convert(argument.schema)
    bytes += one.bytes
    if (bytes <= schemaBytesMax) converted.push(one)
    return [argument.name, decorate(bytes <= schemaBytesMax ? one.schema : tooLarge, argument)] as const
  })
  const definitions = schemas.definitions(converted)
  if (!definitions.ok) return { ok: false, reason: definitions.reason }
  const required = args.filter((argument) => argument.required).map((argument) => argument.name)
  return {
    ok: true,
    bytes: definitions.bytes,
    schema: {
      type: 'object',
      properties: Object.fromEntries(properties),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
      ...(Object.keys(definitions.definitions).length > 0 ? { $defs: definitions.definitions } : {}),
    },
  }
}

function decorate(schema: JsonSchema, { description, deprecated }: Argument): JsonSchema {
  if (description === '' && !deprecated) return schema
  return { ...schema, ...(description === '' ? {} : { description }), ...(deprecated ? { deprecated: true } : {}) }
}

function wireParameter(parameter: DocumentParameter): OperationParameter {
  const { name, argument, in: place, required, style, explode, allowReserved, json } = parameter
  return { name, argument, in: place, required, style, explode, allowReserved, json }
}

function wireBody({ contentType, required, fieldRules }: DocumentBody, shape: OperationBody['shape']): OperationBody {
  return { contentType, required, shape, ...(Object.keys(fieldRules).length > 0 ? { fieldRules } : {}) }
}

/** What the document says of the operation, then the method and the path: people see what a tool does to the API. */
function describe({ operation, method, path }: DocumentOperation): string {
  const summary = cleanText(member(operation, 'summary'), 300)
  const description = cleanText(member(operation, 'description'), descriptionLengthMax)
  const deprecated = member(operation, 'deprecated') === true ? 'Deprecated.' : ''
  const parts = [deprecated, description.startsWith(summary) ? '' : summary, description].filter((part) => part !== '')
  return [...parts, `(${operationLabel(method, path)})`].join(parts.length > 1 ? '\n\n' : ' ')
}

/** What the settings can go by to make a tool public. */
function marksOf(operation: DocumentOperation['operation']): Pick<Tool, 'categories' | 'isMarkedPublic'> {
  const tags = member(operation, 'tags')
  const categories = Array.isArray(tags)
    ? tags
        .filter((tag) => typeof tag === 'string')
        .slice(0, tagsMax)
        .sort()
    : []
  return {
    ...(categories.length > 0 ? { categories } : {}),
    ...(member(operation, 'x-public') === true ? { isMarkedPublic: true } : {}),
  }
}

/** From the method alone (RFC 9110 §9.2): hints for whoever asks the user before a call. */
function annotate({ operation, operationId, method, path }: DocumentOperation): ToolAnnotations {
  const title = cleanText(member(operation, 'summary'), 120) || cleanText(operationId, 120)
  return {
    title: title || operationLabel(method, path),
    readOnlyHint: method === 'GET',
    // POST adds; PUT, PATCH and DELETE alter or remove what is there.
    destructiveHint: method === 'PUT' || method === 'DELETE' || method === 'PATCH',
    idempotentHint: method === 'GET' || method === 'PUT' || method === 'DELETE',
    openWorldHint: true,
  }
}

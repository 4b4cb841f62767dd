import { Lexer, LineCounter, parseDocument as parseYaml } from 'yaml'
import { GatewayError } from '../errors.ts'
import { isObject, type JsonObject, member } from './json.ts'
import { convertSwagger } from './swagger.ts'
import { cleanText } from './text.ts'
import { plainValue } from './yaml-value.ts'

/** The longest document that is read, in bytes of UTF-8. Microsoft Graph (beta), the longest in use, has 47 MB; GitHub 13. */
export const documentBytesMax = 50_000_000

/** The longest document in YAML, in bytes: its parser takes a second for a megabyte. GitHub's has 9 MB. */
export const yamlBytesMax = 10_000_000
/** How many brackets may be open at once in YAML. */
const flowDepthMax = 500

/**
 * An OpenAPI document that was read, not checked: only its root is known to be a mapping of an accepted version.
 *
 * Swagger 2.0 was converted to the shape of 3.0. What 3.2 adds to 3.1 tools do not need, so it is read as 3.1.
 */
export interface OpenApiDocument {
  readonly version: '3.0' | '3.1'
  readonly root: JsonObject
}

/**
 * Reads a Swagger 2.0 or OpenAPI 3.0, 3.1 or 3.2 document in JSON or YAML.
 *
 * Takes time linear in the length of the text: YAML aliases are shared, never copied, and what they would unfold to is
 * bounded. Follows no reference. Throws `document_invalid` with what is wrong, where, and what to do; the message never
 * quotes the text, since a URL may have led to something that is not the importer's.
 */
export function parseDocument(text: string): OpenApiDocument {
  const bytes = Buffer.byteLength(text)
  if (bytes > documentBytesMax) {
    throw invalid(
      `The document has ${bytes} bytes; at most ${documentBytesMax} are read. Leave out what you do not need.`,
    )
  }
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  if (source.trim() === '') throw invalid('The document is empty. Give an OpenAPI document in JSON or YAML.')
  if (/^\s*<(?:!doctype|html|head|body|\?xml|!--)/i.test(source)) {
    throw invalid(
      'This is a web page (or XML), not an OpenAPI document. Give the address of the JSON or YAML file itself: documentation pages usually link to it, often as openapi.json or openapi.yaml.',
    )
  }
  return accept(readMapping(source))
}

function readMapping(source: string): JsonObject {
  const value = /^\s*[{[]/.test(source) ? readJson(source) : readYaml(source)
  if (!isObject(value)) {
    throw invalid(
      'The document is not a mapping. An OpenAPI document begins with `openapi: 3.1.0` or {"openapi": "3.1.0", …}.',
    )
  }
  return value
}

function readJson(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    // V8 does not say where JSON is wrong. JSON is YAML: the YAML parser names the line, or accepts a comment or a comma.
    return readYaml(source)
  }
}

function readYaml(source: string): unknown {
  if (source.length > yamlBytesMax) {
    throw invalid(`The document is not valid JSON, and as YAML it is too long: at most ${yamlBytesMax} bytes are read.`)
  }
  const lines = new LineCounter()
  try {
    checkFlowDepth(source)
    const parsed = parseYaml(source, {
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      uniqueKeys: false, // The library's check is quadratic; the last one wins, as in JSON.
      prettyErrors: false,
      logLevel: 'silent',
      lineCounter: lines,
    })
    const [error] = parsed.errors
    if (error) {
      const { line, col } = lines.linePos(error.pos[0])
      throw invalid(
        `The document is neither valid JSON nor valid YAML: line ${line}, column ${col} (${error.code.toLowerCase().replaceAll('_', ' ')}). Correct that place and try again.`,
      )
    }
    const plain = plainValue(parsed.contents)
    if (plain.ok) return plain.value
    const { line, col } = lines.linePos(plain.offset)
    throw invalid(`The YAML document ${plain.reason}: line ${line}, column ${col}.`)
  } catch (error) {
    if (error instanceof GatewayError) throw error
    if (error instanceof RangeError) throw invalid('The document is nested too deeply to be read.', error)
    throw invalid('The document is neither valid JSON nor valid YAML.', error)
  }
}

/** The parser's time is quadratic in the number of open brackets, so they are counted first. */
function checkFlowDepth(source: string): void {
  let depth = 0
  for (const token of new Lexer().lex(source)) {
    if (token === '{' || token === '[') depth += 1
    else if (token === '}' || token === ']') depth -= 1
    if (depth > flowDepthMax) throw invalid('The document is nested too deeply to be read.')
  }
}

function accept(root: JsonObject): OpenApiDocument {
  const accepted = 'Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2 are accepted'
  const version = member(root, 'openapi')
  if (typeof version === 'number') {
    throw invalid(`\`openapi\` is the number ${version}; it must be a text such as "3.0.3" (in quotes). ${accepted}.`)
  }
  if (typeof version === 'string') {
    if (/^3\.0(?:\.|$)/.test(version)) return { version: '3.0', root }
    if (/^3\.[12](?:\.|$)/.test(version)) return { version: '3.1', root }
    throw invalid(`The document is OpenAPI "${cleanText(version, 20)}"; ${accepted}. Convert it and import it again.`)
  }
  const swagger = member(root, 'swagger')
  // Unquoted in YAML it is a number, and still no other version.
  if (swagger === '2.0' || swagger === 2 || swagger === '2') return { version: '3.0', root: convertSwagger(root) }
  if (typeof swagger === 'string' || typeof swagger === 'number') {
    throw invalid(
      `The document is Swagger ${cleanText(String(swagger), 20)}; ${accepted}. Convert it (for example at https://converter.swagger.io) and import it again.`,
    )
  }
  throw invalid(`The document has no \`openapi\` field, so it is not an OpenAPI document. ${accepted}.`)
}

function invalid(message: string, cause?: unknown): GatewayError {
  return new GatewayError('document_invalid', message, cause === undefined ? {} : { cause })
}

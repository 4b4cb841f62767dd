import { createRequire } from 'node:module'
import { Ajv2020 } from 'ajv/dist/2020.js'

// As ordinary schemas: in those that ajv brings along it does not check formats, and `regex` is one.
const load = createRequire(import.meta.url)
const parts = ['core', 'applicator', 'unevaluated', 'validation', 'meta-data', 'format-annotation', 'content']
const ajv = new Ajv2020({ meta: false, validateSchema: false, strict: false, logger: false })
ajv.addFormat('regex', isUnicodePattern)
for (const file of ['schema', ...parts.map((part) => `meta/${part}`)]) {
  ajv.addSchema(load(`ajv/dist/refs/json-schema-2020-12/${file}.json`))
}
const meetsMetaSchema = ajv.getSchema('https://json-schema.org/draft/2020-12/schema')

/**
 * Why a tool's schema is not one that every MCP client can use; undefined when it is.
 *
 * It must be valid by the meta-schema of JSON Schema 2020-12 (patterns with the `u` flag included), be an object, and
 * stand alone: every `$ref` leads to one of its own `$defs`.
 */
export function schemaProblem(schema: { readonly [key: string]: unknown }): string | undefined {
  if (!meetsMetaSchema) throw new Error('ajv has no meta-schema of 2020-12.')
  if (meetsMetaSchema(schema) !== true) {
    const [error] = meetsMetaSchema.errors ?? []
    return `${error?.instancePath} ${error?.message}`
  }
  if (schema['type'] !== 'object') return 'is not an object'
  const definitions = schema['$defs'] ?? {}
  for (const [, name = ''] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]*)"/g)) {
    const [, key] = /^#\/\$defs\/([\w.-]+)$/.exec(name) ?? []
    if (key === undefined || !Object.hasOwn(definitions, key)) return `refers to ${name}, which is not in it`
  }
  return undefined
}

function isUnicodePattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') !== undefined
  } catch {
    return false // A SyntaxError says that it is none.
  }
}

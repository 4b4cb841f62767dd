import { sha256 } from '../crypto/hash.ts'
import { isObject, type JsonObject, member, texts } from './json.ts'
import { type References, referenceOf } from './references.ts'
import { anything, type ConvertedSchema, SchemaDraft, schemaBytesMax, tooLarge } from './schema-draft.ts'
import { copyPlainKeywords } from './schema-keywords.ts'
import { isVisible } from './text.ts'
import type { JsonSchema } from './tool.ts'

const depthMax = 40

/** The `$defs` of one tool, or why there are none. */
export type Definitions =
  | { readonly ok: true; readonly definitions: { readonly [name: string]: JsonSchema }; readonly bytes: number }
  | { readonly ok: false; readonly reason: string }

/** Converts schemas of one document. What was converted is kept and shared, so a document is converted in linear time. */
export interface SchemaConverter {
  convert(raw: unknown): ConvertedSchema
  /** Everything that the schemas reach, nearest first, as long as there is room. */
  definitions(roots: readonly ConvertedSchema[]): Definitions
}

/**
 * Makes the converter for one OpenAPI 3.0 or 3.1 document. Schemas are converted as part of a *request*: properties that
 * are `readOnly` are left out. Keywords that are not of JSON Schema, or not well formed, are dropped.
 */
export function createSchemaConverter(references: References, version: '3.0' | '3.1'): SchemaConverter {
  const done = new WeakMap<object, ConvertedSchema>()
  const converting = new Set<object>()
  const targets = new Map<string, unknown>()

  function convert(raw: unknown, depth: number): ConvertedSchema {
    if (raw === false) return nothing
    if (!isObject(raw) || depth > depthMax || converting.has(raw)) return anything
    const known = done.get(raw)
    if (known) return known
    converting.add(raw)
    const draft = new SchemaDraft()
    if (referenceOf(raw) !== undefined) convertReference(raw, draft, depth)
    else convertKeywords(raw, draft, depth)
    if (member(raw, 'nullable') === true) draft.allowNull()
    converting.delete(raw)
    const converted = draft.finish()
    done.set(raw, converted)
    return converted
  }

  function convertReference(raw: JsonObject, draft: SchemaDraft, depth: number): void {
    const located = references.locate(referenceOf(raw) ?? '')
    // The whole chain is looked at here, so that no circle of references is left for the validator to run in.
    const followed = located.ok ? references.follow(located.value) : located
    if (!located.ok || !followed.ok) {
      if (!followed.ok) draft.fail(followed.reason)
      return
    }
    targets.set(located.pointer, located.value)
    draft.refer(located.pointer, `#/$defs/${definitionName(located.pointer, references)}`)
    // In 3.0 what stands beside `$ref` is ignored; a description does no harm. In 3.1 all of it counts.
    if (version === '3.1') convertKeywords(raw, draft, depth)
    else copyPlainKeywords({ description: member(raw, 'description') }, draft)
  }

  function convertKeywords(raw: JsonObject, draft: SchemaDraft, depth: number): void {
    copyPlainKeywords(raw, draft)
    for (const keyword of ['not', 'if', 'then', 'else', 'contains', 'propertyNames'] as const) {
      const value = member(raw, keyword)
      if (isSchema(value)) draft.child(keyword, convert(value, depth + 1))
    }
    for (const keyword of ['additionalProperties', 'unevaluatedProperties', 'items', 'unevaluatedItems'] as const) {
      const value = member(raw, keyword)
      if (typeof value === 'boolean') draft.put(keyword, value)
      else if (isObject(value)) draft.child(keyword, convert(value, depth + 1))
    }
    for (const keyword of ['allOf', 'anyOf', 'oneOf', 'prefixItems'] as const) {
      const value = member(raw, keyword)
      if (Array.isArray(value) && value.length > 0) {
        draft.children(
          keyword,
          value.filter(isSchema).map((part) => convert(part, depth + 1)),
        )
      }
    }
    convertProperties(raw, draft, depth)
    for (const keyword of ['patternProperties', 'dependentSchemas'] as const) {
      const value = member(raw, keyword)
      if (isObject(value)) draft.named(keyword, convertMap(value, depth))
    }
    draft.dropUnsafePatternProperties()
  }

  function convertMap(map: JsonObject, depth: number): readonly (readonly [string, ConvertedSchema])[] {
    return Object.entries(map)
      .filter(([name, value]) => isPropertyName(name) && isSchema(value))
      .map(([name, value]) => [name, convert(value, depth + 1)])
  }

  function convertProperties(raw: JsonObject, draft: SchemaDraft, depth: number): void {
    const properties = member(raw, 'properties')
    const left = new Set<string>()
    if (isObject(properties)) {
      // A map of names, so a property *named* `$ref` is a property here and no reference (Kubernetes has one).
      for (const [name, value] of Object.entries(properties)) if (isReadOnly(value, references)) left.add(name)
      const kept = convertMap(properties, depth).filter(([name]) => !left.has(name))
      draft.named('properties', kept)
    }
    const required = texts(member(raw, 'required')).filter((name) => isPropertyName(name) && !left.has(name))
    if (required.length > 0) draft.put('required', [...new Set(required)])
  }

  function definitions(roots: readonly ConvertedSchema[]): Definitions {
    const broken = roots.find((root) => root.problem !== undefined)
    if (broken?.problem !== undefined) return { ok: false, reason: broken.problem }
    let bytes = roots.reduce((sum, root) => sum + root.bytes, 0)
    const found = new Map<string, JsonSchema>()
    const queue = [...new Set(roots.flatMap((root) => root.pointers))]
    const seen = new Set(queue)
    for (const pointer of queue) {
      const converted = convert(targets.get(pointer), 0)
      if (converted.problem !== undefined) return { ok: false, reason: converted.problem }
      const fits = bytes + converted.bytes <= schemaBytesMax
      found.set(definitionName(pointer, references), fits ? converted.schema : tooLarge)
      if (!fits) continue
      bytes += converted.bytes
      for (const next of converted.pointers) {
        if (!seen.has(next)) queue.push(next)
        seen.add(next)
      }
    }
    return { ok: true, definitions: Object.fromEntries(found), bytes }
  }

  return { convert: (raw) => convert(raw, 0), definitions }
}

const nothing: ConvertedSchema = { ...anything, schema: { not: {} }, bytes: 10 }

/** Whether a property may not be sent: `readOnly`, itself or what it refers to. */
export function isReadOnly(raw: unknown, references: References): boolean {
  if (member(raw, 'readOnly') === true) return true
  const followed = references.follow(raw)
  return followed.ok && member(followed.value, 'readOnly') === true
}

/** One name for one pointer, in any order: the component's own name wherever it can stay (2.0 has it in `definitions`). */
function definitionName(pointer: string, references: References): string {
  const [, place, name] = /^#\/(components\/schemas|definitions)\/([A-Za-z0-9_.-]{1,64})$/.exec(pointer) ?? []
  const isTaken = place === 'definitions' && references.locate(`#/components/schemas/${name}`).ok
  if (name !== undefined && name !== '__proto__' && !isTaken) return name
  const last = pointer.slice(pointer.lastIndexOf('/') + 1).replace(/[^A-Za-z0-9_.-]+/g, '_')
  return `${last.slice(0, 48)}_${sha256(pointer).slice(0, 8)}`
}

function isSchema(value: unknown): boolean {
  return typeof value === 'boolean' || isObject(value)
}

/** A name with invisible characters may hide a text from the person who approves the tool. */
function isPropertyName(name: string): boolean {
  return name !== '__proto__' && name.length <= 256 && isVisible(name)
}

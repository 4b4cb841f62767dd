import { isBounded, unicodePattern } from './pattern.ts'
import type { JsonSchema } from './tool.ts'

/**
 * How much schema one tool may have, as JSON (some 16,000 words of a model's attention). What goes beyond is replaced by a
 * schema that takes anything: the outer levels stay exact, the API checks the inner ones.
 */
export const schemaBytesMax = 64_000

/** A schema of the document as JSON Schema 2020-12; its references point to `#/$defs/…`. */
export interface ConvertedSchema {
  readonly schema: JsonSchema
  /** About its length as JSON, without what it refers to. */
  readonly bytes: number
  /** The pointers that it refers to. */
  readonly pointers: readonly string[]
  /** Why it cannot be used, such as a reference that leaves the document. */
  readonly problem: string | undefined
}

/** Takes any value. */
export const anything: ConvertedSchema = { schema: {}, bytes: 2, pointers: [], problem: undefined }
/** Takes any value, and says why. */
export const tooLarge: JsonSchema = { description: 'Too large to be described here; any value is passed on.' }

/** One schema while it is put together: counts its bytes and gathers what its parts refer to. */
export class SchemaDraft {
  readonly #keywords = new Map<string, unknown>()
  readonly #pointers = new Set<string>()
  #bytes = 2
  #problem: string | undefined

  /** Sets a keyword whose value has been checked; `bytes` when its length as JSON is known. */
  put(keyword: string, value: unknown, bytes = JSON.stringify(value).length): void {
    this.#bytes += bytes + keyword.length + 4
    this.#keywords.set(keyword, value)
  }

  child(keyword: string, part: ConvertedSchema): void {
    this.put(keyword, part.schema, this.#gather(part))
  }

  children(keyword: string, parts: readonly ConvertedSchema[]): void {
    const bytes = parts.reduce((sum, part) => sum + this.#gather(part) + 1, 2)
    if (parts.length > 0)
      this.put(
        keyword,
        parts.map((part) => part.schema),
        bytes,
      )
  }

  named(keyword: string, parts: readonly (readonly [string, ConvertedSchema])[]): void {
    const bytes = parts.reduce((sum, [name, part]) => sum + this.#gather(part) + name.length + 4, 2)
    this.put(keyword, Object.fromEntries(parts.map(([name, part]) => [name, part.schema])), bytes)
  }

  refer(pointer: string, reference: string): void {
    this.#pointers.add(pointer)
    this.put('$ref', reference)
  }

  fail(problem: string): void {
    this.#problem ??= problem
  }

  /** OpenAPI 3.0 `nullable`. Strictly it acts only beside `type`; beside `$ref` and the like authors mean it just as much. */
  allowNull(): void {
    const inner = Object.fromEntries(this.#keywords)
    if (['$ref', 'allOf', 'anyOf', 'oneOf'].some((keyword) => this.#keywords.has(keyword))) {
      this.#keywords.clear()
      this.put('anyOf', [inner, { type: 'null' }], 20)
      return
    }
    const { type, enum: values } = inner
    if (typeof type === 'string') this.put('type', [type, 'null'], 8)
    if (Array.isArray(values) && !values.includes(null)) this.put('enum', [...values, null], 5)
  }

  /**
   * A pattern that cannot be run safely matches everything, which is right for `pattern` but not for `patternProperties`:
   * there it is dropped, and with it the keywords that speak of "all other properties".
   */
  dropUnsafePatternProperties(): void {
    const byPattern = this.#keywords.get('patternProperties')
    if (typeof byPattern !== 'object' || byPattern === null) return
    const safe = Object.entries(byPattern).filter(
      ([pattern]) => isBounded(pattern) && unicodePattern(pattern) === pattern,
    )
    if (safe.length === Object.keys(byPattern).length) return
    this.#keywords.set('patternProperties', Object.fromEntries(safe))
    this.#keywords.delete('additionalProperties')
    this.#keywords.delete('unevaluatedProperties')
  }

  finish(): ConvertedSchema {
    if (this.#bytes > schemaBytesMax) return { ...anything, schema: tooLarge, bytes: 100 }
    return {
      schema: Object.fromEntries(this.#keywords),
      bytes: this.#bytes,
      pointers: [...this.#pointers],
      problem: this.#problem,
    }
  }

  #gather(part: ConvertedSchema): number {
    for (const pointer of part.pointers) this.#pointers.add(pointer)
    this.#problem ??= part.problem
    return part.bytes
  }
}

import { sha256 } from '../crypto/hash.ts'

const lengthMax = 64
const suffixLength = 9

/** An operation as far as its name depends on it. Method and path together occur once in a document. */
export interface NamedOperation {
  readonly operationId: string | undefined
  readonly method: string
  readonly path: string
}

/**
 * The names of the tools, in the order of the operations: at most 64 characters of `[A-Za-z0-9_-]`, no two alike.
 *
 * A name is the operation id, or method and path. Where it is cut, or where several would be called the same, all of them
 * get a hash of method and path: no name depends on the order of the operations in the document.
 */
export function toolNames(operations: readonly NamedOperation[]): readonly string[] {
  const ladders = operations.map(ladder)
  const levels = new Uint8Array(operations.length)
  // Every round moves all that collide one step up, whatever their order. Only a document made to collide needs the last round.
  for (let round = 0; round < 8; round += 1) {
    const names = ladders.map((names, index) => names[levels[index] ?? 0] ?? '')
    const taken = new Map<string, number>()
    for (const name of names) taken.set(name, (taken.get(name) ?? 0) + 1)
    if (taken.size === names.length) return names
    names.forEach((name, index) => {
      if (taken.get(name) !== 1) levels[index] = Math.min((levels[index] ?? 0) + 1, 2)
    })
  }
  return ladders.map(([, , last]) => last)
}

/** The names that an operation may get: the first one that nobody else wants. */
function ladder({ operationId, method, path }: NamedOperation): readonly [string, string, string] {
  const hash = sha256(`${method} ${path}`)
  const plain = sanitize(operationId ?? '') || sanitize(`${method.toLowerCase()} ${path}`)
  const marked = `${plain.slice(0, lengthMax - suffixLength)}_${hash.slice(0, suffixLength - 1)}`
  return [plain.length > lengthMax ? marked : plain, marked, `tool_${hash}`]
}

function sanitize(text: string): string {
  return text
    .slice(0, 1000)
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^_+|_+$/g, '')
}

/** A name for an argument that every MCP client takes (`[A-Za-z0-9_.-]`, at most 64): `filter[name]` becomes `filter_name`. */
export function argumentName(wireName: string): string {
  if (isArgumentName(wireName)) return wireName
  const name = wireName
    .slice(0, 1000)
    .replace(/[^A-Za-z0-9_.-]+/g, '_')
    .replace(/^_+|_+$/g, '')
  if (name === '') return `value_${sha256(wireName).slice(0, suffixLength - 1)}`
  if (name.length <= lengthMax) return name
  return `${name.slice(0, lengthMax - suffixLength)}_${sha256(wireName).slice(0, suffixLength - 1)}`
}

/** Whether the name may be an argument as it is. */
export function isArgumentName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(name) && name !== '__proto__'
}

/** The name with a mark that belongs to `key` alone: for the second of two that would be called the same. */
export function markedName(name: string, key: string): string {
  return `${name.slice(0, lengthMax - suffixLength)}_${sha256(key).slice(0, suffixLength - 1)}`
}

/** The name of a query parameter as the least careful server reads it: any case (ASP.NET), without what makes it a list (PHP, Rails, qs). */
export function bareName(name: string): string {
  const bracket = name.indexOf('[', 1)
  return (bracket === -1 ? name : name.slice(0, bracket)).trim().toLowerCase()
}

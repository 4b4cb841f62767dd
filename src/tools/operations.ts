import { isObject, type JsonObject, member, textMember } from './json.ts'
import type { References } from './references.ts'
import { cleanText, isVisible } from './text.ts'
import type { SetAside } from './tool.ts'

const operationsMax = 30_000
const toolMethods = ['get', 'put', 'post', 'delete', 'patch']
/** They exist for clients of HTTP, not for whoever uses the API: HEAD has no content, the others speak of the server. */
const otherMethods = ['head', 'options', 'trace']
/** In OpenAPI 3.2; too young for what stands between us and the API. */
const newMethods = ['query']

/** An operation as it stands in the document, with the path item around it. */
export interface DocumentOperation {
  /** In capitals. */
  readonly method: string
  readonly path: string
  readonly pathItem: JsonObject
  readonly operation: JsonObject
  readonly operationId: string | undefined
}

/** The operations of a document that may become tools, and those that cannot, with the reason. */
export interface ListedOperations {
  readonly operations: readonly DocumentOperation[]
  readonly setAside: readonly SetAside[]
}

/** Lists the operations under `paths`, in the order of the document; at most 30,000. */
export function listOperations(root: JsonObject, references: References): ListedOperations {
  const operations: DocumentOperation[] = []
  const setAside: SetAside[] = []
  const paths = member(root, 'paths')
  for (const [path, raw] of isObject(paths) ? Object.entries(paths) : []) {
    if (path.startsWith('x-')) continue
    if (operations.length + setAside.length >= operationsMax) {
      const reason = `the document has more than ${operationsMax} operations`
      return { operations, setAside: [...setAside, { operation: 'all others', reason }] }
    }
    const pathItem = references.follow(raw)
    const problem = pathItem.ok ? pathProblem(path) : pathItem.reason
    if (problem !== undefined || !pathItem.ok || !isObject(pathItem.value)) {
      setAside.push({ operation: cleanText(path, 200), reason: problem ?? 'is not a mapping of methods' })
      continue
    }
    setAside.push(...otherOperations(path, pathItem.value))
    for (const method of toolMethods) {
      const operation = member(pathItem.value, method)
      if (!isObject(operation)) continue
      const operationId = textMember(operation, 'operationId')
      operations.push({ method: method.toUpperCase(), path, pathItem: pathItem.value, operation, operationId })
    }
  }
  return { operations, setAside }
}

function otherOperations(path: string, pathItem: JsonObject): readonly SetAside[] {
  const additional = member(pathItem, 'additionalOperations')
  const unknown = isObject(additional) ? Object.keys(additional).slice(0, 100) : []
  return [
    ...otherMethods
      .filter((method) => isObject(member(pathItem, method)))
      .map((method) => ({ method, reason: `${method.toUpperCase()} gives a model nothing that it could use` })),
    ...[...newMethods.filter((method) => isObject(member(pathItem, method))), ...unknown].map((method) => {
      return { method, reason: 'its method is none of GET, PUT, POST, DELETE and PATCH' }
    }),
  ].map(({ method, reason }) => ({ operation: operationLabel(cleanText(method, 40), path), reason }))
}

/** How an operation is called in front of people: `GET /api/items`. */
export function operationLabel(method: string, path: string): string {
  return `${method.toUpperCase()} ${cleanText(path, 200)}`
}

/** Why the path cannot be called; undefined when it can. What is checked here is not checked again when it is filled in. */
function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'the path does not begin with /'
  if (path.length > 1000) return 'the path is longer than 1000 characters'
  if (!isVisible(path) || /[\t\n]/.test(path)) return 'the path has control or invisible characters'
  if (path.includes('\\')) return 'the path has a \\ in it'
  const { pathname, query, fragment } = splitPath(path)
  if (/[{}]/.test(query)) return 'the path has a query with a placeholder in it'
  // Not a mark that tells operations of one path apart, but a path behind a `#`: nobody knows how it is sent.
  if (/[{}/]/.test(fragment)) return 'the path goes on behind a #'
  if (pathname.replace(/\{[^{}/]+\}/g, '').match(/[{}]/)) return 'the braces of the path do not match'
  if (pathname.split('/').some(isDotSegment)) return 'the path has a . or .. segment'
  return undefined
}

/**
 * A key of `paths` in its parts. Some documents name several operations of one path by a constant query (`/?Action=List`)
 * or, since a query is not allowed there, by a fragment (`/#Action=List`), which is never sent (RFC 3986 §3.5).
 */
export function splitPath(path: string): {
  readonly pathname: string
  readonly query: string
  readonly fragment: string
} {
  const [beforeFragment = '', ...fragment] = path.split('#')
  const [pathname = '', ...query] = beforeFragment.split('?')
  return { pathname, query: query.join('?'), fragment: fragment.join('#') }
}

/** Whether a segment of a path means "here" or "up" to whoever reads the URL (WHATWG URL, double-dot URL path segment). */
export function isDotSegment(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment)
}

import { isObject, textMember } from './json.ts'
import { cleanText } from './text.ts'

const hopsMax = 32

/** What a reference leads to; `pointer` is its one spelling (`#/components/schemas/Item`). */
export type Located =
  | { readonly ok: true; readonly value: unknown; readonly pointer: string }
  | { readonly ok: false; readonly reason: string }

/** What stands at the end of a chain of references. */
export type Followed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string }

/** Finds what `$ref` points to inside one document. Nothing is copied, and nothing outside the document is ever read. */
export interface References {
  locate(reference: string): Located
  /** The value itself, or what it refers to through any number of references. Ask only where a reference may stand. */
  follow(value: unknown): Followed
}

/**
 * The reference of a Reference Object: a *text* called `$ref`. Kubernetes has a property named `$ref`, whose value is a
 * schema; so ask only for values in a place where a reference may stand, never for a map of names.
 */
export function referenceOf(value: unknown): string | undefined {
  return textMember(value, '$ref')
}

/** The references of the document with that root (RFC 6901 pointers in a URI fragment, and nothing else). */
export function createReferences(root: unknown): References {
  function locate(reference: string): Located {
    const shown = `"${cleanText(reference, 120)}"`
    if (!reference.startsWith('#')) {
      return { ok: false, reason: `refers to ${shown}, outside the document; such references are never followed` }
    }
    const segments = pointerSegments(reference.slice(1))
    if (!segments) return { ok: false, reason: `refers to ${shown}, which is not a JSON pointer` }
    let value = root
    for (const segment of segments) {
      const next = step(value, segment)
      if (!next) return { ok: false, reason: `refers to ${shown}, which is not in the document` }
      value = next.value
    }
    return { ok: true, value, pointer: `#${segments.map((it) => `/${escapeSegment(it)}`).join('')}` }
  }

  function follow(value: unknown): Followed {
    let current = value
    for (let hops = 0; hops < hopsMax; hops += 1) {
      const reference = referenceOf(current)
      if (reference === undefined) return { ok: true, value: current }
      const located = locate(reference)
      if (!located.ok) return located
      current = located.value
    }
    return { ok: false, reason: `has references that go round in a circle, or through more than ${hopsMax} others` }
  }

  return { locate, follow }
}

function pointerSegments(fragment: string): readonly string[] | undefined {
  if (fragment === '') return []
  if (!fragment.startsWith('/')) return undefined
  try {
    // Percent-decoding comes first (RFC 6901 §6): `%2F` separates, only `~1` is a slash in a name.
    const segments = decodeURIComponent(fragment).slice(1).split('/')
    return segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
  } catch {
    return undefined // A `%` that is not followed by two digits.
  }
}

function escapeSegment(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1')
}

function step(value: unknown, segment: string): { readonly value: unknown } | undefined {
  if (Array.isArray(value)) {
    const index = /^(?:0|[1-9]\d{0,8})$/.test(segment) ? Number(segment) : value.length
    return index < value.length ? { value: value[index] } : undefined
  }
  return isObject(value) && Object.hasOwn(value, segment) ? { value: value[segment] } : undefined
}

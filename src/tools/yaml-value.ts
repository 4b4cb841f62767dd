import { isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'
import { isObject } from './json.ts'

const depthMax = 500
/** How many values a document may have when every alias is written out. GitHub's has 700,000. */
const unfoldedMax = 5_000_000

/** The value of a YAML tree, or why it has none and at which offset of the text. */
export type PlainValue =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string; readonly offset: number }

interface Sized {
  readonly value: unknown
  /** Number of values in it with its aliases written out. */
  readonly size: number
}

/**
 * Turns a YAML tree into JSON values in one walk: an alias is the very object of its anchor, never a copy. (The library's
 * own `toJS` searches the whole document for every alias: 20 MB of them take hours.) A merge key (`<<`) is applied within
 * the same bound. An alias inside its own anchor is refused, so the value has no circles.
 */
export function plainValue(root: Node | null): PlainValue {
  const anchors = new Map<string, Sized>()
  let written = 0

  function walk(node: unknown, depth: number): Sized {
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (!target) throw new Refusal('uses an alias whose anchor does not stand before it', node)
      return target
    }
    if (depth > depthMax) throw new Refusal(`is nested more than ${depthMax} levels deep`, node)
    const sized = isMap(node) ? mapping(node, depth) : isSeq(node) ? sequence(node.items, depth) : scalar(node)
    if (sized.size > unfoldedMax)
      throw new Refusal(`unfolds to more than ${unfoldedMax} values through its aliases`, node)
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) anchors.set(node.anchor, sized)
    return sized
  }

  function sequence(items: readonly unknown[], depth: number): Sized {
    const children = items.map((item) => walk(item, depth + 1))
    return { value: children.map((child) => child.value), size: total(children) }
  }

  function mapping(map: YAMLMap, depth: number): Sized {
    const entries = new Map<string, Sized>()
    const merged = new Map<string, Sized>()
    let mergedSize = 0
    for (const { key, value } of map.items) {
      const name = keyText(key)
      const child = walk(value, depth + 1)
      if (name === '<<') {
        mergeInto(merged, child, key)
        mergedSize += child.size
      } else entries.set(name, child)
    }
    for (const [name, child] of entries) merged.set(name, child)
    const children = [...merged]
    // `Object.fromEntries` defines, so a key named `__proto__` is a key like any other.
    return {
      value: Object.fromEntries(children.map(([name, child]) => [name, child.value])),
      size: mergedSize + total(children.map(([, child]) => child)),
    }
  }

  /** The first mapping that has a key wins, and the mapping's own keys win over both (https://yaml.org/type/merge.html). */
  function mergeInto(merged: Map<string, Sized>, source: Sized, at: unknown): void {
    for (const mapping of Array.isArray(source.value) ? source.value : [source.value]) {
      if (!isObject(mapping)) throw new Refusal('merges (`<<`) something that is not a mapping', at)
      for (const [name, value] of Object.entries(mapping)) {
        // Merging copies keys, so it counts against the same bound as unfolding.
        written += 1
        if (written > unfoldedMax)
          throw new Refusal(`unfolds to more than ${unfoldedMax} values through its merge keys`, at)
        if (!merged.has(name)) merged.set(name, { value, size: 1 })
      }
    }
  }

  try {
    return { ok: true, value: walk(root, 0).value }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message, offset: error.offset }
    throw error
  }
}

function scalar(node: unknown): Sized {
  if (!isScalar(node)) return { value: null, size: 1 }
  const { value } = node
  // `.inf` and `.nan` have no JSON form.
  if (typeof value === 'number') return { value: Number.isFinite(value) ? value : null, size: 1 }
  return { value: typeof value === 'string' || typeof value === 'boolean' ? value : null, size: 1 }
}

/** The key as text: as written for `200:` or `1.0:`, since a response code or version is meant, not a number. */
function keyText(key: unknown): string {
  if (!isScalar(key)) throw new Refusal('has a key that is not a text', key)
  return typeof key.source === 'string' ? key.source : String(key.value ?? '')
}

function total(children: readonly Sized[]): number {
  return children.reduce((sum, child) => sum + child.size, 1)
}

class Refusal extends Error {
  readonly offset: number

  constructor(reason: string, node: unknown) {
    super(reason)
    this.offset = (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)) && node.range ? node.range[0] : 0
  }
}

/** Headers as they are sent; names in any case. */
export type HeaderSet = Readonly<Record<string, string>>

/** All sets in one; where several have a name, in whatever case, the last one counts. */
export function mergeHeaders(...sets: readonly HeaderSet[]): HeaderSet {
  const merged: Record<string, string> = {}
  const names: string[] = []
  for (const headers of sets) {
    for (const name in headers) {
      const value = headers[name]
      if (value === undefined) continue
      const place = placeOf(name, names)
      const before = names[place]
      if (before !== undefined && before !== name) delete merged[before]
      names[place] = name
      merged[name] = value
    }
  }
  return merged
}

/** Where the name stands, in whatever case, or its place at the end. By length first: most names are told apart by that. */
function placeOf(name: string, names: readonly string[]): number {
  for (let place = 0; place < names.length; place += 1) {
    const known = names[place]
    if (known === name) return place
    if (known?.length === name.length && known.toLowerCase() === name.toLowerCase()) return place
  }
  return names.length
}

/** Headers as they are sent; names in any case. */
export type HeaderSet = Readonly<Record<string, string>>

/** All sets in one; where several have a name, in whatever case, the last one counts. */
export function mergeHeaders(...sets: readonly HeaderSet[]): HeaderSet {
  const merged: Record<string, string> = {}
  const spelling = new Map<string, string>()
  for (const headers of sets) {
    for (const name in headers) {
      const value = headers[name]
      if (value === undefined) continue
      const key = name.toLowerCase()
      const before = spelling.get(key)
      if (before !== undefined && before !== name) delete merged[before]
      spelling.set(key, name)
      merged[name] = value
    }
  }
  return merged
}

/**
 * The name as settings that close something compare it: in one case, without spaces around it. A server that is passed
 * through may find its tool under another spelling than ours, and what is closed must be so under all of them (T20).
 */
export function foldedName(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase()
}

/** Whether a name fits a pattern in which `*` stands for any characters. Takes time in proportion to both. */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const [head = '', ...rest] = foldedName(pattern).split('*')
  const tail = rest.pop()
  return (name) => {
    const folded = foldedName(name)
    if (tail === undefined) return folded === head
    if (!folded.startsWith(head)) return false
    let from = head.length
    for (const part of rest) {
      const at = folded.indexOf(part, from)
      if (at === -1) return false
      from = at + part.length
    }
    return folded.length - tail.length >= from && folded.endsWith(tail)
  }
}

/** Whether the name is of one of these namespaces: it begins with one and a separator, as `billing_pay` of `billing`. */
export function isOfNamespace(name: string, namespaces: readonly string[]): boolean {
  return namespaces.some(
    (namespace) => name.startsWith(namespace) && '_.-/:'.includes(name.charAt(namespace.length) || ' '),
  )
}

import { GatewayError } from '../errors.ts'

const DECIDING: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params'])
const DECIDING_PARAMS: ReadonlySet<string> = new Set(['name', 'arguments', 'uri'])
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

/**
 * Refuses a message that another parser could read in another way: a name by which access is decided that stands there
 * twice, or in another case. JavaScript takes the last of two, others the first, and Go takes `NAME` for `name`.
 *
 * `text` is JSON already. Looks at the message's own members and those of `params`; the tool's arguments are its own affair.
 *
 * @throws GatewayError `invalid_message`
 */
export function checkUnambiguous(text: string): void {
  const seen = [new Set<string>(), new Set<string>()]
  const path: string[] = []
  let depth = 0
  let key: string | undefined
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      path[depth] = token === '[' ? '[' : (key ?? '')
      depth += 1
      key = undefined
    } else if (token === '}' || token === ']') depth -= 1
    else if (token === ',') key = undefined
    else if (token === ':' || depth > 2) continue
    else key ??= note(token, depth, path[1], seen)
  }
}

/** Notes a member's name, or a value of the two outer levels, which cannot be told from one here and does no harm. */
function note(token: string, depth: number, parent: string | undefined, seen: readonly Set<string>[]): string {
  const name: unknown = JSON.parse(token)
  if (typeof name !== 'string') return ''
  if (depth === 2 && parent !== 'params') return name
  const deciding = depth === 1 ? DECIDING : DECIDING_PARAMS
  // Upper case first: a long s and a Kelvin sign fold to s and k there, as they do in Go.
  const folded = name.toUpperCase().toLowerCase()
  const names = seen[depth - 1]
  if (!deciding.has(folded)) return name
  if (name !== folded || names?.has(name) === true) {
    throw new GatewayError('invalid_message', `Invalid Request: ${folded} stands there twice, or in capitals.`)
  }
  names?.add(name)
  return name
}

import { GatewayError } from '../errors.ts'

const DECIDING: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params'])
const DECIDING_PARAMS: ReadonlySet<string> = new Set(['name', 'arguments', 'uri'])

/**
 * Refuses a message that another parser could read in another way: a name by which access is decided that stands there
 * twice, or in another case. JavaScript takes the last of two, others the first, and Go takes `NAME` for `name`.
 *
 * `text` is a JSON object already. Looks at the message's own members and those of `params`; the tool's arguments are its
 * own affair.
 *
 * @throws GatewayError `invalid_message`
 */
export function checkUnambiguous(text: string): void {
  const own = new Set<string>()
  const ofParams = new Set<string>()
  let depth = 0
  let isName = false
  let member = ''
  let isInParams = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') {
      const end = endOfString(text, at)
      if (isName && depth === 1) member = note(text.slice(at, end + 1), DECIDING, own)
      else if (isName) note(text.slice(at, end + 1), DECIDING_PARAMS, ofParams)
      isName = false
      at = end
    } else if (character === '{' || character === '[') {
      depth += 1
      if (depth === 2) isInParams = character === '{' && member === 'params'
      isName = depth === 1 || (depth === 2 && isInParams)
    } else if (character === '}' || character === ']') {
      depth -= 1
      isName = false
    } else if (character === ',') {
      isName = depth === 1 || (depth === 2 && isInParams)
    }
  }
}

/** The place of the quotation mark that ends the string which begins there. By hand: an expression that matches strings runs out of stack on one of some megabytes. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text[before - 1] === '\\') before -= 1
    if ((end - before) % 2 === 0) return end
  }
  return text.length
}

function note(token: string, deciding: ReadonlySet<string>, seen: Set<string>): string {
  const name = String(JSON.parse(token))
  // Upper case first: a long s and a Kelvin sign fold to s and k there, as they do in Go. A parser in C ends at a NUL.
  const folded = name.replace(/\0.*$/su, '').toUpperCase().toLowerCase()
  if (!deciding.has(folded)) return name
  if (name !== folded || seen.has(name)) {
    throw new GatewayError('invalid_message', `Invalid Request: ${folded} stands there twice, or in capitals.`)
  }
  seen.add(name)
  return name
}

import { randomSecret } from '../crypto/random.ts'
import { endOfString } from './unambiguous.ts'

/** Nothing shorter is rounded. Where it stands nowhere, there is nothing to do. */
const LONG = /\d{16}/
/** A whole number, unless it stands in a string. What is longer is no id, and would take long to convert. */
const WHOLE = /(?<![\d.eE+-])-?\d{16,40}(?![\d.eE])/g

/**
 * The value of a JSON text, with the whole numbers that JavaScript would round (beyond 2^53, as ids of 64 bits are) as
 * `bigint`: rounded, an id is another one's. Takes time linear in the length of the text; with a reviver some megabytes took
 * seconds.
 *
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (!LONG.test(text)) return value
  // Nobody can know it, so no string of the text begins with it.
  const mark = randomSecret(12)
  const marked = withMarks(text, mark)
  return marked === text ? value : withoutMarks(JSON.parse(marked), mark)
}

/** The text with a string, which begins with the mark, in place of each number that would be rounded. */
function withMarks(text: string, mark: string): string {
  // The end of the last string that begins before the number, and where the next one begins.
  let stringEnd = -1
  let quote = text.indexOf('"')
  return text.replace(WHOLE, (digits, index: number) => {
    while (quote !== -1 && quote < index) {
      stringEnd = endOfString(text, quote)
      quote = text.indexOf('"', stringEnd + 1)
    }
    return stringEnd > index || String(Number(digits)) === digits ? digits : `"${mark}${digits}"`
  })
}

/** Alters the value, which is nobody else's yet. Without recursion: it may be nested as deeply as it likes. */
function withoutMarks(value: unknown, mark: string): unknown {
  const whole = { value }
  const waiting: object[] = [whole]
  const look = (parent: object, name: string | number, member: unknown) => {
    if (typeof member === 'object' && member !== null) waiting.push(member)
    else if (typeof member === 'string' && member.startsWith(mark)) {
      Reflect.set(parent, name, BigInt(member.slice(mark.length)))
    }
  }
  for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
    if (Array.isArray(parent)) for (let index = 0; index < parent.length; index += 1) look(parent, index, parent[index])
    else for (const name in parent) look(parent, name, Reflect.get(parent, name))
  }
  return whole.value
}

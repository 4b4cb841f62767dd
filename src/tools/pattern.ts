/** A longer text is not held against a pattern: the API itself will do it. */
const textLengthMax = 256
/** At most 2^26 steps to match a text of that length: some 0.3 s, for a pattern made to be slow. */
const costMax = 26
const sizeMax = 10_000

/** A pattern, compiled. */
export interface Pattern {
  test(text: string): boolean
  toString(): string
}

/**
 * The pattern as clients compile it: a regular expression of ECMA-262 with the `u` flag (JSON Schema 2020-12, core §6.4).
 * Many documents escape what that flag does not let them (`\_`, `\-`): there the escape is left out. Undefined for what is
 * no pattern even then.
 */
export function unicodePattern(pattern: string): string | undefined {
  return [pattern, withoutNeedlessEscapes(pattern)].find((one) => {
    try {
      return new RegExp(one, 'u') !== undefined
    } catch {
      return false // A SyntaxError says that it is none.
    }
  })
}

function withoutNeedlessEscapes(pattern: string): string {
  let isInClass = false
  return pattern.replace(/\\([\s\S])|[[\]]/g, (found, escaped: string | undefined) => {
    if (escaped === undefined) {
      isInClass = found === '['
      return found
    }
    const isNeeded = /[A-Za-z0-9^$\\.*+?()[\]{}|/]/.test(escaped) || (escaped === '-' && isInClass)
    return isNeeded ? found : escaped
  })
}

/**
 * Compiles the `pattern` of a stranger's schema so that it cannot be made to run long (ReDoS).
 *
 * It is enforced only if a bound for the number of ways in which it can match 256 characters is provable and small, and
 * only on texts of at most 256 characters; otherwise every text passes. So loops in loops, back references and look-around
 * are never run. The API behind the tool checks its own patterns anyway: this check is a help for the model.
 */
export function boundedPattern(pattern: string): Pattern {
  const compiled = isBounded(pattern) ? compile(pattern) : undefined
  return {
    test: (text) => !compiled || text.length > textLengthMax || compiled.test(text),
    toString: () => `/${pattern}/`,
  }
}

/** Whether `boundedPattern` enforces the pattern. */
export function isBounded(pattern: string): boolean {
  return boundOf(pattern) !== undefined
}

/** A function that says about how many steps matching a text takes at most; undefined where the pattern is not enforced. */
export function patternSteps(pattern: string): ((text: string) => number) | undefined {
  const bound = boundOf(pattern)
  if (bound === undefined) return undefined
  // The bound is a power of the length: each loop multiplies by it.
  const power = bound / Math.log2(textLengthMax + 1)
  return (text) => (text.length > textLengthMax ? 0 : (text.length + 1) ** power)
}

/** log2 of the steps to match a text of 256 characters, when they can be known and are few enough. */
function boundOf(pattern: string): number | undefined {
  const parsed = parsePattern(pattern)
  if (!parsed) return undefined
  // Without an anchor the search starts again at every character.
  const bound = parsed.cost + Math.log2(parsed.size + 1) + (parsed.anchored ? 0 : 8)
  return bound <= costMax ? bound : undefined
}

function compile(pattern: string): RegExp | undefined {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags)
    } catch {
      // Many documents escape more than the `u` flag allows (`\_`); the second round is without it.
    }
  }
  return undefined
}

/** `cost`: log2 of the number of ways to match 256 characters. `size`: the longest way, not counting what loops add to it. */
interface Cost {
  readonly cost: number
  readonly size: number
}

const atom = /\\[cuxpP](?:\{[^}]*\}|[0-9A-Fa-f]{0,4})|\\[^1-9k]|\[\^?(?:\\[\s\S]|[^\]\\])*\]|[^\\[\](){}*+?|]/y
const quantifier = /(?:[*+?]|\{(\d{1,9})(?:(,)(\d{1,9})?)?\})\??/y

function parsePattern(pattern: string): (Cost & { readonly anchored: boolean }) | undefined {
  let position = 0
  let groups = 0

  function take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = position
    const match = expression.exec(pattern)
    if (match) position += match[0].length
    return match
  }

  function alternatives(): (Cost & { readonly count: number }) | undefined {
    let ways = 0
    let size = 0
    for (let count = 1; ; count += 1) {
      const one = sequence()
      if (!one) return undefined
      ways += 2 ** one.cost
      size += one.size
      if (pattern[position] !== '|') return { cost: Math.log2(ways), size, count }
      position += 1
    }
  }

  function sequence(): Cost | undefined {
    let cost = 0
    let size = 0
    while (position < pattern.length && pattern[position] !== '|' && pattern[position] !== ')') {
      const part = single()
      const repeated = part && repeat(part)
      if (!repeated) return undefined
      cost += repeated.cost
      size += repeated.size
      if (cost > costMax || size > sizeMax) return undefined
    }
    return { cost, size }
  }

  function single(): Cost | undefined {
    if (pattern[position] !== '(') return take(atom) ? { cost: 0, size: 1 } : undefined
    groups += 1
    // Look-around and named groups are not understood here, so not run.
    if (!take(/\((?:\?:)?(?!\?)/y) || groups > 100) return undefined
    const inner = alternatives()
    return inner && take(/\)/y) ? inner : undefined
  }

  function repeat(part: Cost): Cost | undefined {
    const match = take(quantifier)
    if (!match) return part
    const [min, max] = bounds(match)
    if (max <= 1) return { cost: part.cost + 1, size: part.size }
    // A loop over something that can itself match in several ways: ways are multiplied, so only a short loop is provable.
    const times = Math.min(max, textLengthMax)
    if (min > textLengthMax || (part.cost > 0 && max > textLengthMax)) return undefined
    return { cost: part.cost * times + Math.log2(Math.max(times - min, 0) + 1), size: part.size * (min + 1) }
  }

  const whole = alternatives()
  if (!whole || position < pattern.length) return undefined
  return { cost: whole.cost, size: whole.size, anchored: pattern.startsWith('^') && whole.count === 1 }
}

function bounds(match: RegExpExecArray): readonly [number, number] {
  const [text, least, comma, most] = match
  if (text.startsWith('*')) return [0, Number.POSITIVE_INFINITY]
  if (text.startsWith('+')) return [1, Number.POSITIVE_INFINITY]
  if (text.startsWith('?')) return [0, 1]
  const min = Number(least)
  if (comma === undefined) return [min, min]
  return [min, most === undefined ? Number.POSITIVE_INFINITY : Number(most)]
}

import { _, type Ajv } from 'ajv'
import names from 'ajv/dist/compile/names.js'
import { isObject } from './json.ts'
import { patternSteps } from './pattern.ts'
import type { JsonSchema } from './tool.ts'

const keyword = 'x-gatehouse-cost'
/** About a quarter of a second. An honest call of a megabyte takes a tenth of it. */
const stepsMax = 5_000_000

const single =
  'items additionalProperties unevaluatedProperties unevaluatedItems not if then else contains propertyNames'
const lists = 'allOf anyOf oneOf prefixItems'
const maps = 'properties patternProperties dependentSchemas $defs'
const [singleOnes, listOnes, mapOnes] = [single, lists, maps].map((words) => new Set(words.split(' ')))

/** A step of a regular expression is that much quicker than one of a check. */
const patternStepsPerStep = 16

/** Counts the steps of one check. */
export interface CheckBudget {
  /** The schema with its cost written into every part of it. */
  priced(schema: JsonSchema): JsonSchema
  /** Begins a new check. */
  reset(): void
}

/** Thrown out of a check that has used up its steps. */
export class BudgetExceeded extends Error {}

/**
 * Bounds the time of the checks that the instance compiles, whatever schema meets whatever value.
 *
 * A schema of one line that branches into itself takes 2^n steps for n levels of arguments, and a long list of mistakes
 * takes the square of their number. So every part of a schema charges for what it looks at, each time it is looked at.
 */
export function addCheckBudget(ajv: Ajv): CheckBudget {
  let left = stepsMax
  const prices: Price[] = []
  const charge = (value: unknown, { cost, isSquare, patterns }: Price, errors: number): void => {
    const size = sizeOf(value)
    // Errors are copied on their way up.
    left -= cost + errors + (isSquare && Array.isArray(value) ? size * size : size)
    if (patterns.length > 0) left -= matchingSteps(value, patterns) / patternStepsPerStep
    if (left < 0) throw new BudgetExceeded('The check takes too many steps.')
  }
  ajv.addKeyword({
    keyword,
    before: '$ref',
    code({ gen, data, schema }) {
      // One value for all prices: ajv's time is quadratic in the number of values that a check is given.
      const place = prices.push(schema) - 1
      const charged = gen.scopeValue('func', { ref: charge })
      const all = gen.scopeValue('obj', { ref: prices })
      gen.code(_`${charged}(${data}, ${all}[${place}], ${names.default.errors})`)
    },
  })
  return {
    priced,
    reset() {
      left = stepsMax
    },
  }
}

/** What one look at a value by one part of a schema costs, beside the value's own size. */
interface Price {
  readonly cost: number
  readonly isSquare: boolean
  readonly patterns: readonly ((text: string) => number)[]
}

/** A text is matched by `pattern`, the names of an object by those of `patternProperties`. */
function matchingSteps(value: unknown, patterns: Price['patterns']): number {
  const matched = typeof value === 'string' ? [value] : isObject(value) ? Object.keys(value) : []
  return matched.reduce((sum, text) => patterns.reduce((steps, stepsOf) => steps + stepsOf(text), sum), 0)
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length >>> 6
  if (Array.isArray(value)) return value.length
  return isObject(value) ? Object.keys(value).length : 0
}

function priced(schema: JsonSchema): JsonSchema {
  let cost = 1
  const entries = Object.entries(schema).map(([name, value]) => {
    if (singleOnes?.has(name) && isObject(value)) return [name, priced(value)]
    if (listOnes?.has(name) && Array.isArray(value))
      return [name, value.map((part) => (isObject(part) ? priced(part) : part))]
    if (Array.isArray(value)) cost += value.length // `required`, `enum`
    if (!mapOnes?.has(name) || !isObject(value)) return [name, value]
    if (name !== '$defs') cost += Object.keys(value).length
    return [
      name,
      Object.fromEntries(Object.entries(value).map(([key, part]) => [key, isObject(part) ? priced(part) : part])),
    ]
  })
  const { pattern, patternProperties, uniqueItems } = schema
  const sources = [
    ...(typeof pattern === 'string' ? [pattern] : []),
    ...Object.keys(isObject(patternProperties) ? patternProperties : {}),
  ]
  const patterns = sources.flatMap((source) => patternSteps(source) ?? [])
  return {
    ...Object.fromEntries(entries),
    [keyword]: { cost, isSquare: uniqueItems === true, patterns } satisfies Price,
  }
}

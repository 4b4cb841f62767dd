import type { ErrorObject, ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { GatewayError } from '../errors.ts'
import { addCheckBudget, BudgetExceeded, type CheckBudget } from './check-budget.ts'
import { isObject } from './json.ts'
import type { Arguments } from './path-template.ts'
import { boundedPattern } from './pattern.ts'
import { cleanText } from './text.ts'
import type { Tool } from './tool.ts'

const problemsMax = 5
const namesShownMax = 30

/** Arguments that fit the tool, or what the model has to change. */
export type CheckedArguments =
  | { readonly ok: true; readonly value: Arguments }
  | { readonly ok: false; readonly reason: string }

/** Formats that are checked: the ones with one meaning. Any other is a remark, and the API checks it itself. */
const formats = ['date', 'date-time', 'uuid', 'ipv4', 'ipv6'] as const

/**
 * Compiles the check of a tool's arguments: JSON Schema 2020-12, values taken as they are (nothing converted, no defaults
 * filled in), only own properties seen.
 *
 * Compiling costs milliseconds: do it at the first call and keep the result. Throws `document_invalid` when the schema
 * cannot be compiled. The check itself never throws; patterns are bounded (see `pattern.ts`). A `bigint` is a number that fits
 * where the number fits that is nearest to it.
 */
export function compileArguments(tool: Tool): (args: unknown) => CheckedArguments {
  const { validate, budget } = compileSchema(tool)
  return (args) => {
    const value = args === undefined ? {} : args
    if (!isObject(value)) return { ok: false, reason: 'The arguments must be an object.' }
    try {
      budget.reset()
      if (validate(value)) return { ok: true, value }
      // Only now: to look for one first would cost every call.
      const nearest = rounded(value)
      if (nearest !== value && validate(nearest)) return { ok: true, value }
      return { ok: false, reason: explain(validate.errors ?? [], tool) }
    } catch (error) {
      if (error instanceof BudgetExceeded)
        return { ok: false, reason: 'The arguments are too many, or too deeply nested, to be checked.' }
      // A RangeError: recursion through a recursive schema has used up the stack.
      return { ok: false, reason: 'The arguments are nested too deeply.' }
    }
  }
}

/** The value with numbers in place of every `bigint`; the value itself where there is none. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) {
    const items = value.map(rounded)
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  if (!isObject(value)) return value
  const members = Object.entries(value).map(([name, member]) => [name, rounded(member)] as const)
  return members.some(([name, member]) => member !== value[name]) ? Object.fromEntries(members) : value
}

function compileSchema(tool: Tool): { readonly validate: ValidateFunction; readonly budget: CheckBudget } {
  // An instance for each schema: a shared one would keep everything that it ever compiled. The check against the
  // meta-schema, most of the cost, is left out: schemas are built from a closed list of checked keywords (`schema.ts`).
  const ajv = new Ajv2020({
    meta: false,
    validateSchema: false,
    strict: false,
    strictNumbers: true, // What is too large for any number of JavaScript is none.
    allErrors: true,
    logger: false,
    ownProperties: true,
    multipleOfPrecision: 8,
    inlineRefs: false, // A schema that is referred to a thousand times is compiled once.
    code: { regExp: Object.assign(boundedPattern, { code: 'boundedPattern' }) },
  })
  addFormats.default(ajv, { mode: 'fast', formats: [...formats] })
  try {
    const budget = addCheckBudget(ajv)
    return { validate: ajv.compile(budget.priced(tool.inputSchema)), budget }
  } catch (error) {
    const message = `The arguments of the tool "${tool.name}" cannot be checked: its schema in the API's document is not valid.`
    throw new GatewayError('document_invalid', message, { cause: error })
  }
}

/** The first few problems in words that a model can act on. */
function explain(errors: readonly ErrorObject[], tool: Tool): string {
  const problems = new Set<string>()
  for (const error of errors) {
    // The branches of a choice that were not taken say less than the choice itself.
    if (error.keyword === 'if' || (error.keyword === 'not' && problems.size > 0)) continue
    problems.add(problemOf(error, tool))
    if (problems.size > problemsMax) break
  }
  const shown = [...problems].slice(0, problemsMax)
  return `${shown.join('; ')}${problems.size > problemsMax ? '; and more' : ''}.`
}

function problemOf(error: ErrorObject, tool: Tool): string {
  const where = placeOf(error.instancePath)
  const { params, keyword } = error
  switch (keyword) {
    case 'required':
      return `"${joined(where, params['missingProperty'])}" is required`
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = joined(where, params['additionalProperty'] ?? params['unevaluatedProperty'])
      return where === ''
        ? `"${name}" is not an argument of this tool${knownArguments(tool)}`
        : `"${name}" is not allowed`
    }
    case 'type':
      return `"${where}" must be ${[params['type']].flat().join(' or ')}`
    case 'enum':
      return `"${where}" must be one of ${listed(params['allowedValues'])}`
    case 'const':
      return `"${where}" must be ${cleanText(JSON.stringify(params['allowedValue']), 100)}`
    case 'pattern':
      return `"${where}" must match the pattern ${cleanText(params['pattern'], 200)}`
    case 'anyOf':
    case 'oneOf':
      return `"${where}" must fit ${keyword === 'oneOf' ? 'exactly ' : ''}one of the forms in the schema`
    default:
      return `"${where}" ${cleanText(error.message ?? 'does not fit the schema', 200)}`
  }
}

function knownArguments(tool: Tool): string {
  const properties = tool.inputSchema['properties']
  const names = isObject(properties) ? Object.keys(properties) : []
  if (names.length === 0) return '; it takes none'
  return `; it takes ${names.slice(0, namesShownMax).join(', ')}${names.length > namesShownMax ? ', …' : ''}`
}

/** `/filter/tags/0` as `filter.tags.0`. */
function placeOf(pointer: string): string {
  const names = pointer.split('/').slice(1)
  return cleanText(names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~')).join('.'), 200)
}

function joined(where: string, name: unknown): string {
  const last = cleanText(name, 100)
  return where === '' ? last : `${where}.${last}`
}

function listed(values: unknown): string {
  const all = Array.isArray(values) ? values : []
  const shown = all.slice(0, namesShownMax).map((value) => cleanText(JSON.stringify(value), 100))
  return `${shown.join(', ')}${all.length > namesShownMax ? ', …' : ''}`
}

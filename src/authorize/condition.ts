import { createRequire } from 'node:module'
import type * as Cel from '@marcbachmann/cel-js'
import { GatewayError } from '../errors.ts'
import { RuleCaller, RuleTool } from './rule-context.ts'

/** What a condition looks at. `args` is undefined where a list is made: nobody knows yet what a call will bring. */
export interface Facts {
  readonly caller: RuleCaller
  readonly tool: RuleTool
  readonly args: Readonly<Record<string, unknown>> | undefined
}

/** What became of a condition; `unknown`: that depends on arguments which are not there. `failed` has the code of what went wrong. */
export type Held = { readonly kind: 'true' | 'false' | 'unknown' } | { readonly kind: 'failed'; readonly code: string }

/** A compiled condition. */
export interface Condition {
  readonly needsArguments: boolean
  readonly evaluate: (facts: Facts) => Held
}

/** Which facts there are. Nothing is known of the annotations of tools that a server passed through will name. */
export interface FactsKnown {
  readonly annotations: boolean
}

/** Every function takes time in proportion to what it is given, and none makes much out of little (docs/decisions/0003). */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['has', 'size', 'contains', 'startsWith', 'endsWith', 'lowerAscii', 'upperAscii', 'trim'],
  ...['int', 'double', 'string'],
])
const OVER_LISTS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one'])

/**
 * Compiles a condition in CEL, types checked. It always ends, and has no side effects.
 *
 * @throws GatewayError `config_invalid` when it is none, gives no truth value, or asks for what a rule may not.
 */
export function compileCondition(text: string, known: FactsKnown): Condition {
  const withArguments = environment(known, { withArguments: true })
  const checked = withArguments.check(text)
  if (!checked.valid) throw refusal(firstLine(checked.error?.message))
  if (checked.type !== 'bool' && checked.type !== 'dyn') throw refusal(`it gives ${checked.type}, not true or false`)
  const program = withArguments.parse(text)
  const problem = problemIn(program.ast, { insideList: false })
  if (problem !== undefined) throw refusal(problem)
  const needsArguments = !environment(known, { withArguments: false }).check(text).valid
  return { needsArguments, evaluate: (facts) => evaluate(program, facts, needsArguments) }
}

function evaluate(program: (context: Facts) => unknown, facts: Facts, needsArguments: boolean): Held {
  const isOpen = needsArguments && facts.args === undefined
  try {
    const value = program(facts)
    if (typeof value === 'boolean') return { kind: value ? 'true' : 'false' }
    return { kind: 'failed', code: 'not_a_truth_value' }
  } catch (error) {
    if (isOpen) return { kind: 'unknown' }
    // Its code alone: the message may quote what it failed on.
    return { kind: 'failed', code: codeOf(error) }
  }
}

/** Loaded with the first rule: most workspaces have none, and need not carry the language. */
function cel(): typeof Cel {
  return createRequire(import.meta.url)('@marcbachmann/cel-js')
}

function environment(
  { annotations }: FactsKnown,
  { withArguments }: { readonly withArguments: boolean },
): Cel.Environment {
  const made = new (cel().Environment)({ limits: { maxAstNodes: 200, maxDepth: 30 } })
    .registerType('Caller', {
      ctor: RuleCaller,
      fields: { subject: 'string', issuer: 'string', scopes: 'list<string>', claims: 'map<string, dyn>' },
    })
    .registerType('Tool', {
      ctor: RuleTool,
      fields: { name: 'string', ...(annotations ? { annotations: 'map<string, dyn>' } : {}) },
    })
    .registerVariable('caller', 'Caller')
    .registerVariable('tool', 'Tool')
  return withArguments ? made.registerVariable('args', 'map<string, dyn>') : made
}

/** Why the expression may not run; undefined: it may. Walks the tree as it was parsed, before anything is expanded. */
function problemIn(node: unknown, { insideList }: { readonly insideList: boolean }): string | undefined {
  if (Array.isArray(node)) return first(node, (one) => problemIn(one, { insideList }))
  if (typeof node !== 'object' || node === null || !('op' in node) || !('args' in node)) return undefined
  const { op, args } = node
  if (op !== 'call' && op !== 'rcall') return problemIn(args, { insideList })
  const [called, ...operands] = Array.isArray(args) ? args : []
  const isOverList = typeof called === 'string' && op === 'rcall' && OVER_LISTS.has(called)
  if (isOverList && insideList) return `${called} may not stand inside another all, exists or exists_one`
  if (!isOverList && !(typeof called === 'string' && FUNCTIONS.has(called))) {
    return `rules have no function ${String(called).slice(0, 40)}`
  }
  return first(operands, (one) => problemIn(one, { insideList: insideList || isOverList }))
}

function first(nodes: readonly unknown[], problemOf: (node: unknown) => string | undefined): string | undefined {
  for (const node of nodes) {
    const problem = problemOf(node)
    if (problem !== undefined) return problem
  }
  return undefined
}

function refusal(problem: string): GatewayError {
  return new GatewayError('config_invalid', problem)
}

function firstLine(message = 'it is no condition'): string {
  return message.split('\n', 1).join('').slice(0, 200)
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown'
}

import { GatewayError } from '../errors.ts'
import type { Caller } from '../identify/caller.ts'
import type { RuleSettings } from '../workspaces/access-settings.ts'
import { type Condition, compileCondition, type Facts, type FactsKnown, type Held } from './condition.ts'
import { areBounded, RuleCaller, RuleTool } from './rule-context.ts'
import { nameMatcher } from './tool-names.ts'

/** The arguments of a call, as they came; `undefined` where a list is made. */
export type CallArguments = { readonly value: unknown } | undefined

/** The rules of one workspace, compiled. */
export interface Rules {
  /** Why this caller may not, for the record: which rule it was. Undefined: no rule stands against it. */
  refusalOf(caller: Caller, tool: string, args: CallArguments): string | undefined
}

interface Rule {
  readonly number: number
  readonly effect: RuleSettings['effect']
  readonly concerns: (tool: string) => boolean
  readonly condition: Condition
}

/** A tool with the rules that concern it: worked out at its first call. A server behind us may be asked for any name. */
interface RuledTool {
  readonly concerned: readonly Rule[]
  readonly tool: RuleTool
}

const KNOWN_TOOLS_MAX = 5_000
const KNOWN_NAME_MAX = 200

/**
 * Compiles rules. They narrow what the other settings let through: a `deny` that holds denies, and where there are `allow`s
 * for a tool, one of them must hold. A rule that fails counts against the caller. Without arguments a rule that needs them
 * denies only when it does so whatever they are.
 *
 * @throws GatewayError `config_invalid`: which rule, and what is wrong with it.
 */
export function compileRules(
  settings: readonly RuleSettings[],
  annotationsOf: ((tool: string) => object | undefined) | undefined,
): Rules | undefined {
  if (settings.length === 0) return undefined
  const known: FactsKnown = { annotations: annotationsOf !== undefined }
  const rules = settings.map((one, index) => compileRule(one, index, known))
  const callers = new WeakMap<Caller, RuleCaller>()
  const tools = new Map<string, RuledTool>()

  function ruled(name: string): RuledTool {
    const before = tools.get(name)
    if (before !== undefined) return before
    const concerned = rules.filter(({ concerns }) => concerns(name))
    const made = { concerned, tool: new RuleTool(name, annotationsOf?.(name) ?? {}) }
    if (tools.size >= KNOWN_TOOLS_MAX) tools.clear()
    if (name.length <= KNOWN_NAME_MAX) tools.set(name, made)
    return made
  }

  return {
    refusalOf(caller, name, args) {
      const { concerned, tool } = ruled(name)
      if (concerned.length === 0) return undefined
      let known = callers.get(caller)
      if (known === undefined) {
        known = new RuleCaller(caller)
        callers.set(caller, known)
      }
      return refusalBy(concerned, { caller: known, tool }, args)
    },
  }
}

function compileRule({ effect, tools, when }: RuleSettings, index: number, known: FactsKnown): Rule {
  const matchers = tools.map(nameMatcher)
  try {
    const condition = compileCondition(when, known)
    return { number: index + 1, effect, concerns: (tool) => matchers.some((matches) => matches(tool)), condition }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    throw new GatewayError(error.code, `access.rules.${index}.when: ${error.message}`, { cause: error.cause })
  }
}

function refusalBy(rules: readonly Rule[], who: Omit<Facts, 'args'>, args: CallArguments): string | undefined {
  let isAllowed = false
  const unheld: string[] = []
  for (const { number, effect, condition } of rules) {
    const held = evaluate(condition, who, args)
    if (effect === 'allow') {
      if (held.kind === 'true' || held.kind === 'unknown') isAllowed = true
      else unheld.push(held.kind === 'failed' ? `${number} failed: ${held.code}` : `${number}`)
    } else if (held.kind === 'true') return `rule ${number} denies`
    else if (held.kind === 'failed') return `rule ${number} failed: ${held.code}`
  }
  // Without an `allow` for the tool there is none that would have to hold.
  return isAllowed || unheld.length === 0 ? undefined : `no rule allows it (${unheld.join(', ')})`
}

function evaluate(condition: Condition, who: Omit<Facts, 'args'>, args: CallArguments): Held {
  if (args === undefined || !condition.needsArguments) return condition.evaluate({ ...who, args: undefined })
  const { value = {} } = args
  if (!isRecord(value)) return { kind: 'failed', code: 'arguments_not_an_object' }
  if (!areBounded(value)) return { kind: 'failed', code: 'arguments_too_large' }
  return condition.evaluate({ ...who, args: value })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { GatewayError } from '../errors.ts'
import { networkOf } from './failed-auth.ts'
import { type Taken, WindowCounter } from './window-counter.ts'

/** How much one caller may do in a window; undefined: as much as he likes. */
export interface Allowance {
  readonly maxRequests?: number | undefined
  readonly maxToolCalls?: number | undefined
}

/** The limits of one workspace (seed 003, `rateLimiting`). */
export interface CallerLimitSettings extends Allowance {
  readonly enabled: boolean
  readonly windowMs: number
  /** All callers behind one address together. IPv6 counts by its /64, here and for callers without a credential. */
  readonly maxRequestsPerAddress?: number | undefined
  /** In place of the general allowance, for callers without a credential. */
  readonly anonymous?: Partial<Allowance> | undefined
  /** In place of it, for callers with the admin scope. */
  readonly admin?: Partial<Allowance> | undefined
  readonly adminScope: string
  /** Calls of one tool by one caller. */
  readonly tools: Readonly<Record<string, number>>
}

/** Who is counted. */
export interface CountedCaller {
  readonly kind: string
  readonly issuer: string
  readonly subject: string
  readonly scopes: ReadonlySet<string>
}

/** What is counted of a request. */
export interface CountedRequest {
  readonly caller: CountedCaller
  readonly address: string
  /** Of a `tools/call`. */
  readonly tool: string | undefined
  /** Milliseconds that never run backwards. */
  readonly now: number
}

/** @throws GatewayError `rate_limited` with the seconds after which it makes sense to come again. */
export type CheckLimits = (request: CountedRequest) => void

/** More workspaces with limits than this: the one that was opened longest ago begins to count anew at its next change. */
const WORKSPACES_MAX = 10_000

/**
 * The limits of all workspaces, by their ids. A workspace is opened again at each change of its settings; who has used up
 * his share must not get another one by that, so counts go on unless the limits themselves change.
 */
export class CallerLimits {
  readonly #known = new Map<string, { readonly settings: string; readonly check: CheckLimits | undefined }>()

  /** Undefined when there are none. */
  of(workspaceId: string, limits: CallerLimitSettings): CheckLimits | undefined {
    const settings = JSON.stringify(limits)
    const before = this.#known.get(workspaceId)
    const entry = before?.settings === settings ? before : { settings, check: compileCallerLimits(limits) }
    this.#known.delete(workspaceId)
    this.#known.set(workspaceId, entry)
    const [oldest] = this.#known.keys()
    if (this.#known.size > WORKSPACES_MAX && oldest !== undefined) this.#known.delete(oldest)
    return entry.check
  }
}

/** Compiles the limits of one workspace; undefined when there are none. Counts live in memory, for this workspace alone. */
export function compileCallerLimits(settings: CallerLimitSettings): CheckLimits | undefined {
  const { windowMs, maxRequestsPerAddress, tools } = settings
  if (!settings.enabled || !saysAnything(settings)) return undefined
  const counter = new WindowCounter({ windowMs })
  const limitOfTool = new Map(Object.entries(tools))
  const known = new WeakMap<CountedCaller, CountedNames>()
  const take = (what: string, name: string, max: number | undefined, now: number) => {
    if (max !== undefined) pass(counter.take(name, max, now), what)
  }
  const namesOf = (caller: CountedCaller, address: string): CountedNames => {
    // Callers without a name are told apart by their address.
    if (caller.kind === 'anonymous') return countedNames([networkOf(address)])
    const before = known.get(caller)
    if (before !== undefined) return before
    const names = countedNames([caller.issuer, caller.subject])
    known.set(caller, names)
    return names
  }
  return ({ caller, address, tool, now }) => {
    const allowance = allowanceOf(caller, settings)
    const names = namesOf(caller, address)
    if (maxRequestsPerAddress !== undefined) {
      take('requests from this address', `address ${networkOf(address)}`, maxRequestsPerAddress, now)
    }
    take('requests', names.requests, allowance.maxRequests, now)
    if (tool === undefined) return
    take('tool calls', names.toolCalls, allowance.maxToolCalls, now)
    const ofTool = limitOfTool.get(tool)
    if (ofTool !== undefined) take('calls of this tool', names.ofTool(tool), ofTool, now)
  }
}

/** What a caller is counted under. Whoever comes back is the same object, and making these costs more than counting. */
interface CountedNames {
  readonly requests: string
  readonly toolCalls: string
  /** Only for tools that have a limit: those are few. */
  ofTool(tool: string): string
}

function countedNames(who: readonly string[]): CountedNames {
  const name = JSON.stringify(who)
  const tools = new Map<string, string>()
  return {
    requests: `requests ${name}`,
    toolCalls: `tool calls ${name}`,
    ofTool(tool) {
      const counted = tools.get(tool) ?? `tool ${JSON.stringify([tool, name])}`
      tools.set(tool, counted)
      return counted
    },
  }
}

function saysAnything({ anonymous, admin, tools, ...general }: CallerLimitSettings): boolean {
  const numbers = [general, anonymous, admin].flatMap((it) => [it?.maxRequests, it?.maxToolCalls])
  return [...numbers, general.maxRequestsPerAddress, ...Object.values(tools)].some((max) => max !== undefined)
}

/** The tier of a caller (FEATURES H4). A tier that says nothing of a number has the general one. */
function allowanceOf(caller: CountedCaller, settings: CallerLimitSettings): Allowance {
  const isAdmin = caller.scopes.has(settings.adminScope)
  const tier = caller.kind === 'anonymous' ? settings.anonymous : isAdmin ? settings.admin : undefined
  return {
    maxRequests: tier?.maxRequests ?? settings.maxRequests,
    maxToolCalls: tier?.maxToolCalls ?? settings.maxToolCalls,
  }
}

function pass(taken: Taken, what: string): void {
  if (taken.ok) return
  const retryAfterSeconds = Math.ceil(taken.retryAfterMs / 1000)
  throw new GatewayError('rate_limited', `Too many ${what}. Try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
    data: { retryAfter: retryAfterSeconds },
  })
}

import type { Caller } from '../identify/caller.ts'
import type { ToolScopeSettings } from '../workspaces/access-settings.ts'
import type { CallArguments, Rules } from './rules.ts'

/** Which tools of a workspace are for whom. Compiled when the settings change. */
export interface ToolRules {
  /** The only ones there are for anybody; undefined: all that the source has. */
  readonly offered: ReadonlySet<string> | undefined
  /** Somebody without a credential may come in: there is something for him to see or to call. */
  readonly admitsAnonymous: boolean
  /** The list is for him too. */
  readonly opensList: boolean
  /** He sees what he could call after signing in. */
  readonly showsAllToAnonymous: boolean
  /** For everybody, also without a credential. */
  readonly isPublic: (tool: string) => boolean
  /** Scopes that a tool needs besides those that every call needs; undefined: no tool needs any. */
  readonly scopesOf: ((tool: string) => ToolScopeSettings | undefined) | undefined
  readonly isForAdmins: (tool: string) => boolean
  readonly rules: Rules | undefined
}

/** `unknown`: for this workspace there is no such tool. `scopes` are all that the call needs (RFC 6750 §3.1). `why` is for the record. */
export type ToolDecision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: 'unknown' | 'missing_token' }
  | { readonly allowed: false; readonly reason: 'insufficient_scope'; readonly scopes: readonly string[] }
  | { readonly allowed: false; readonly reason: 'forbidden'; readonly why: string }

/** The terms of one workspace for one caller. */
export interface Terms {
  readonly rules: ToolRules
  /** Scopes that every call of this caller needs. */
  readonly required: readonly string[]
  /** `authType` is `none`: nobody is asked who he is. */
  readonly isOpenToAll: boolean
}

/** A tool, and what a call of it brings; a list is decided without arguments. */
export interface AskedTool {
  readonly name: string
  readonly args: CallArguments
}

const ALLOWED: ToolDecision = { allowed: true }

/** Whether this caller may call this tool. Pure: lists and calls are both decided by it, so neither knows what the other does not. */
export function decideTool(caller: Caller, { name, args }: AskedTool, terms: Terms): ToolDecision {
  const { rules, isOpenToAll } = terms
  const isStranger = caller.kind === 'anonymous' && !isOpenToAll
  const decision = decide(caller, name, terms, isStranger)
  // The process that started us over stdio is nobody's stranger.
  if (!decision.allowed || rules.rules === undefined || caller.kind === 'local') return decision
  const why = rules.rules.refusalOf(caller, name, args)
  if (why === undefined) return ALLOWED
  // He may prove to be somebody whom the rule lets through.
  return isStranger ? { allowed: false, reason: 'missing_token' } : { allowed: false, reason: 'forbidden', why }
}

function decide(caller: Caller, name: string, terms: Terms, isStranger: boolean): ToolDecision {
  const { rules, required, isOpenToAll } = terms
  if (rules.offered !== undefined && !rules.offered.has(name)) {
    // One answer for what he may not call and what there is not: a stranger cannot find out names.
    return { allowed: false, reason: isStranger ? 'missing_token' : 'unknown' }
  }
  if (isOpenToAll || caller.kind === 'local' || rules.isPublic(name)) return ALLOWED
  if (isStranger) return { allowed: false, reason: 'missing_token' }
  const ofTool = rules.scopesOf?.(name)
  if (hasScopes(caller, required, ofTool)) return ALLOWED
  return { allowed: false, reason: 'insufficient_scope', scopes: scopesOfCall(caller, required, ofTool) }
}

function hasScopes(
  { scopes }: Pick<Caller, 'scopes'>,
  required: readonly string[],
  ofTool: ToolScopeSettings | undefined,
): boolean {
  const isHeld = (scope: string) => scopes.has(scope)
  if (!required.every(isHeld)) return false
  if (ofTool === undefined) return true
  return ofTool.allOf.every(isHeld) && (ofTool.anyOf.length === 0 || ofTool.anyOf.some(isHeld))
}

/**
 * All scopes that this caller's call needs. Of `anyOf` it is one that he has, else the first: whoever sets several writes first
 * the one that people should ask for.
 */
function scopesOfCall(
  caller: Pick<Caller, 'scopes'>,
  required: readonly string[],
  ofTool: ToolScopeSettings | undefined,
): readonly string[] {
  if (ofTool === undefined) return required
  const { allOf, anyOf } = ofTool
  const [first] = anyOf
  const one = anyOf.find((scope) => caller.scopes.has(scope)) ?? first
  return [...new Set([...required, ...allOf, ...(one === undefined ? [] : [one])])]
}

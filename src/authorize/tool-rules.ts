import type { Caller } from '../identify/caller.ts'

/** Which tools of a workspace are for whom. Compiled when the settings change. */
export interface ToolRules {
  /** The only ones there are for anybody; undefined: all that the source has. */
  readonly offered: ReadonlySet<string> | undefined
  /** For everybody, also without a credential. */
  readonly publicTools: ReadonlySet<string>
  /** Scopes that a tool needs besides those that every call needs. All of them. */
  readonly scopes: ReadonlyMap<string, readonly string[]>
}

/** Every tool of the source is for everybody who may come in. */
export const ALL_TOOLS: ToolRules = { offered: undefined, publicTools: new Set(), scopes: new Map() }

/** `unknown`: for this workspace there is no such tool. `scopes` are all that the call needs (RFC 6750 §3.1). */
export type ToolDecision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: 'unknown' | 'missing_token' }
  | { readonly allowed: false; readonly reason: 'insufficient_scope'; readonly scopes: readonly string[] }

const ALLOWED: ToolDecision = { allowed: true }

/** Whether this caller may call this tool; `required` are the scopes that every call of the caller needs. Pure. */
export function decideTool(
  rules: ToolRules,
  caller: Pick<Caller, 'kind' | 'scopes'>,
  tool: string,
  { required, isOpenToAll }: { readonly required: readonly string[]; readonly isOpenToAll: boolean },
): ToolDecision {
  if (rules.offered !== undefined && !rules.offered.has(tool)) return { allowed: false, reason: 'unknown' }
  if (rules.publicTools.has(tool)) return ALLOWED
  // `authType: 'none'` asks nobody, and the process that started us over stdio is nobody's stranger.
  if (isOpenToAll || caller.kind === 'local') return ALLOWED
  if (caller.kind === 'anonymous') return { allowed: false, reason: 'missing_token' }
  const scopes = [...new Set([...required, ...(rules.scopes.get(tool) ?? [])])]
  if (scopes.every((scope) => caller.scopes.has(scope))) return ALLOWED
  return { allowed: false, reason: 'insufficient_scope', scopes }
}

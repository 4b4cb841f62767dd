import { GatewayError } from '../errors.ts'
import type { Caller } from '../identify/caller.ts'
import { checkScopes, insufficientScope } from './scopes.ts'
import { type AskedTool, decideTool, type Terms } from './tool-rules.ts'

/** What a message asks for, as far as access is concerned. */
export type Wish =
  | ({ readonly kind: 'tool' } & AskedTool)
  | { readonly kind: 'list' }
  /** What a client says before and around its calls: hello, ping. */
  | { readonly kind: 'greeting' }
  | { readonly kind: 'other' }
  /** A call in a spelling that is no method. A server that is passed through may be lenient, so it never sees one. */
  | { readonly kind: 'misspelt' }

/**
 * Lets a wish through or throws the challenge. Pure. A caller without a credential comes this far only where something is
 * public: he may say hello, list where the list is for him too, and call what is public.
 *
 * @throws GatewayError `missing_token`, `insufficient_scope` with every scope the call needs, `forbidden` where a rule denies
 * (the rule stands in its cause), or `invalid_params` for a tool that is not offered: the same words as for one that never was.
 */
export function authorize(caller: Caller, wish: Wish, terms: Terms): void {
  if (wish.kind === 'tool') {
    authorizeTool(caller, wish, terms)
    return
  }
  if (!terms.isOpenToAll) authorizeOther(caller, wish.kind, terms)
  if (wish.kind === 'misspelt') throw new GatewayError('method_not_found', 'Method not found')
}

function authorizeOther(caller: Caller, kind: Exclude<Wish['kind'], 'tool'>, terms: Terms): void {
  if (caller.kind !== 'anonymous') checkScopes(caller, terms.required)
  else if (kind === 'other' || kind === 'misspelt' || (kind === 'list' && !terms.rules.opensList)) throw missingToken()
}

/** Somebody without a credential where others have one: nothing but tools can be for him. */
export function isStranger(caller: Caller, { isOpenToAll }: Terms): boolean {
  return caller.kind === 'anonymous' && !isOpenToAll
}

/** Which tools this caller sees; undefined when the workspace hides none from him. */
export function toolFilter(caller: Caller, terms: Terms): ((name: string) => boolean) | undefined {
  const { rules, isOpenToAll } = terms
  const isKnown = isOpenToAll || caller.kind === 'local'
  const isUnknown = isStranger(caller, terms)
  const seesAll = isKnown || (!isUnknown && rules.scopesOf === undefined)
  const hasRules = rules.rules !== undefined && caller.kind !== 'local'
  if (rules.offered === undefined && seesAll && !hasRules) return undefined
  return (name) => {
    const decision = decideTool(caller, { name, args: undefined }, terms)
    if (decision.allowed || !isUnknown || !rules.showsAllToAnonymous) return decision.allowed
    return (rules.offered?.has(name) ?? true) && !rules.isForAdmins(name)
  }
}

/** For a tool that is not there, or not for anybody. */
export function unknownTool(name: string): GatewayError {
  return new GatewayError('invalid_params', `Unknown tool: ${name.slice(0, 100)}`)
}

function authorizeTool(caller: Caller, asked: AskedTool, terms: Terms): void {
  const decision = decideTool(caller, asked, terms)
  if (decision.allowed) return
  switch (decision.reason) {
    case 'missing_token':
      throw missingToken()
    case 'insufficient_scope':
      throw insufficientScope(decision.scopes, caller)
    case 'forbidden':
      // Not a word about the rule: it may tell of others. No challenge either, since no other token would help (RFC 6750 §3.1).
      throw new GatewayError('forbidden', 'You are not allowed to call this tool.', { cause: decision.why })
    case 'unknown':
      throw unknownTool(asked.name)
  }
}

function missingToken(): GatewayError {
  return new GatewayError('missing_token', 'No authorization header provided')
}

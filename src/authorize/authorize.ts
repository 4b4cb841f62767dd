import { GatewayError } from '../errors.ts'
import type { Caller } from '../identify/caller.ts'
import { checkScopes } from './scopes.ts'
import { decideTool, type ToolRules } from './tool-rules.ts'

/** What a message asks for, as far as access is concerned. */
export type Wish =
  | { readonly kind: 'tool'; readonly name: string }
  /** What a client says before and around its calls: hello, ping, the list of tools. */
  | { readonly kind: 'greeting' }
  | { readonly kind: 'other' }

/** The terms of one workspace for one caller. */
export interface Terms {
  readonly rules: ToolRules
  /** Scopes that every call of this caller needs. */
  readonly required: readonly string[]
  /** `authType` is `none`: nobody is asked who he is. */
  readonly isOpenToAll: boolean
}

/**
 * Lets a wish through or throws the challenge. Pure. A caller without a credential comes this far only where some tools are
 * public: he may say hello, list, and call those.
 *
 * @throws GatewayError `missing_token`, `insufficient_scope` with every scope the call needs, or `invalid_params` for a tool
 * that is not offered: the same words as for one that never was.
 */
export function authorize(caller: Caller, wish: Wish, terms: Terms): void {
  if (wish.kind === 'tool') {
    authorizeTool(caller, wish.name, terms)
    return
  }
  if (terms.isOpenToAll) return
  if (caller.kind === 'anonymous' && wish.kind === 'other') throw missingToken()
  if (caller.kind !== 'anonymous') checkScopes(caller, terms.required)
}

/** Which tools this caller may call; undefined when the workspace hides none from anybody. */
export function toolFilter(caller: Caller, terms: Terms): ((name: string) => boolean) | undefined {
  const { offered, scopes } = terms.rules
  const seesAll = terms.isOpenToAll || caller.kind === 'local' || (caller.kind !== 'anonymous' && scopes.size === 0)
  if (offered === undefined && seesAll) return undefined
  return (name) => decideTool(terms.rules, caller, name, terms).allowed
}

/** For a tool that is not there, or not for anybody. */
export function unknownTool(name: string): GatewayError {
  return new GatewayError('invalid_params', `Unknown tool: ${name.slice(0, 100)}`)
}

function authorizeTool(caller: Caller, name: string, terms: Terms): void {
  const decision = decideTool(terms.rules, caller, name, terms)
  if (decision.allowed) return
  switch (decision.reason) {
    case 'missing_token':
      throw missingToken()
    case 'insufficient_scope':
      checkScopes(caller, decision.scopes)
      return
    case 'unknown':
      throw unknownTool(name)
  }
}

function missingToken(): GatewayError {
  return new GatewayError('missing_token', 'No authorization header provided')
}

import { GatewayError } from '../errors.ts'
import type { Caller } from '../identify/caller.ts'

/** The required scopes that the caller does not have, in the order in which they are required. */
export function missingScopes(required: readonly string[], caller: Pick<Caller, 'scopes'>): readonly string[] {
  return required.filter((scope) => !caller.scopes.has(scope))
}

/**
 * Passes a caller who has every required scope.
 *
 * @throws GatewayError `insufficient_scope` with every scope the call needs, not only the missing ones: a client asks for
 * exactly these next (RFC 6750 §3.1).
 */
export function checkScopes(caller: Pick<Caller, 'scopes'>, required: readonly string[]): void {
  if (missingScopes(required, caller).length > 0) throw insufficientScope(required, caller)
}

/** The refusal of a caller who lacks some of these. */
export function insufficientScope(required: readonly string[], caller: Pick<Caller, 'scopes'>): GatewayError {
  const cause = new Error(`missing: ${missingScopes(required, caller).join(' ')}`)
  return new GatewayError('insufficient_scope', 'The token lacks a scope that this call needs.', {
    scopes: required,
    cause,
  })
}

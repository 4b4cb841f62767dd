import { quoted } from '../identify/jwt-failure.ts'
import { member, type UnverifiedToken } from '../identify/unverified-token.ts'
import { type Check, failed } from './report.ts'
import { differInSlashes } from './urls.ts'

/** Whether the token comes from one of these issuers by its own word. Pure; undefined when it does, or nobody is named. */
export function checkTokenIssuer({ claims }: UnverifiedToken, issuers: readonly string[]): Check | undefined {
  if (issuers.length === 0) return undefined
  const issuer = member(claims, 'iss')
  if (issuer === undefined) return failed('token issuer', 'issuer_absent')
  const seen = `The token says iss ${quoted(issuer)}; accepted is ${quoted(issuers)}.`
  if (typeof issuer !== 'string') return failed('token issuer', 'issuer_wrong', seen)
  if (!issuers.includes(issuer)) {
    const isSlash = issuers.some((other) => differInSlashes(issuer, other))
    return failed('token issuer', isSlash ? 'issuer_slash' : 'issuer_wrong', seen)
  }
  return undefined
}

/** A shared secret where public keys are published. Pure. */
export function checkSecretSigned({ header }: UnverifiedToken): Check | undefined {
  const alg = member(header, 'alg')
  if (typeof alg !== 'string' || !alg.startsWith('HS')) return undefined
  return failed('algorithm', 'algorithm_hmac', `alg is ${quoted(alg)}.`)
}

/**
 * Why an audience is the wrong one. Pure; undefined when one of the accepted is among the token's. `endpoint`: the URL that
 * was called, to tell a token of another workspace.
 */
export function checkTokenAudience(
  { claims }: UnverifiedToken,
  { accepted, endpoint }: { readonly accepted: readonly string[]; readonly endpoint: URL },
): Check | undefined {
  const audience = member(claims, 'aud')
  if (audience === undefined) return failed('token audience', 'audience_absent')
  const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  if (accepted.some((one) => audiences.includes(one))) return undefined
  const seen = `The token says aud ${quoted(audience)}; accepted is ${quoted(accepted)}.`
  const texts = audiences.filter((one) => typeof one === 'string')
  if (texts.some((one) => accepted.some((other) => differInSlashes(one, other)))) {
    return failed('token audience', 'audience_slash', seen)
  }
  const isSibling = texts.some((one) => {
    const url = URL.parse(one)
    return url?.origin === endpoint.origin && url.pathname !== endpoint.pathname && url.pathname !== '/'
  })
  return failed('token audience', isSibling ? 'audience_other_workspace' : 'audience_wrong', seen)
}

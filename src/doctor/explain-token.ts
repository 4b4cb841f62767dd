import { checkClaims } from '../identify/claims.ts'
import { member, readToken } from '../identify/unverified-token.ts'

/** What a token says of itself. None of it is proven: nothing here looks at the signature. */
export interface ExplainedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** Sentences: what would have it refused wherever it is shown, and what was not looked at. */
  readonly findings: readonly string[]
}

/** Reads a JWT for a person, offline. `now` in milliseconds since the epoch. Verifies nothing, and says so. */
export function explainToken(text: string, now: number): ExplainedToken {
  const token = readToken(text)
  if (!token.ok)
    return { header: {}, claims: {}, findings: [`This is no JWT: ${token.detail}. Every server refuses it.`] }
  const { header, claims } = token
  const findings: string[] = []
  if (String(member(header, 'alg')).toLowerCase() === 'none')
    findings.push('It is not signed (alg none): refused everywhere.')
  if (member(header, 'crit') !== undefined) findings.push('It has a critical header (crit), which Gatehouse refuses.')
  if (member(claims, 'aud') === undefined) findings.push('It names no audience (aud): refused where one is expected.')
  const isEndless = member(claims, 'exp') === undefined
  if (isEndless) findings.push('It has no exp: good only where it was issued, since it can be revoked there.')
  const expected = { issuers: undefined, audiences: undefined, clockToleranceSeconds: 0, allowExpired: false }
  const issuers = typeof member(claims, 'iss') === 'string' ? [String(member(claims, 'iss'))] : undefined
  const failure = checkClaims(claims, { ...expected, issuers, allowEndless: true }, now)
  if (failure !== undefined) findings.push(`It would be refused now: ${failure.message} (${failure.detail}).`)
  else findings.push(`It could be good${isEndless ? '' : ' at this moment'}, as far as its own words go.`)
  findings.push('Its signature was not verified, and nobody was asked whether it was revoked.')
  return { header, claims, findings }
}

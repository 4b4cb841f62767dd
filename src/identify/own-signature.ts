import { compactVerify, errors } from 'jose'
import { SIGNING_ALGORITHM, type SigningKeys } from '../tokens/signing-keys.ts'
import { type JwtFailure, jwtFailure, quoted } from './jwt-failure.ts'
import { member, type UnverifiedToken } from './unverified-token.ts'

/** Why the token was not signed by one of our keys; undefined: it was. Checks no claim. */
export async function ownSignatureFailure(
  { token, header }: UnverifiedToken,
  keys: Pick<SigningKeys, 'find'>,
): Promise<JwtFailure | undefined> {
  const critical = member(header, 'crit')
  if (critical !== undefined) return jwtFailure('critical', `the token says crit ${quoted(critical)}`)
  const alg = member(header, 'alg')
  if (alg !== SIGNING_ALGORITHM) return jwtFailure('algorithm', `the token says alg ${quoted(alg)}`)
  const kid = member(header, 'kid')
  const key = typeof kid === 'string' ? keys.find(kid) : undefined
  if (key === undefined) return jwtFailure('key_id', `the token says kid ${quoted(kid)}`)
  try {
    await compactVerify(token, key, { algorithms: [SIGNING_ALGORITHM] })
    return undefined
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return jwtFailure('signature', `kid ${quoted(kid)}`)
    throw error
  }
}

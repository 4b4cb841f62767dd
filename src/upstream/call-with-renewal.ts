import type { Credential } from '../credentials/credential.ts'
import type { OperationCredential } from '../credentials/credentials.ts'
import type { CredentialContext } from '../credentials/login-flow.ts'

/**
 * Calls with the `credential`, and once more with a renewed one after the API has answered 401 (FEATURES D8). A second 401 is
 * the answer, and so is a first one when there is nothing to renew. Any method is sent again: a 401 means that the API has
 * not acted (RFC 9110 §15.5.2).
 *
 * `call` must not keep the credential. Throws what `source` and `call` throw.
 */
export async function callWithRenewal<Answer extends { readonly status: number }>(
  source: OperationCredential,
  ctx: CredentialContext,
  credential: Credential,
  call: (credential: Credential) => Promise<Answer>,
): Promise<Answer> {
  const answer = await call(credential)
  if (answer.status !== 401) return answer
  const renewed = await source.renew(ctx, credential)
  return renewed === undefined ? answer : call(renewed)
}

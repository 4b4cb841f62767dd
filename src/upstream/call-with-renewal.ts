import type { Credentials } from '../credentials/credentials.ts'
import type { CredentialContext } from '../credentials/login-flow.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'

/**
 * Calls with the credential's `headers`, and once more with a renewed one after the API has answered 401 (FEATURES D8). A second 401 is
 * the answer, and so is a first one when there is nothing to renew. Any method is sent again: a 401 means that the API has
 * not acted (RFC 9110 §15.5.2).
 *
 * `call` must not keep the headers. Throws what the credentials and `call` throw.
 */
export async function callWithRenewal<Answer extends { readonly status: number }>(
  credentials: Credentials,
  ctx: CredentialContext,
  headers: HeaderSet,
  call: (credentialHeaders: HeaderSet) => Promise<Answer>,
): Promise<Answer> {
  const answer = await call(headers)
  if (answer.status !== 401) return answer
  const renewed = await credentials.renew(ctx, headers)
  return renewed === undefined ? answer : call(renewed)
}

import type { Credential } from '../credentials/credential.ts'
import type { OperationCredential } from '../credentials/credentials.ts'
import type { CredentialContext } from '../credentials/login-flow.ts'

/** How a call is made, and what becomes of its answer. */
export interface RenewableCall<Answer, Result> {
  /** Must not keep the credential. */
  send(credential: Credential): Promise<Answer>
  /** `credential` is the one that the answer came to. */
  finish(answer: Answer, credential: Credential): Result
}

/**
 * Calls with the `credential`, and once more with a renewed one after the API has answered 401 (FEATURES D8). A second 401 is
 * the answer, and so is a first one when there is nothing to renew. Any method is sent again: a 401 means that the API has
 * not acted (RFC 9110 §15.5.2).
 *
 * Throws what `source` and `call` throw.
 */
export async function callWithRenewal<Answer extends { readonly status: number }, Result>(
  source: OperationCredential,
  ctx: CredentialContext,
  credential: Credential | Promise<Credential>,
  call: RenewableCall<Answer, Result>,
): Promise<Result> {
  // Awaiting what is there already would cost every call a turn of the queue.
  const first = credential instanceof Promise ? await credential : credential
  const answer = await call.send(first)
  if (answer.status !== 401) return call.finish(answer, first)
  const renewed = await source.renew(ctx, first)
  if (renewed === undefined) return call.finish(answer, first)
  return call.finish(await call.send(renewed), renewed)
}

import { sha256 } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import type { Caller } from './caller.ts'
import { checkProof, PROOF_ALGORITHMS, type ProofProblem } from './dpop.ts'
import type { UsedProofs } from './dpop-used.ts'
import type { IdentifyRequest } from './identify.ts'

export interface ProofTerms {
  /** Our public URL. */
  readonly publicUrl: string
  readonly used: UsedProofs
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Lets the caller of a bound token through when the request proves the key (RFC 9449 §7.1), once.
 *
 * @throws GatewayError `invalid_token` with a DPoP challenge; `unavailable` when the proof cannot be remembered.
 */
export async function requireProof(
  request: IdentifyRequest,
  accessToken: string,
  caller: Caller,
  { publicUrl, used, now }: ProofTerms,
): Promise<void> {
  const { method, path } = request
  if (caller.boundTo === undefined) throw notBound()
  if (method === undefined || path === undefined) throw refusedProof('missing')
  const expected = { method, url: publicUrl + path, accessToken, keyThumbprint: caller.boundTo, now }
  const checked = await checkProof(request.header('dpop'), expected)
  if (!checked.ok) throw refusedProof(checked.problem)
  const { keyThumbprint, jti } = checked
  // By key: nobody uses up another's names.
  if (!(await used.take(sha256(`${keyThumbprint} ${jti}`), checked))) throw refusedProof('repeated')
}

/** A bound token that came as Bearer: whoever stole it would send it so (RFC 9449 §7.2). */
export function boundAsBearer(): GatewayError {
  return new GatewayError(
    'invalid_token',
    'The token is bound to a key: send it with Authorization: DPoP and a proof.',
    {
      cause: 'a token with cnf came as Bearer',
      dpop: { algorithms: PROOF_ALGORITHMS },
    },
  )
}

export function malformedBoundToken(): GatewayError {
  return new GatewayError(
    'invalid_token',
    'Invalid authorization format. Expected: DPoP <token>, and nothing beside it',
    {
      dpop: { algorithms: PROOF_ALGORITHMS, error: 'invalid_token' },
    },
  )
}

function notBound(): GatewayError {
  return new GatewayError('invalid_token', 'The token is not bound to a key: send it with Authorization: Bearer.', {
    cause: 'a token without cnf came as DPoP',
    dpop: { algorithms: PROOF_ALGORITHMS, error: 'invalid_token' },
  })
}

const MESSAGES: Readonly<Record<ProofProblem, string>> = {
  missing: 'The DPoP proof is missing.',
  malformed: 'The DPoP proof cannot be read, or lacks something.',
  signature: 'The DPoP proof is not signed by its key.',
  request: 'The DPoP proof is for another request (htm, htu).',
  time: 'The DPoP proof is too old, or of the future (iat).',
  token: 'The DPoP proof is for another token (ath).',
  key: 'The DPoP proof is of another key than the token is bound to.',
  repeated: 'The DPoP proof was used before (jti).',
}

function refusedProof(problem: ProofProblem): GatewayError {
  return new GatewayError('invalid_token', MESSAGES[problem], {
    cause: `DPoP proof: ${problem}`,
    dpop: { algorithms: PROOF_ALGORITHMS, error: 'invalid_dpop_proof' },
  })
}

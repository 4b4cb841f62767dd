import type { JwtFailureKind } from '../identify/jwt-failure.ts'
import { member, type UnverifiedToken } from '../identify/unverified-token.ts'
import type { CauseCode } from './causes.ts'

/** The cause behind a kind of refusal of the verifier; the token tells apart what a kind has in common. */
export function causeOfJwtFailure(kind: JwtFailureKind, { header, claims }: UnverifiedToken): CauseCode {
  switch (kind) {
    case 'malformed':
      return 'token_malformed'
    case 'type':
      return 'token_type_wrong'
    case 'critical':
      return 'header_critical'
    case 'algorithm':
      return String(member(header, 'alg')).startsWith('HS') ? 'algorithm_hmac' : 'algorithm_wrong'
    case 'key_id':
      return member(header, 'kid') === undefined ? 'key_id_absent' : 'key_id_unknown'
    case 'key_source':
      return 'keys_unreachable'
    case 'signature':
      return 'signature_wrong'
    case 'issuer':
      return member(claims, 'iss') === undefined ? 'issuer_absent' : 'issuer_wrong'
    case 'audience':
      return member(claims, 'aud') === undefined ? 'audience_absent' : 'audience_wrong'
    case 'not_yet_valid':
      return 'token_not_yet_valid'
    case 'expired':
      return 'token_expired'
    case 'revoked':
      return 'token_revoked'
    case 'api_key':
      return 'api_key_refused'
    case 'missing_claim':
      return member(claims, 'exp') === undefined ? 'expiry_missing' : 'subject_missing'
  }
}

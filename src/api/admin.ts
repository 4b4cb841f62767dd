import { equalInConstantTime } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { FailedAuthLimit } from '../limits/failed-auth.ts'

/**
 * Lets only the holder of the admin key through (PRODUCT.md, 14). No cookie is ever looked at, so another site's page
 * cannot act with the key (THREATS.md, T18).
 *
 * @throws GatewayError `missing_token`, `invalid_token`, `rate_limited` after too many wrong keys from one address.
 */
export function requireAdmin(
  exchange: Exchange,
  { adminKey, failedAuth }: { readonly adminKey: string; readonly failedAuth: FailedAuthLimit },
): void {
  const { clientAddress, startedAt } = exchange
  failedAuth.check(clientAddress, startedAt)
  const match = /^Bearer +([^\s]+)$/i.exec(exchange.header('authorization') ?? '')
  if (match?.[1] === undefined)
    throw new GatewayError('missing_token', 'The management API needs Authorization: Bearer <admin key>.')
  if (equalInConstantTime(match[1], adminKey)) return
  failedAuth.failed(clientAddress, startedAt)
  throw new GatewayError('invalid_token', 'This is not the admin key.')
}

import { equalInConstantTime } from '../crypto/hash.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'

/**
 * Lets only the holder of the admin key through (PRODUCT.md, 14). No cookie is ever looked at, so another site's page
 * cannot act with the key (THREATS.md, T18).
 *
 * @throws GatewayError `missing_token`, `invalid_token`
 */
export function requireAdmin(exchange: Exchange, adminKey: string): void {
  const match = /^Bearer +([^\s]+)$/i.exec(exchange.header('authorization') ?? '')
  if (match?.[1] === undefined)
    throw new GatewayError('missing_token', 'The management API needs Authorization: Bearer <admin key>.')
  if (!equalInConstantTime(match[1], adminKey)) throw new GatewayError('invalid_token', 'This is not the admin key.')
}

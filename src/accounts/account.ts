import { GatewayError } from '../errors.ts'
import type { Store } from '../store/store.ts'

/** A tenant: workspaces and issued credentials belong to one. */
export interface Account {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly createdAt: number
}

/** The account that every store has from its first start. */
export async function defaultAccount(store: Pick<Store, 'accounts'>): Promise<Account> {
  const [first] = await store.accounts.list()
  if (first === undefined) throw new GatewayError('internal', 'Internal error', { cause: 'the store has no account' })
  return { id: first.id, slug: first.slug, name: first.name, createdAt: first.created_at }
}

/** The account as a URL: what tokens of the account have as `aud` (PRODUCT.md, 6). `publicUrl` has no trailing slash. */
export function accountUrl(publicUrl: string, accountId: string): string {
  return `${publicUrl}/accounts/${accountId}`
}

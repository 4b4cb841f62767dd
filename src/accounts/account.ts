import { GatewayError } from '../errors.ts'
import type { Store } from '../store/store.ts'

/** A tenant: workspaces and issued credentials belong to one. */
export interface Account {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly createdAt: number
}

/** The slug of the account that every store has from its first start. No account's slug ever changes. */
export const DEFAULT_SLUG = 'default'

/** All accounts, oldest first. */
export async function listAccounts(store: Pick<Store, 'accounts'>): Promise<readonly Account[]> {
  return (await store.accounts.list()).map(({ id, slug, name, created_at }) => ({
    ...{ id, slug, name },
    createdAt: created_at,
  }))
}

/** The account that every store has from its first start. */
export async function defaultAccount(store: Pick<Store, 'accounts'>): Promise<Account> {
  const found = (await listAccounts(store)).find(({ slug }) => slug === DEFAULT_SLUG)
  if (found === undefined) throw new GatewayError('internal', 'Internal error', { cause: 'the store has no account' })
  return found
}

/** The account as a URL: what tokens of the account have as `aud` (PRODUCT.md, 6). `publicUrl` has no trailing slash. */
export function accountUrl(publicUrl: string, accountId: string): string {
  return `${publicUrl}/accounts/${accountId}`
}

import { type Account, accountUrl } from '../accounts/account.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { createIssuedCredentials, type IssuedCredentials } from '../identify/issued.ts'
import type { TokenManagerOptions } from '../manage/token-manager.ts'
import type { Log } from '../records/log.ts'
import type { Store } from '../store/store.ts'
import { IssuedIndex } from '../tokens/revocation.ts'
import { SigningKeys } from '../tokens/signing-keys.ts'
import { Uses } from '../tokens/uses.ts'

export interface IssuingParts {
  readonly store: Store
  readonly keyring: Keyring
  readonly log: Log
  /** The default account. */
  readonly account: Account
  /** The account of a workspace; undefined: it is not served. */
  readonly accountOf: (workspaceId: string) => string | undefined
  readonly publicUrl: () => string
  readonly now: () => number
  /** The longest life of an access token of the authorization server, milliseconds: nobody notes those. */
  readonly unnotedMs: number
}

/** What issuing and checking share: opened before the workspaces, whose callers it knows. */
export interface Issuing {
  readonly issued: IssuedCredentials
  readonly parts: Pick<TokenManagerOptions, 'store' | 'keys' | 'index' | 'uses' | 'account' | 'publicUrl' | 'now'>
  close(): Promise<void>
}

export async function openIssuing(options: IssuingParts): Promise<Issuing> {
  const { store, keyring, log, account, accountOf, publicUrl, now, unnotedMs } = options
  const keys = await SigningKeys.open({ store, keyring, now, unnotedMs })
  const index = await IssuedIndex.open(store, now())
  const uses = new Uses(store, (code) => log.warn('times of last use were not stored', { code }))
  return {
    issued: createIssuedCredentials({
      issuer: publicUrl,
      audience: (workspaceId) => accountUrl(publicUrl(), accountOf(workspaceId) ?? account.id),
      keys,
      index,
      noteUse: (id, at) => uses.note(id, at),
      now,
    }),
    parts: { store, keys, index, uses, account, publicUrl, now },
    close: () => uses.flush(),
  }
}

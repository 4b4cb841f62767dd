import type { Keyring } from '../crypto/keyring.ts'
import { seal, unseal } from '../crypto/seal.ts'
import { GatewayError } from '../errors.ts'
import type { Store } from './store.ts'

const CANARY = 'gatehouse'
const CANARY_ROW = 'meta:key_canary:value'

/**
 * Holds the store to the key that it was first opened with, so that a wrong key is noticed at start and not at the first
 * secret. The first call remembers the key's id and a sealed canary.
 *
 * @throws GatewayError `config_invalid` when the keyring is another one than the first.
 */
export async function checkKey(store: Store, keyring: Keyring): Promise<void> {
  const sealed = await store.meta.keepFirst('key_canary', seal(keyring, CANARY_ROW, CANARY))
  const keyId = await store.meta.keepFirst('key_id', keyring.keyId)
  try {
    unseal(keyring, CANARY_ROW, sealed)
  } catch (cause) {
    throw new GatewayError(
      'config_invalid',
      `ENCRYPTION_KEY is not the key that this data folder was made with (made with key ${keyId}, given key ${keyring.keyId}). Start with the first key, or with an empty data folder.`,
      { cause },
    )
  }
}

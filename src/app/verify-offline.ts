import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { readKeyFile } from '../crypto/key-file.ts'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import { Audit, type Verification } from '../records/audit.ts'
import { checkKey } from '../store/check-key.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'

/**
 * Checks the audit of a data folder that no gateway uses. Nothing is added to it.
 *
 * @throws GatewayError `config_invalid` when there is no store, its key is another one, or a gateway has it open.
 */
export async function verifyOffline(
  config: Pick<Config, 'dataDir' | 'keysDir' | 'encryptionKey'>,
): Promise<Verification> {
  const { dataDir, keysDir, encryptionKey } = config
  // Opening would make one, and an empty audit is in order.
  if (!existsSync(join(dataDir, 'gatehouse.db'))) {
    throw new GatewayError('config_invalid', `There is no store in ${dataDir}. Name its folder with --data-dir.`)
  }
  const keyring = createKeyring(encryptionKey ?? readKeyFile(join(keysDir, 'encryption.key')))
  const store = await openSqliteStore({ folder: dataDir })
  try {
    await checkKey(store, keyring)
    return await new Audit({ store, keyring, now: Date.now }).verify()
  } finally {
    await store.close()
  }
}

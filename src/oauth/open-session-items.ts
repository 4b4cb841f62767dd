import { join, resolve } from 'node:path'
import type { Keyring } from '../crypto/keyring.ts'
import type { OauthItems } from '../store/oauth-items.ts'
import type { Store } from '../store/store.ts'
import type { SessionStorageSettings } from './session-storage-settings.ts'

const FILE_NAME = 'oauth-sessions.json'

export interface SessionItemsOptions {
  readonly settings: SessionStorageSettings
  /** The folder of the file, unless its path is given. */
  readonly sessionStorePath: string | undefined
  readonly dataDir: string
  readonly store: Pick<Store, 'oauthItems'>
  readonly keyring: Keyring
  /** Told what the operator should know. */
  readonly warn: (message: string) => void
}

/**
 * The engine that the settings name, to be closed by the caller. An engine that is not used is not loaded.
 *
 * @throws GatewayError `config_invalid` for one that cannot be used: say what to change.
 */
export async function openSessionItems(options: SessionItemsOptions): Promise<OauthItems> {
  const { settings, sessionStorePath, dataDir, store, keyring, warn } = options
  switch (settings.type) {
    case 'store':
      return store.oauthItems
    case 'memory': {
      const { openMemoryItems } = await import('../store/oauth-items-memory.ts')
      return openMemoryItems()
    }
    case 'file': {
      const { openFileItems } = await import('../store/oauth-items-file.ts')
      const path = resolve(settings.filePath ?? join(sessionStorePath ?? dataDir, FILE_NAME))
      return openFileItems({ path, keyring, warn })
    }
    case 'redis': {
      const { openRedisItems } = await import('../store/oauth-items-redis.ts')
      // The client tries again by itself, several times a second: said once, until it is another failure or was mended.
      let last = ''
      const onError = (error: Error) => {
        if (error.message !== last) warn(`the connection to Redis is broken: ${kindOf(error)}`)
        last = error.message
      }
      const onConnected = () => {
        if (last !== '') warn('the connection to Redis is back')
        last = ''
      }
      return openRedisItems({ ...settings.redis, onError, onConnected })
    }
  }
}

/** Only a code: messages may hold addresses and names. */
function kindOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

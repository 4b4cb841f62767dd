import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createKeyring } from '../../../src/crypto/keyring.ts'
import { startTokenEndpoint, TEST_KEY } from '../../../src/oauth/token-endpoint.test-support.ts'
import type { OauthItems } from '../../../src/store/oauth-items.ts'
import { openFileItems } from '../../../src/store/oauth-items-file.ts'
import { openRedisItems } from '../../../src/store/oauth-items-redis.ts'
import { openSqliteStore } from '../../../src/store/sqlite-store.ts'

// A process of its own: a real provider over a real engine, to be killed. It loads everything, and begins at a line on its
// standard input, the number of sessions to make, so that the next one can be ready before this one dies.
const [engine, place = ''] = process.argv.slice(2)
await import(import.meta.resolve('oidc-provider'))
if (engine === 'redis') await import('ioredis')
for await (const line of createInterface({ input: process.stdin })) {
  // Written at once, and not when there is time for it.
  const beforeCommit = () => void writeSync(1, 'made\n')
  const endpoint = await startTokenEndpoint({ items: await openItems(), beforeCommit })
  for (let count = 0; count < Number(line); count += 1) {
    const { refreshToken } = await endpoint.redeem(await endpoint.makeCode())
    writeSync(1, `session ${refreshToken}\n`)
  }
  writeSync(1, `listens ${endpoint.url}\n`)
}

async function openItems(): Promise<OauthItems> {
  switch (engine) {
    case 'file':
      return openFileItems({ path: place, keyring: createKeyring(TEST_KEY), warn: () => {} })
    case 'redis':
      return openRedisItems({ socketPath: place })
    default:
      return (await openSqliteStore({ folder: place })).oauthItems
  }
}

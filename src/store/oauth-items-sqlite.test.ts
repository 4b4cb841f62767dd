import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oauthItemsContract } from './oauth-items-contract.ts'
import { openSqliteStore } from './sqlite-store.ts'

oauthItemsContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-items-'))
  let store = await openSqliteStore({ folder })
  return {
    get items() {
      return store.oauthItems
    },
    close: () => store.close(),
    async reopen() {
      await store.close()
      store = await openSqliteStore({ folder })
      return store.oauthItems
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
})

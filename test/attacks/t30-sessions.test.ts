import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { PERSON, startTokenEndpoint, TEST_KEY } from '../../src/oauth/token-endpoint.test-support.ts'
import { openFileItems } from '../../src/store/oauth-items-file.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'

const OTHER_KEY = 'another encryption key of these tests, long enough'

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-t30-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const fileItems = (folder: string, key = TEST_KEY, warnings: string[] = []) =>
  openFileItems({
    path: join(folder, 'sessions.json'),
    keyring: createKeyring(key),
    warn: (message) => void warnings.push(message),
  })

suite('T30: stolen sessions', () => {
  for (const engine of ['store', 'file'] as const) {
    test(`of the engine ${engine} hold no token, code, id or name that could be used or read`, async () => {
      await using folder = await temporaryFolder()
      const store = engine === 'store' ? await openSqliteStore({ folder: folder.path }) : undefined
      const items = store === undefined ? await fileItems(folder.path) : store.oauthItems
      await using endpoint = await startTokenEndpoint({ items })
      const first = await endpoint.redeem(await endpoint.makeCode())
      const second = await endpoint.refresh(first.refreshToken)
      const { code } = await endpoint.makeCode()
      const [grant] = await endpoint.storage.grants.ofPerson(PERSON)
      const files = await readdir(folder.path)
      const stolen = Buffer.concat(await Promise.all(files.map((name) => readFile(join(folder.path, name)))))
      const secrets = [first, second].flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken])
      for (const secret of [...secrets, code, grant?.grantId ?? '', PERSON, endpoint.resource]) {
        assert.ok(secret.length > 5)
        assert.equal(stolen.includes(secret), false)
      }
      await store?.close()
    })
  }

  test('that were moved to another row open nothing', async () => {
    await using folder = await temporaryFolder()
    const store = await openSqliteStore({ folder: folder.path })
    await using endpoint = await startTokenEndpoint({ items: store.oauthItems })
    const mine = await endpoint.redeem(await endpoint.makeCode({ person: 'mallory' }))
    const before = await endpoint.redeem(await endpoint.makeCode())
    // As somebody with a hand in the database would: another person's content under the id of the own token.
    const database = new DatabaseSync(join(folder.path, 'gatehouse.db'))
    const rows = database.prepare(`select seq, sealed from oauth_items where kind = 'RefreshToken' order by seq`).all()
    const [own, other] = rows
    assert.equal(rows.length, 2)
    database
      .prepare('update oauth_items set sealed = ? where seq = ?')
      .run(String(other?.['sealed']), Number(own?.['seq']))
    database.close()
    const refused = await endpoint.refresh(mine.refreshToken)
    assert.equal(refused.status, 500)
    assert.equal(refused.accessToken, '')
    assert.equal((await endpoint.refresh(before.refreshToken)).status, 200)
    await store.close()
  })

  test('and a changed key: a clear word, nothing overwritten, and the first key opens them again (C12)', async () => {
    await using folder = await temporaryFolder()
    const warnings: string[] = []
    const refreshToken = await (async () => {
      await using endpoint = await startTokenEndpoint({ items: await fileItems(folder.path) })
      return (await endpoint.redeem(await endpoint.makeCode())).refreshToken
    })()
    {
      const items = await fileItems(folder.path, OTHER_KEY, warnings)
      await using endpoint = await startTokenEndpoint({ items, encryptionKey: OTHER_KEY })
      const reply = await endpoint.refresh(refreshToken)
      assert.deepEqual([reply.status, reply.description], [400, 'Session not found. Sign in again.'])
      assert.match(warnings.join(), /^Session not found: sessions\.json was sealed with another ENCRYPTION_KEY/)
    }
    const aside = (await readdir(folder.path)).find((name) => name.includes('.key-'))
    const items = await openFileItems({
      path: join(folder.path, aside ?? ''),
      keyring: createKeyring(TEST_KEY),
      warn: () => {},
    })
    await using endpoint = await startTokenEndpoint({ items })
    assert.equal((await endpoint.refresh(refreshToken)).status, 200)
  })
})

import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { createKeyring } from '../crypto/keyring.ts'
import { GatewayError } from '../errors.ts'
import type { OauthItems } from './oauth-items.ts'
import { exampleItem, hasCode, oauthItemsContract } from './oauth-items-contract.ts'
import { openFileItems } from './oauth-items-file.ts'

const keyring = createKeyring('the key of these tests, 32 characters or more')
const otherKeyring = createKeyring('another key of these tests, 32 characters or more')
const NOW = 1_800_000_000_000

async function temporaryFile() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-sessions-'))
  const warnings: string[] = []
  const path = join(folder, 'deep', 'oauth-sessions.json')
  return {
    folder: join(folder, 'deep'),
    path,
    warnings,
    open: (key = keyring): Promise<OauthItems> =>
      openFileItems({ path, keyring: key, warn: (message) => void warnings.push(message) }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

oauthItemsContract('file', async () => {
  const file = await temporaryFile()
  let items = await file.open()
  return {
    get items() {
      return items
    },
    close: () => items.close(),
    async reopen() {
      await items.close()
      items = await file.open()
      return items
    },
    async [Symbol.asyncDispose]() {
      await items.close()
      await file[Symbol.asyncDispose]()
    },
  }
})

function refusal(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GatewayError)
    assert.equal(error.code, 'config_invalid')
    assert.match(error.message, words)
    return true
  }
}

const put = (id: string) => [{ do: 'put', item: exampleItem(id, { sealed: `v1.key.canary-${id}` }) }] as const

suite('the session file', () => {
  test('is readable by its owner only, and tells nothing without the key (T30)', async () => {
    await using file = await temporaryFile()
    const umask = process.umask(0)
    const items = await file.open().finally(() => process.umask(umask))
    await items.apply(put('a'), { now: NOW })
    assert.equal((await stat(file.folder)).mode & 0o777, 0o700)
    for (const name of await readdir(file.folder)) {
      assert.equal((await stat(join(file.folder, name))).mode & 0o777, 0o600, name)
    }
    const text = await readFile(file.path, 'utf8')
    assert.doesNotMatch(text, /canary|RefreshToken|endsAt/)
    await items.close()
  })

  test('of another key opens no session, and is put aside and not overwritten (C12)', async () => {
    await using file = await temporaryFile()
    const before = await file.open()
    await before.apply(put('a'), { now: NOW })
    await before.close()
    const sealed = await readFile(file.path, 'utf8')
    const changed = await file.open(otherKeyring)
    assert.match(
      file.warnings.join(),
      /^Session not found: oauth-sessions\.json was sealed with another ENCRYPTION_KEY/,
    )
    assert.equal(await changed.find(exampleItem('a')), undefined)
    await changed.apply(put('b'), { now: NOW })
    await changed.close()
    const aside = `${file.path}.key-${keyring.keyId}`
    assert.equal(await readFile(aside, 'utf8'), sealed)
    // A second change of the key puts its file beside it.
    await (await file.open()).close()
    assert.ok((await readdir(file.folder)).includes(`oauth-sessions.json.key-${otherKeyring.keyId}`))
    assert.equal(await readFile(aside, 'utf8'), sealed)
  })

  test('that is damaged or none of ours is refused and left as it is', async () => {
    await using file = await temporaryFile()
    const items = await file.open()
    await items.apply(put('a'), { now: NOW })
    await items.close()
    const sealed = await readFile(file.path, 'utf8')
    const flipped = sealed.slice(0, -5) + (sealed.at(-5) === 'A' ? 'B' : 'A') + sealed.slice(-4)
    const cases = [
      [flipped, /damaged/],
      [sealed.slice(0, -40), /damaged/],
      ['{"sessions":{}}', /no session file/],
      ['', /no session file/],
    ] as const
    for (const [text, words] of cases) {
      await writeFile(file.path, text)
      await assert.rejects(file.open(), refusal(words))
      assert.equal(await readFile(file.path, 'utf8'), text)
    }
    assert.deepEqual(file.warnings, [])
  })

  test('has one writer', async () => {
    await using file = await temporaryFile()
    const items = await file.open()
    await assert.rejects(file.open(), refusal(/used by another process/))
    await items.close()
    await (await file.open()).close()
  })

  test('is whole after a write that was cut off', async () => {
    await using file = await temporaryFile()
    const items = await file.open()
    await items.apply(put('a'), { now: NOW })
    await items.close()
    await writeFile(`${file.path}.new`, 'half a fi')
    const again = await file.open()
    assert.ok(await again.find(exampleItem('a')))
    await again.apply(put('b'), { now: NOW })
    await again.close()
    assert.deepEqual((await readdir(file.folder)).sort(), ['oauth-sessions.json', 'oauth-sessions.json.lock'])
  })

  test('that cannot be written gives unavailable, and keeps everything once it can', async () => {
    await using file = await temporaryFile()
    const items = await file.open()
    await items.apply(put('a'), { now: NOW })
    // A folder in the place of the new file: root may write everywhere else.
    await mkdir(`${file.path}.new`)
    await chmod(file.folder, 0o500)
    await assert.rejects(items.apply(put('b'), { now: NOW }), hasCode('unavailable'))
    // What was not acknowledged is not shown either.
    await assert.rejects(items.find(exampleItem('b')), hasCode('unavailable'))
    await chmod(file.folder, 0o700)
    await rm(`${file.path}.new`, { recursive: true })
    await items.apply(put('c'), { now: NOW })
    await items.close()
    const again = await file.open()
    for (const id of ['a', 'c']) assert.ok(await again.find(exampleItem(id)))
    await again.close()
  })
})

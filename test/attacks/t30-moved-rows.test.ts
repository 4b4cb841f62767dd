import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { readKeyFile } from '../../src/crypto/key-file.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { unseal } from '../../src/crypto/seal.ts'
import { GatewayError } from '../../src/errors.ts'
import { startServer } from '../../src/server.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { at, callApi, post, TOOLS_LIST } from './support/client.ts'

const SECRET = 'canary-secret-of-a-workspace-8d2f6c1b'
const PASSWORD = 'canary-password-41c7a9e0'

async function issue(gateway: TestGateway, noun: string, body: unknown): Promise<{ id: string; value: string }> {
  const answer = await callApi(gateway, 'POST', `/api/${noun}`, body)
  assert.equal(answer.status, 201, answer.text)
  return { id: String(at(answer.json, 'id')), value: String(at(answer.json, 'value')) }
}

/** Opens the store that the gateway has left, as a thief or a tenant with a hand in the database would. */
function openStore(gateway: TestGateway): DatabaseSync {
  return new DatabaseSync(join(gateway.folder, 'data', 'gatehouse.db'))
}

/** A gateway with two workspaces, two signing keys, a token and an API key. */
async function furnished(): Promise<{ gateway: TestGateway; token: string; key: string; a: string; b: string }> {
  const gateway = await startGateway()
  const auth = { authType: 'jwt', jwt: { secret: SECRET, issuer: 'https://issuer.example', audience: 'x' } }
  const a = await gateway.makeWorkspace({ name: 'a', auth, params: { password: PASSWORD } })
  const b = await gateway.makeWorkspace({ name: 'b', auth, params: { password: 'of b' } })
  const token = await issue(gateway, 'tokens', { description: 'x', workspaces: ['a'] })
  const key = await issue(gateway, 'keys', { name: 'x', workspaces: ['a'] })
  return { gateway, token: token.value, key: key.value, a: a.endpoint, b: b.endpoint }
}

suite('T30: a sealed value opens in its own row only', () => {
  test('a signing key that was moved to another row signs nothing, and says nothing of itself', async () => {
    const { gateway, token, a } = await furnished()
    await using _ = gateway
    await gateway.running.stop()
    const store = openStore(gateway)
    const sealed = store.prepare('select sealed_private_jwk as sealed from signing_keys').get()
    // Another key's row, as a tenant with its own key would have: the private half of ours under its name.
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
    store.exec(`update signing_keys set retired_at = 1, sealed_private_jwk = null`)
    store
      .prepare('insert into signing_keys values (?, ?, ?, 2, null)')
      .run('moved', JSON.stringify({ kty, crv, x, y }), String(sealed?.['sealed']))
    store.close()
    await gateway.restart()
    const refused = await callApi(gateway, 'POST', '/api/tokens', { description: 'x' })
    assert.equal(refused.status, 500)
    assert.equal(at(refused.json, 'detail'), 'A stored secret cannot be read.')
    // What was signed before is still checked: by the public half, which is no secret.
    assert.equal((await post(a, TOOLS_LIST, { token })).status, 200)
  })

  test('settings that were moved to another workspace serve neither', async () => {
    const { gateway, a, b } = await furnished()
    await using _ = gateway
    await gateway.running.stop()
    const store = openStore(gateway)
    const settings = store.prepare(`select sealed_settings as sealed from workspaces where slug = 'a'`).get()
    store.prepare(`update workspaces set sealed_settings = ? where slug = 'b'`).run(String(settings?.['sealed']))
    store.close()
    await gateway.restart()
    assert.equal((await post(b, TOOLS_LIST)).status, 404)
    assert.equal((await post(a, TOOLS_LIST)).status, 401)
    assert.match(gateway.log.join(''), /Workspace b is not served: A stored secret cannot be read/)
  })

  test('no sealed value opens under any other name, not even of its own row', async () => {
    const { gateway } = await furnished()
    await using _ = gateway
    await gateway.running.stop()
    const keyring = createKeyring(readKeyFile(join(gateway.folder, 'keys', 'encryption.key')))
    const store = openStore(gateway)
    const [key] = store.prepare('select kid, sealed_private_jwk as sealed from signing_keys').all()
    const [row] = store.prepare('select id, sealed_settings as sealed from workspaces').all()
    store.close()
    const own = `signing_key:${key?.['kid']}:private`
    const settings = `workspace:${row?.['id']}:settings`
    assert.match(unseal(keyring, own, String(key?.['sealed'])), /"d":/)
    assert.match(unseal(keyring, settings, String(row?.['sealed'])), /"password"/)
    for (const name of [
      '',
      own.toUpperCase(),
      `${own} `,
      'signing_key:other:private',
      own.replace('private', 'public'),
      settings,
    ]) {
      assert.throws(() => unseal(keyring, name, String(key?.['sealed'])), GatewayError, name)
    }
    for (const name of [own, settings.replace('settings', 'document_url'), 'workspace:other:settings']) {
      assert.throws(() => unseal(keyring, name, String(row?.['sealed'])), GatewayError, name)
    }
  })
})

suite('T30: a stolen store', () => {
  test('holds neither a token, nor an API key, nor a private key, nor a secret in any form that can be read', async () => {
    const { gateway, token, key, a } = await furnished()
    await using _ = gateway
    for (const value of [token, key]) assert.equal((await post(a, TOOLS_LIST, { token: value })).status, 200)
    await callApi(gateway, 'POST', '/api/signing-keys/rotate')
    // While it runs, with what waits in the log of SQLite, and after the stop.
    for (let look = 0; look < 2; look += 1) {
      const files = await readdir(join(gateway.folder, 'data'))
      assert.ok(files.includes('gatehouse.db'))
      for (const file of files) {
        const content = (await readFile(join(gateway.folder, 'data', file))).toString('latin1')
        const signature = token.split('.')[2] ?? ''
        for (const canary of [token, signature, key, key.slice(12), SECRET, PASSWORD, '"d":"']) {
          assert.ok(!content.includes(canary), `${file} holds ${canary.slice(0, 12)}`)
          const encoded = Buffer.from(canary).toString('base64').replace(/=+$/, '').slice(0, -2)
          assert.ok(canary.length < 8 || !content.includes(encoded), `${file} holds ${canary.slice(0, 12)} in base64`)
        }
      }
      if (look === 0) await gateway.running.stop()
    }
  })

  test('starts with no other key, and its hashes are no keys', async () => {
    const { gateway, key, a } = await furnished()
    await using _ = gateway
    const store = openStore(gateway)
    const hash = String(store.prepare(`select key_hash from issued where kind = 'key'`).get()?.['key_hash'])
    store.close()
    assert.notEqual(hash, '')
    for (const guess of [hash, `mcp_sk_${hash}`])
      assert.equal((await post(a, TOOLS_LIST, { token: guess })).status, 401)
    assert.equal((await post(a, TOOLS_LIST, { token: key })).status, 200)
    await gateway.running.stop()
    const stolen = join(gateway.folder, 'stolen')
    await mkdir(stolen, { mode: 0o700 })
    await copyFile(join(gateway.folder, 'data', 'gatehouse.db'), join(stolen, 'gatehouse.db'))
    const config = { ...gateway.config, port: 0, dataDir: stolen, keysDir: join(gateway.folder, 'thief') }
    await assert.rejects(startServer(config), /ENCRYPTION_KEY is not the key/)
  })
})

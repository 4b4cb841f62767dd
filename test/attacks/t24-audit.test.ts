import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

/** Lower-case words: nothing hides them for their looks, so they are absent only where they never came. */
const WORD = 'kanarienvogelruf'
const canary = (field: string) => `${WORD}-${field}-of-a-secret-that-nobody-may-see`

const settings = {
  auth: { authType: 'jwt', jwt: [{ secret: canary('inbound'), issuer: 'https://idp.example' }] },
  params: { password: canary('param') },
  upstream: {
    baseUrl: `https://user:${canary('base-url')}@api.example/v1?key=${canary('query')}`,
    headers: { 'X-Key': canary('header') },
    auth: {
      type: 'bearer',
      token: canary('token'),
      login: { body: { password: canary('body'), deep: { deeper: canary('deep') } }, headers: { 'X-L': canary('l') } },
    },
    security: {
      a: { type: 'apiKey', value: canary('scheme'), header: 'X-A' },
      b: { type: 'basic', username: canary('user'), password: canary('pass') },
      c: { type: 'bearer', token: canary('scheme-token') },
    },
  },
}

const otherAuths = [
  { type: 'apiKey', value: canary('key') },
  { type: 'basic', username: canary('basic-user'), password: canary('basic-password') },
  { type: 'none' },
]

/** Every file below the folder, as text. */
function textsBelow(folder: string): string[] {
  return globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
}

suite('T24: the audit and the security log show no secret', () => {
  test('of changes to every secret field, of denials with one in every place, in file, webhook, answer and store', async () => {
    await using hook = await startRecordingApi()
    const webhook = {
      url: `${hook.url}/?key=${canary('hook-query')}`,
      secret: canary('hook'),
      minLevel: 'debug',
      batchMs: 10,
    }
    const securityLogging = { enabled: true, logLevel: 'debug', logToFile: true, webhook }
    await using gateway = await startGateway({ config: { securityLogging, logLevel: 'debug' } })
    const heard: string[] = []
    const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const response = await fetch(gateway.url + path, {
        method,
        headers: { authorization: `Bearer ${gateway.adminKey}`, 'content-type': 'application/json', ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      })
      heard.push(await response.text())
      return response.status
    }
    assert.equal(await ask('POST', '/api/workspaces', { name: 'shop', ...settings }), 201)
    for (const auth of otherAuths) {
      assert.equal(await ask('PATCH', '/api/workspaces/shop', { upstream: { auth } }), 200)
    }
    const change = {
      auth: { authType: 'jwt', jwt: [{ secret: canary('second-inbound'), issuer: 'https://idp.example' }] },
      params: { password: canary('second-param'), other: canary('other') },
      upstream: { ...settings.upstream, headers: { 'X-Key': canary('second-header'), 'X-New': canary('new') } },
    }
    assert.equal(await ask('PATCH', '/api/workspaces/shop', change), 200)
    const [{ id = '' } = {}] = gateway.running.gateway.manager.list()
    const rpc = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const attempts: readonly Record<string, string>[] = [
      { authorization: `Bearer ${canary('guess')}` },
      { authorization: canary('no-scheme') },
      { authorization: `Bearer ${canary('guess')}`, origin: `https://${canary('origin')}.example` },
    ]
    for (const headers of attempts) {
      for (const path of [`/shop-${id}`, '/api/workspaces']) {
        assert.ok([401, 403].includes(await ask('POST', path, rpc, headers)), path)
      }
    }
    assert.equal(await ask('DELETE', '/api/workspaces/shop'), 204)
    assert.equal(await ask('GET', '/api/audit'), 200)
    assert.equal(await ask('GET', '/api/audit/verify'), 200)
    const data = join(gateway.folder, 'data')
    const whileRunning = textsBelow(data)
    await gateway.restart()
    const audit = heard.at(-2) ?? ''
    assert.ok(audit.includes('upstream.auth.token') && audit.includes('access.denied'), 'nothing was audited')
    const sunk = [...heard, ...gateway.log, ...whileRunning, ...textsBelow(data), ...hook.seen.map(({ body }) => body)]
    assert.ok(hook.seen.length > 0 && sunk.some((text) => text.includes('"event":"auth_failure"')))
    for (const text of sunk)
      assert.ok(!text.includes(WORD), text.slice(Math.max(0, text.indexOf(WORD) - 200)).slice(0, 400))
    for (const text of sunk) assert.ok(!text.includes(gateway.adminKey))
  })
})

import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { adminClient, mcpClient } from '../../src/testing/clients.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

/** Every place of a workspace that takes a secret, each with one of its own. */
const SECRETS = {
  password: 'canary-password-51c2',
  tenant: 'canary-tenant-0b77',
  accessToken: 'canary-access-9f3e',
  refreshToken: 'canary-refresh-44d1',
  bearer: 'canary-bearer-6a90',
  apiKey: 'canary-apikey-2e8b',
  basicUser: 'canary-basicuser-77aa',
  basicPassword: 'canary-basicpass-c3d4',
  ownHeader: 'canary-ownheader-18ef',
  loginHeader: 'canary-loginheader-5d5d',
  loginBody: 'canary-loginbody-e0e1',
  jwtSecret: 'canary-jwtsecret-of-at-least-32-characters',
} as const

/** An API whose every answer but that of the login repeats the headers it was sent. */
async function startEchoApi() {
  return startRecordingApi(({ target, headers }) => {
    const { accessToken, refreshToken } = SECRETS
    if (target === '/login') return { status: 200, body: { accessToken, refreshToken, expiresIn: 900 } }
    return { status: target === '/fail' ? 500 : 200, body: { sent: headers } }
  })
}

/** Workspaces that together hold every secret. */
function workspacesOf(origin: string) {
  const operation = (operationId: string) => ({ get: { operationId, responses: {} } })
  const document = {
    openapi: '3.1.0',
    info: { title: 'Echo', version: '1' },
    servers: [{ url: origin }],
    paths: { '/thing': operation('getThing'), '/fail': operation('getFailure') },
  }
  const source = { document: JSON.stringify(document) }
  const login = {
    body: { user: '{{username}}', pass: '{{password}}', code: SECRETS.loginBody },
    headers: { 'X-Login': SECRETS.loginHeader },
  }
  const { bearer, apiKey, basicUser, basicPassword, ownHeader, password, tenant } = SECRETS
  return [
    {
      name: 'Login',
      source,
      upstream: { auth: { type: 'bearer', login }, headers: { 'X-Tenant': '{{tenant}}', 'X-Own': ownHeader } },
      params: { login_url: `${origin}/login`, username: 'ada', password, tenant },
    },
    { name: 'Bearer', source, upstream: { auth: { type: 'bearer', token: bearer } } },
    { name: 'Key', source, upstream: { auth: { type: 'apiKey', value: apiKey } } },
    { name: 'Basic', source, upstream: { auth: { type: 'basic', username: basicUser, password: basicPassword } } },
  ] as const
}

const GUARDED = {
  name: 'Guarded',
  auth: { authType: 'jwt', jwt: { secret: SECRETS.jwtSecret, issuer: 'https://idp.example' } },
}

suite('the secrets of workspaces', () => {
  test('never reach an MCP client, not even from an API that repeats what it was sent (D10)', async () => {
    await using api = await startEchoApi()
    await using gateway = await startGateway()
    for (const settings of workspacesOf(api.url)) {
      const { endpoint } = await gateway.makeWorkspace(settings)
      const client = mcpClient(endpoint)
      const started = await client.send('initialize', { protocolVersion: '2025-11-25', capabilities: {} })
      const list = await client.send('tools/list')
      const good = await client.call('getThing')
      const bad = await client.call('getFailure')
      assert.deepEqual([good.isError, bad.isError], [false, true], good.result)
      for (const { result } of [good, bad]) assert.match(result, /\[redacted\]/, 'the API did repeat the credential')
      for (const { text } of [started, list, good, bad]) assertNoSecret(text, settings.name)
      for (const { headers } of [started, list, good, bad]) assertNoSecret(JSON.stringify([...headers]), settings.name)
    }
    assert.ok(api.seen.some(({ headers }) => headers['authorization'] === `Bearer ${SECRETS.accessToken}`))
    assert.ok(api.seen.some(({ body }) => body.includes(SECRETS.loginBody) && body.includes(SECRETS.password)))
  })

  test('never reach an MCP client in another spelling either: escaped in JSON, or taken out of Basic (D10)', async () => {
    await using api = await startRecordingApi(({ headers }) => {
      const [, basic = ''] = String(headers['authorization']).split(' ')
      return { status: 200, body: { sent: headers, decoded: Buffer.from(basic, 'base64').toString('utf8') } }
    })
    await using gateway = await startGateway()
    const [{ source }] = workspacesOf(api.url)
    for (const auth of [
      { type: 'apiKey', value: 'canary"quote\\and-more' },
      { type: 'basic', username: 'ada', password: 'canary-"basic"-3f' },
    ]) {
      const { endpoint } = await gateway.makeWorkspace({ name: auth.type, source, upstream: { auth } })
      const { result, isError } = await mcpClient(endpoint).call('getThing')
      assert.equal(isError, false)
      assert.match(result, /\[redacted\]/)
      assert.ok(!result.includes('canary'), result)
    }
  })

  test('never show in records, in the log or in /api, where they are marked as saved (D2, D10)', async () => {
    await using api = await startEchoApi()
    await using gateway = await startGateway({ config: { logLevel: 'debug' } })
    const admin = adminClient(gateway)
    for (const settings of [...workspacesOf(api.url), GUARDED]) {
      const made = await admin.send('POST', '/api/workspaces', settings)
      assert.equal(made.status, 201, made.text)
      assertNoSecret(made.text, settings.name)
      const workspace = gateway.running.gateway.manager.get(settings.name.toLowerCase())
      const client = mcpClient(`${gateway.url}/${workspace.slug}-${workspace.id}/mcp`)
      if (settings !== GUARDED) for (const name of ['getThing', 'getFailure']) await client.call(name)
      for (const path of ['', '/tools']) {
        const { status, text } = await admin.send('GET', `/api/workspaces/${workspace.id}${path}`)
        assert.equal(status, 200)
        assertNoSecret(text, `${settings.name}${path}`)
      }
    }
    const list = await admin.send('GET', '/api/workspaces')
    const logs = await admin.send('GET', '/api/logs?limit=1000')
    assert.ok((await admin.logs()).length >= 9)
    for (const text of [list.text, logs.text, gateway.log.join('')]) assertNoSecret(text, 'overview')

    const shown = await admin.send('GET', '/api/workspaces/login')
    assert.match(
      shown.text,
      /"params":\{"login_url":\{"saved":true\},"username":\{"saved":true\},"password":\{"saved":true\}/,
    )
    assert.match((await admin.send('GET', '/api/workspaces/bearer')).text, /"token":\{"saved":true\}/)
    assert.match((await admin.send('GET', '/api/workspaces/key')).text, /"value":\{"saved":true\}/)
    assert.match((await admin.send('GET', '/api/workspaces/basic')).text, /"password":\{"saved":true\}/)
    assert.match((await admin.send('GET', '/api/workspaces/guarded')).text, /"secret":\{"saved":true\}/)
  })

  test('are sealed at rest: no file of the data folder holds one, and tokens are on no disk at all (D2, D5)', async () => {
    await using api = await startEchoApi()
    await using gateway = await startGateway()
    for (const settings of workspacesOf(api.url)) {
      const { endpoint } = await gateway.makeWorkspace(settings)
      assert.equal((await mcpClient(endpoint).call('getThing')).isError, false)
    }
    await gateway.makeWorkspace(GUARDED)
    // While it runs (with the write-ahead log beside the database), and after a restart that has folded it in.
    await assertSealed(gateway)
    await gateway.restart()
    await assertSealed(gateway)
    const before = api.seen.length
    for (const { slug, id } of gateway.running.gateway.manager.list().slice(0, 4)) {
      const { isError, result } = await mcpClient(`${gateway.url}/${slug}-${id}/mcp`).call('getThing')
      assert.equal(isError, false, result)
    }
    const sent = JSON.stringify(api.seen.slice(before))
    for (const name of ['bearer', 'apiKey', 'ownHeader', 'password'] as const) {
      assert.ok(sent.includes(SECRETS[name]), `${name} is still known after the restart`)
    }
  })

  test('rotate by overwriting: the next call uses the new one, and only the new one (D2)', async () => {
    await using api = await startEchoApi()
    await using gateway = await startGateway()
    const [first] = workspacesOf(api.url)
    const { endpoint, workspace } = await gateway.makeWorkspace(first)
    const client = mcpClient(endpoint)
    await client.call('getThing')
    const sealedBefore = await sealedFiles(gateway)
    const before = api.seen.length
    const admin = adminClient(gateway)
    const params = { password: 'canary-second-password', tenant: null }
    const changed = await admin.send('PATCH', `/api/workspaces/${workspace.id}`, { params })
    assert.equal(changed.status, 200)
    assert.match(
      changed.text,
      /"params":\{"login_url":\{"saved":true\},"username":\{"saved":true\},"password":\{"saved":true\}\}/,
    )
    assert.ok(!changed.text.includes('canary'), 'the answer does not repeat the new one')

    const { isError, result } = await client.call('getThing')
    assert.equal(isError, true, 'a param that was removed is missing')
    assert.match(result, /tenant/)
    await admin.send('PATCH', `/api/workspaces/${workspace.id}`, { params: { tenant: 'canary-second-tenant' } })
    assert.equal((await client.call('getThing')).isError, false)
    const sent = JSON.stringify(api.seen.slice(before))
    assert.ok(sent.includes('canary-second-password') && sent.includes('canary-second-tenant'))
    assert.ok(!sent.includes(SECRETS.password) && !sent.includes(SECRETS.tenant))
    await assertSealed(gateway, ['canary-second-password', 'canary-second-tenant'])
    assert.notDeepEqual(await sealedFiles(gateway), sealedBefore)
  })
})

function assertNoSecret(text: string, where: string): void {
  for (const [name, secret] of Object.entries(SECRETS)) {
    for (const form of formsOf(secret)) assert.ok(!text.includes(form), `${name} stands in ${where}`)
  }
}

async function assertSealed(gateway: TestGateway, more: readonly string[] = []): Promise<void> {
  const files = await sealedFiles(gateway)
  const all = Buffer.concat(files)
  assert.ok(all.includes('getThing'), 'what is no secret is found, so the search works')
  for (const secret of [...Object.values(SECRETS), ...more]) {
    for (const form of formsOf(secret)) assert.ok(!all.includes(form), `${secret} stands in the data folder`)
  }
}

/** The secret as it stands, in hexadecimal, and in Base64 wherever in a longer text it begins. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
    // Only the characters that no neighbour has a bit in.
    const [start, end] = [Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6)]
    return [whole.toString('base64'), whole.toString('base64url')].map((text) => text.slice(start, end))
  })
  return [secret, bytes.toString('hex'), ...base64]
}

/** Every file of the data folder. */
async function sealedFiles({ folder }: TestGateway): Promise<readonly Buffer[]> {
  const data = join(folder, 'data')
  const entries = await readdir(data, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(files.sort().map((file) => readFile(file)))
}

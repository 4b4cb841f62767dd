import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { type GatehouseProcess, type Home, makeHome, runGatehouse } from './support/gatehouse-process.ts'
import { LEAKY_TOKENS, startLeakyApi } from './support/leaky-api.ts'
import { sendRaw } from './support/raw-http.ts'

/**
 * Each canary is lower-case words: nothing hides it for its looks, so it is absent only where it never came. The one word
 * that all share is searched for everywhere, plain and in the encodings that something on the way might use.
 */
const WORD = 'kanarienvogelruf'
const canary = (field: string) => `${WORD}-${field}-of-a-secret-that-nobody-may-see`
const MASTER = canary('encryption-key')
const INBOUND = canary('inbound-jwt')
const BASIC = Buffer.from(`${canary('basic-user')}:${canary('basic-password')}`).toString('base64')

/** Credentials of every kind, each for a workspace of its own. */
function upstreams(origin: string): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const login = (path: string, more: object = {}) => ({
    upstream: { baseUrl: origin, auth: { type: 'bearer', login: { ...more } } },
    params: {
      login_url: `${origin}${path}?key=${canary('login-query')}`,
      refresh_url: `${origin}/refresh?key=${canary('refresh-query')}`,
      username: canary('username'),
      password: canary('password'),
    },
  })
  const body = { user: '{{username}}', pass: '{{password}}', fixed: canary('login-body'), deep: [canary('deep-body')] }
  return {
    bearer: { upstream: { baseUrl: origin, auth: { type: 'bearer', token: canary('bearer') } } },
    apikey: { upstream: { baseUrl: origin, auth: { type: 'apiKey', header: 'X-Key', value: canary('api-key') } } },
    basic: {
      upstream: {
        baseUrl: origin,
        auth: { type: 'basic', username: canary('basic-user'), password: canary('basic-password') },
      },
    },
    headers: {
      upstream: { baseUrl: origin, headers: { 'X-Custom': canary('header'), 'X-Param': '{{param}}' } },
      params: { param: canary('param') },
    },
    userinfo: { upstream: { baseUrl: origin.replace('//', `//${canary('url-user')}:${canary('url-password')}@`) } },
    broken: { upstream: { baseUrl: origin, auth: { type: 'bearer', token: `${canary('bearer')}\r\nX: 1` } } },
    gone: { upstream: { baseUrl: 'http://127.0.0.1:1', auth: { type: 'bearer', token: canary('bearer') } } },
    login: login('/login', {
      body,
      headers: { 'X-Login': canary('login-header') },
      refreshBody: { t: '{{refresh_token}}' },
    }),
    rejected: login('/login/rejected', { body }),
    page: login('/login/page'),
    'no-token': login('/login/no-token'),
    redirect: login('/login/redirect'),
    unsafe: login('/login/unsafe'),
    unset: { upstream: { baseUrl: origin, headers: { 'X-A': `${canary('header')} {{missing}}` } } },
  }
}

const jwt = { secret: INBOUND, issuer: 'https://issuer.example', audience: 'mcp' }
const auth = { authType: 'jwt', jwt }

function callerToken(claims: Readonly<Record<string, unknown>> = {}, secret = INBOUND): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = { iss: jwt.issuer, aud: jwt.audience, sub: 'caller', exp: now + 600, ...claims }
  const input = `${part({ alg: 'HS256' })}.${part(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Everything that came out of the process by HTTP, and what must be in none of it. */
class Ear {
  readonly heard: string[] = []
  readonly #url: string
  readonly #adminKey: string

  constructor(url: string, adminKey: string) {
    this.#url = url
    this.#adminKey = adminKey
  }

  async api(method: string, target: string, body?: unknown): Promise<{ status: number; body: string }> {
    const headers = [`Authorization: Bearer ${this.#adminKey}`, 'Content-Type: application/json']
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    return this.send({ method, target, headers, body: text })
  }

  async call(target: string, token: string, message: unknown, headers: readonly string[] = []) {
    const body = typeof message === 'string' ? message : JSON.stringify(message)
    const own = [`Authorization: Bearer ${token}`, 'Content-Type: application/json', ...headers]
    return this.send({ method: 'POST', target, headers: own, body })
  }

  async send(request: Parameters<typeof sendRaw>[1]) {
    const answer = await sendRaw(this.#url, request)
    this.heard.push(answer.whole)
    return answer
  }
}

function toolCall(name: string, args: Readonly<Record<string, unknown>> = {}) {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
}

/** The word in hexadecimal, percent-encoding and base64, whatever stands around it; and what is searched for as it is. */
function assertNoSecret(sink: string, text: string, exact: readonly string[]): void {
  const inBase64 = [0, 1, 2].map((phase) => {
    // The characters that depend on the neighbours are cut off at both ends.
    return Buffer.from('a'.repeat(phase) + WORD)
      .toString('base64')
      .slice(phase === 0 ? 0 : 4, -4)
  })
  for (const spelling of [WORD, WORD.toUpperCase(), Buffer.from(WORD).toString('hex'), ...inBase64, ...exact]) {
    const found = text.indexOf(spelling)
    assert.equal(found, -1, `${sink} shows a secret: …${text.slice(Math.max(0, found - 120), found + 120)}…`)
  }
}

function bytesOf(folder: string): readonly { readonly name: string; readonly text: string }[] {
  const files = globSync('**/*', { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map((file) => {
    const path = join(file.parentPath, file.name)
    return { name: path, text: readFileSync(path).toString('latin1') }
  })
}

/** Makes everything go wrong that can, with secrets in every field. */
async function provoke(ear: Ear, origin: string): Promise<readonly string[]> {
  const paths = new Map<string, string>()
  const source = { url: `${origin}/openapi.json?api_key=${canary('spec-query')}` }
  const keySet = { jwksUrl: `http://127.0.0.1:1/jwks?key=${canary('key-set-query')}`, audience: 'x' }
  const made = await ear.api('POST', '/api/workspaces', { name: 'key-set', auth: { authType: 'jwt', jwt: keySet } })
  assert.equal(made.status, 201, made.body)
  await ear.call(new URL(JSON.parse(made.body).url).pathname, callerToken(), toolCall('echo'))
  for (const [name, settings] of Object.entries(upstreams(origin))) {
    const made = await ear.api('POST', '/api/workspaces', { name, source, auth, tools: 'all', ...settings })
    assert.equal(made.status, 201, made.body)
    paths.set(name, new URL(JSON.parse(made.body).url).pathname)
  }
  const token = callerToken({ jti: canary('claim') })
  const refusedTokens = [
    callerToken({ exp: 1 }),
    callerToken({}, `${INBOUND}x`),
    callerToken({ aud: 'another' }),
    callerToken({ iss: 'https://other.example' }),
    canary('no-jwt'),
    `${canary('a')}.${canary('b')}.${canary('c')}`,
  ]
  for (const path of paths.values()) {
    for (const tool of ['echo', 'echo', 'failing', 'unauthorized', 'redirect']) {
      const args = { password: canary('argument'), 'X-Api-Token': canary('argument') }
      // The API repeats its arguments to the caller who gave them: that is no leak, so they are not listened to.
      const silent = tool === 'echo' || tool === 'failing' || tool === 'unauthorized'
      await ear.call(path, token, toolCall(tool, silent ? {} : args))
    }
    await ear.call(path, token, toolCall('echo', { count: 'seven', password: canary('argument') }))
    await ear.call(path, token, { jsonrpc: '2.0', id: 1, method: 'tools/list' })
    await ear.send({ target: `/.well-known/oauth-protected-resource${path}` })
  }
  const path = paths.get('bearer') ?? ''
  for (const refused of refusedTokens) await ear.call(path, refused, toolCall('echo'))
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  await ear.send({ method: 'POST', target: `${path}?access_token=${token}&key=${canary('query')}`, body: '{}' })
  await ear.send({ method: 'POST', target: path, headers: [`agent-session: ${token}x`], body: '{}' })
  await ear.send({ method: 'POST', target: path, headers: [`Authorization: ${canary('scheme')} ${token}`], body: '{}' })
  await ear.send({
    method: 'POST',
    target: path,
    headers: [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
  })
  await ear.call(path, token, `{"password":"${canary('body')}"`)
  await ear.call(path, token, list, [`Cookie: session=${canary('cookie')}`, `X-Api-Key: ${canary('caller-key')}`])
  await ear.call(path, token, list, [`Mcp-Session-Id: 12345678${canary('session')}`])
  await ear.send({ method: 'POST', target: '/api/workspaces', headers: [`Authorization: Bearer ${canary('admin')}`] })
  await provokeApi(ear, origin)
  await ear.api('GET', '/api/logs?limit=1000')
  return [token, ...refusedTokens].map((one) => one.split('.').at(-1) ?? one)
}

async function provokeApi(ear: Ear, origin: string): Promise<void> {
  const badSettings: readonly unknown[] = [
    { name: 'x', auth: { authType: 'jwt', jwt: { secret: WORD } } },
    { name: 'x', auth: { authType: 'jwt', jwt: { secret: [INBOUND] } } },
    { name: 'x', auth: { authType: 'jwt', jwt: { publicKey: canary('public-key') } } },
    { name: 'x', auth: { authType: canary('auth-type') } },
    { name: 'x', auth: { authType: 'jwt', jwt: { jwksUrl: `http://${WORD}.example/?k=${WORD}`, audience: 'x' } } },
    { name: 'x', params: { password: { nested: canary('password') } } },
    { name: 'x', upstream: { auth: { type: canary('type'), token: canary('bearer') } } },
    { name: 'x', upstream: { baseUrl: canary('base-url') } },
    { name: 'x', upstream: { timeoutMs: canary('timeout') } },
    { name: 'x', source: { url: `http://${canary('user')}:${canary('password')}@127.0.0.1:1/openapi.json` } },
    { name: 'x', source: { url: `http://127.0.0.1:1/openapi.json?key=${canary('query')}` } },
    { name: 'x', source: { url: `${origin}/page.json?key=${canary('query')}` } },
    { name: 'x', source: { url: `${origin}/broken.yaml?key=${canary('query')}` } },
    { name: 'x', source: { document: `openapi: [ ${canary('document')}` } },
    { name: 'x', tools: canary('tools') },
    `{"name":"x","params":{"password":"${canary('password')}"`,
  ]
  for (const settings of badSettings) {
    const answer = await ear.api('POST', '/api/workspaces', settings)
    assert.ok([400, 422, 502].includes(answer.status), `${answer.status} ${answer.body}`)
  }
  for (const name of Object.keys(upstreams(origin))) {
    for (const target of [`/api/workspaces/${name}`, `/api/workspaces/${name}/tools`]) await ear.api('GET', target)
    await ear.api('POST', `/api/workspaces/${name}/import`, {})
    await ear.api('PATCH', `/api/workspaces/${name}`, { params: { added: canary('param'), password: null } })
    await ear.api('PATCH', `/api/workspaces/${name}`, { upstream: { auth: { type: 'bearer', token: 7 } } })
  }
  await ear.api('GET', '/api/workspaces')
  await ear.api('GET', `/api/workspaces/${canary('id')}`)
  await ear.api('GET', `/api/logs?limit=${WORD}`)
}

async function started(home: Home, args: readonly string[], env: Readonly<Record<string, string>>) {
  const gatehouse: GatehouseProcess = runGatehouse(home.folder, ['start', ...args], env)
  const url = await gatehouse.listening
  assert.ok(url !== undefined, gatehouse.stderr())
  const adminKey = (await readFile(join(home.folder, 'keys', 'admin.key'), 'utf8')).trim()
  return { gatehouse, url, adminKey }
}

suite('T24: no sink shows a secret', () => {
  for (const format of ['text', 'json'] as const) {
    test(`not the log as ${format} at debug, no answer, no tool result, no stored byte, after failures of every kind`, async () => {
      await using home = await makeHome()
      await using leaky = await startLeakyApi()
      const kept = { name: 'in-file', source: `${leaky.url}/openapi.json?key=${canary('file-query')}`, auth }
      const workspaces = [
        { ...kept, ...upstreams(leaky.url)['login'] },
        { ...kept, name: 'unreachable', source: `http://127.0.0.1:1/?key=${canary('file-query')}` },
      ]
      await home.configure({ auth, workspaces })
      const env = { ENCRYPTION_KEY: MASTER, LOG_LEVEL: 'debug', LOG_FORMAT: format }
      const { gatehouse, url, adminKey } = await started(home, [], env)
      await using _process = gatehouse
      const ear = new Ear(url, adminKey)
      const signatures = await provoke(ear, leaky.url)
      assert.ok(
        leaky.seen.some(({ body }) => body.includes(canary('login-body'))),
        'the login was not sent',
      )
      assert.ok(
        leaky.seen.some(({ body }) => body.includes(LEAKY_TOKENS.refresh)),
        'no refresh was sent',
      )
      const exact = [...signatures, adminKey, BASIC]
      const whileRunning = bytesOf(join(home.folder, 'data'))
      await gatehouse.stop()
      assert.equal(await gatehouse.exit, 0, gatehouse.stderr())
      assert.ok(ear.heard.length > 150 && gatehouse.stdout().includes('login_failed'))
      for (const text of ear.heard) assertNoSecret('an answer', text, exact)
      assertNoSecret('the log', gatehouse.stdout(), exact)
      assertNoSecret('standard error', gatehouse.stderr(), exact)
      const stored = [...whileRunning, ...bytesOf(join(home.folder, 'data'))]
      assert.ok(stored.some(({ text }) => text.includes('SQLite format 3')))
      for (const { name, text } of stored) assertNoSecret(name, text, exact)
      const keys = bytesOf(join(home.folder, 'keys'))
      assert.deepEqual(
        keys.map(({ name }) => name),
        [join(home.folder, 'keys', 'admin.key')],
        'with ENCRYPTION_KEY given no other key is written',
      )
    })
  }

  test('not an answer of /api, where {"saved":true} stands for every secret', async () => {
    await using home = await makeHome()
    await using leaky = await startLeakyApi()
    await home.configure({})
    const { gatehouse, url, adminKey } = await started(home, [], {})
    await using _process = gatehouse
    const ear = new Ear(url, adminKey)
    const { upstream, params } = upstreams(leaky.url)['login'] ?? {}
    const made = await ear.api('POST', '/api/workspaces', { name: 'shown', auth, upstream, params })
    const shown = JSON.parse(made.body)
    const saved = { saved: true }
    assert.deepEqual(shown.params, { login_url: saved, refresh_url: saved, username: saved, password: saved })
    assert.deepEqual(shown.auth.jwt[0].secret, saved)
    assert.deepEqual(shown.upstream.auth.login.body, { user: saved, pass: saved, fixed: saved, deep: saved })
    assert.deepEqual(shown.upstream.auth.login.headers, { 'X-Login': saved })
    assertNoSecret('/api', made.body, [])
  })

  const crashes: readonly {
    readonly name: string
    readonly config: string
    readonly env?: Readonly<Record<string, string>>
  }[] = [
    { name: 'YAML that breaks off in a secret', config: `auth:\n  jwt: { secret: "${INBOUND}\nport: 0` },
    { name: 'a tab in front of a secret', config: `auth:\n\tsecret: ${INBOUND}` },
    { name: 'an alias of a secret', config: `auth: *${INBOUND}` },
    { name: 'a secret where an object should be', config: `auth: ${INBOUND}` },
    { name: 'a list of secrets', config: JSON.stringify({ auth: { authType: 'jwt', jwt: { secret: [INBOUND] } } }) },
    { name: 'a short secret', config: JSON.stringify({ auth: { authType: 'jwt', jwt: { secret: `${WORD}` } } }) },
    { name: 'a key that is none', config: JSON.stringify({ auth: { authType: 'jwt', jwt: { publicKey: INBOUND } } }) },
    { name: 'a secret as an unknown type', config: JSON.stringify({ auth: { authType: INBOUND } }) },
    {
      name: 'a param of the wrong type',
      config: JSON.stringify({ workspaces: [{ name: 'x', params: { a: [INBOUND] } }] }),
    },
    {
      name: 'a password in a key set’s URL',
      config: JSON.stringify({
        auth: { authType: 'jwt', jwt: { jwksUrl: `https://a:${WORD}@x.example/`, audience: 'x' } },
      }),
    },
    {
      name: 'a password in a source’s URL',
      config: JSON.stringify({ workspaces: [{ name: 'x', source: `http://a:${WORD}@127.0.0.1:1/` }] }),
    },
    {
      name: 'a password in a source of another kind',
      config: JSON.stringify({ workspaces: [{ name: 'x', source: `ftp://a:${WORD}@127.0.0.1/` }] }),
    },
    { name: 'a short encryption key', config: '{}', env: { ENCRYPTION_KEY: WORD } },
    { name: 'a secret as a port', config: '{}', env: { PORT: INBOUND } },
  ]
  for (const { name, config, env = {} } of crashes) {
    test(`not the last words of a process that does not start: ${name}`, async () => {
      await using home = await makeHome()
      await home.configure(config)
      const own = { DATA_DIR: join(home.folder, 'data'), KEYS_DIR: join(home.folder, 'keys'), PORT: '0' }
      await using gatehouse = runGatehouse(home.folder, ['start'], { ...own, ...env })
      assert.equal(await gatehouse.exit, 1, gatehouse.stdout())
      assert.notEqual(gatehouse.stderr(), '')
      assertNoSecret('standard error', gatehouse.stderr(), [])
      assertNoSecret('standard output', gatehouse.stdout(), [])
    })
  }
})

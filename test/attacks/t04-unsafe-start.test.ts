import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../../src/errors.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { anyConfiguration, type Given, mayBeOpen, nothing } from './support/any-configuration.ts'
import { makeHome, runGatehouse } from './support/gatehouse-process.ts'
import { sendRaw } from './support/raw-http.ts'

const SECRET = 'a shared secret that is long enough for everybody'
const KEY = 'an encryption key of at least thirty-two characters'
const auth = { authType: 'jwt', jwt: { secret: SECRET, audience: 'mcp' } }

interface UnsafeStart {
  readonly name: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What is told: what is wrong, and what to do. */
  readonly says: readonly RegExp[]
}

const withJwt = (jwt: Readonly<Record<string, unknown>>) => ({ auth: { authType: 'jwt', jwt } })
const withSecret = (secret: string) => withJwt({ secret, audience: 'mcp' })
const makeOne = /openssl rand -base64 48/
const noKey = /no key to check tokens with.*--jwks-url \(JWKS_URL\), --jwt-secret \(JWT_SECRET\)/

/** One of each kind, as an operator would meet them: a real process. */
const starts: readonly UnsafeStart[] = [
  {
    name: 'a shared secret from documentation',
    config: withSecret('your-256-bit-secret'),
    says: [/placeholder/, makeOne],
  },
  {
    name: 'a short secret in the environment',
    env: { JWT_SECRET: 'short', JWT_AUDIENCE: 'mcp' },
    says: [/has 5 characters and needs at least 32/, makeOne],
  },
  { name: 'a short secret from a flag', args: ['--jwt-secret', 'short'], says: [/has 5 characters/, makeOne] },
  {
    name: 'a key set without an audience',
    args: ['--jwks-url', 'https://issuer.example/jwks'],
    says: [/jwksUrl needs an audience/, /--allow-any-audience/],
  },
  {
    name: 'a key set over http from a public address',
    args: ['--jwks-url', 'http://issuer.example/jwks', '--audience', 'mcp'],
    says: [/jwksUrl must be https/],
  },
  { name: 'jwt and no key', args: ['--auth', 'jwt'], says: [noKey] },
  { name: 'an unknown kind of auth', args: ['--auth', 'open'], says: [/Allowed choices are none, jwt/] },
  { name: 'none and a key at once', args: ['--auth', 'none', '--audience', 'mcp'], says: [/none asks nobody/] },
  {
    name: 'a public address and no auth',
    args: ['--host', '0.0.0.0', '--public-url', 'https://mcp.example'],
    says: [/no auth is configured/, /authType: none/],
  },
  {
    name: 'an empty allow-list',
    config: { allowedHosts: [], auth },
    says: [/allowedHosts: an empty list lets nobody in/],
  },
  {
    name: 'every host',
    config: { allowedHosts: ['*'], auth },
    says: [/allowedHosts: \* is not allowed. Name each one/],
  },
  {
    name: 'production and no encryption key',
    env: { NODE_ENV: 'production' },
    says: [/ENCRYPTION_KEY must be set/, makeOne],
  },
  { name: 'an unknown key', config: { auth, requireAuth: false }, says: [/"requireAuth"/] },
]

/** The rest, read and assembled in this process as `gatehouse start` does. */
const configurations: readonly Omit<UnsafeStart, 'args'>[] = [
  {
    name: 'a long secret from documentation',
    config: withSecret('a-string-secret-at-least-256-bits-long'),
    says: [/placeholder/],
  },
  { name: 'a secret of one letter', config: withSecret('x'.repeat(64)), says: [/placeholder/] },
  {
    name: 'a secret to be changed',
    config: withSecret('change-me-change-me-change-me-change-me'),
    says: [/placeholder/],
  },
  { name: 'a short secret', config: withSecret('fifteen letters'), says: [/auth: .*has 15 characters/] },
  { name: 'an empty secret', config: withSecret(''), says: [/has 0 characters/] },
  {
    name: 'an empty secret in development',
    config: withSecret(''),
    env: { NODE_ENV: 'development' },
    says: [/has 0 char/],
  },
  {
    name: 'a short secret of a workspace',
    config: {
      workspaces: [
        { name: 'good', auth },
        { name: 'bad', ...withSecret('short') },
      ],
    },
    says: [/workspaces\.1\.auth: .*has 5 characters/],
  },
  {
    name: 'a public key as the shared secret',
    config: withSecret('-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----'),
    says: [/PEM key.*publicKey/],
  },
  {
    name: 'a private key as the public one',
    config: withJwt({ publicKey: '-----BEGIN PRIVATE KEY-----\nMFkw\n-----END PRIVATE KEY-----' }),
    says: [/private key/],
  },
  {
    name: 'an algorithm that does not fit the key',
    config: withJwt({ secret: SECRET, algorithms: ['RS256'] }),
    says: [/does not fit the key.*HS256/],
  },
  {
    name: 'none as an algorithm',
    config: withJwt({ secret: SECRET, algorithms: ['none'] }),
    says: [/does not fit the key/],
  },
  {
    name: 'a key set over http by a number',
    config: withJwt({ jwksUrl: 'http://93.184.216.34/', audience: 'mcp' }),
    says: [/must be https/],
  },
  {
    name: 'a key set with a password',
    config: withJwt({ jwksUrl: 'https://me:pw@issuer.example/', audience: 'mcp' }),
    says: [/user name or password/],
  },
  {
    name: 'a key set from a file',
    config: withJwt({ jwksUrl: 'file:///etc/passwd', audience: 'mcp' }),
    says: [/must begin with https/],
  },
  {
    name: 'a key set and a secret',
    config: withJwt({ secret: SECRET, jwksUrl: 'https://issuer.example/' }),
    says: [/exactly one of/],
  },
  { name: 'jwt and no entry', config: { auth: { authType: 'jwt' } }, says: [/needs a jwt entry/] },
  { name: 'an empty list of entries', config: { auth: { authType: 'jwt', jwt: [] } }, says: [/needs a jwt entry/] },
  {
    name: 'two entries for one issuer',
    config: { auth: { authType: 'jwt', jwt: [{ secret: SECRET }, { secret: KEY }] } },
    says: [/Two jwt entries/],
  },
  { name: 'an audience in the environment and no key', env: { JWT_AUDIENCE: 'mcp' }, says: [noKey] },
  {
    name: 'an empty secret in the environment',
    env: { JWT_SECRET: '', JWT_ISSUER: 'https://issuer.example' },
    says: [noKey],
  },
  {
    name: 'every IPv6 address and no auth',
    config: { host: '::', allowedHosts: ['mcp.example'] },
    says: [/no auth is configured/],
  },
  { name: 'a public name and no auth', config: { publicUrl: 'https://mcp.example' }, says: [/no auth is configured/] },
  { name: 'a public Host and no auth', env: { ALLOWED_HOSTS: 'mcp.example' }, says: [/no auth is configured/] },
  { name: 'a public address without a name', config: { host: '0.0.0.0', auth }, says: [/publicUrl: set it/] },
  { name: 'an empty list of origins', config: { allowedOrigins: [], auth }, says: [/allowedOrigins: an empty list/] },
  { name: 'a list with nothing in it', env: { ALLOWED_HOSTS: ',' }, says: [/allowedHosts/] },
  { name: 'every origin', env: { CORS_ORIGIN: '*' }, config: { auth }, says: [/allowedOrigins: \* is not allowed/] },
  {
    name: 'the origin of every sandboxed page',
    config: { allowedOrigins: ['null'], auth },
    says: [/allowedOrigins: null/],
  },
  {
    name: 'a short encryption key',
    env: { ENCRYPTION_KEY: 'short' },
    says: [/ENCRYPTION_KEY has 5 characters/, makeOne],
  },
  {
    name: 'expired tokens',
    config: withJwt({ secret: SECRET, allowExpiredTokens: true }),
    says: [/allowExpiredTokens works only when NODE_ENV/],
  },
  {
    name: 'unsigned tokens in production',
    env: { NODE_ENV: 'production', ENCRYPTION_KEY: KEY },
    config: withJwt({ secret: SECRET, requireValidSignature: false }),
    says: [/requireValidSignature/],
  },
  { name: 'an unknown key of auth', config: { auth: { ...auth, optional: true } }, says: [/auth: .*"optional"/] },
  {
    name: 'an unknown key of a workspace',
    config: { workspaces: [{ name: 'x', authenticate: false }] },
    says: [/workspaces\.0: .*"authenticate"/],
  },
  { name: 'an unknown auth type', config: { auth: { authType: 'open' } }, says: [/auth\.authType: .*"none"/] },
  {
    name: 'a variable that is not set',
    config: withJwt({ secret: { $env: 'NOT_SET' } }),
    says: [/NOT_SET is not set/],
  },
  {
    name: 'the same workspace twice',
    config: { workspaces: [{ name: 'x' }, { name: 'x' }] },
    says: [/x is there twice/],
  },
]

// Side by side: each start is a process with a folder of its own.
suite('T4: the process does not start', { concurrency: 4 }, () => {
  for (const { name, config = {}, args = [], env = {}, says } of starts) {
    test(`with ${name}`, async () => {
      await using home = await makeHome()
      await home.configure(config)
      await using gatehouse = runGatehouse(home.folder, ['start', ...args], env)
      assert.equal(await gatehouse.listening, undefined, 'it listened')
      assert.equal(await gatehouse.exit, 1, gatehouse.stderr())
      for (const what of says) assert.match(gatehouse.stderr(), what)
      assert.doesNotMatch(gatehouse.stderr(), /\n\s+at /, 'a stack trace is no message')
    })
  }

  for (const { name, config = {}, env = {}, says } of configurations) {
    test(`with ${name}, and says what to do`, async () => {
      const started = async () => {
        await using _gateway = await startGateway({ config, env })
      }
      await assert.rejects(started, (error) => {
        assert.ok(error instanceof GatewayError, String(error))
        assert.equal(error.code, 'config_invalid')
        for (const what of says) assert.match(error.message, what)
        assert.ok(!error.message.includes(SECRET), 'the secret was repeated')
        return true
      })
    })
  }

  test('with another ENCRYPTION_KEY than the store was made with; with the right one it does', async () => {
    await using home = await makeHome()
    await home.configure({ workspaces: [{ name: 'kept', auth }] })
    const start = (key: string) => runGatehouse(home.folder, ['start'], { ENCRYPTION_KEY: key })
    await using first = start(KEY)
    assert.ok((await first.listening) !== undefined, first.stderr())
    await first.stop()
    await using wrong = start(`another ${KEY}`)
    assert.equal(await wrong.listening, undefined)
    assert.equal(await wrong.exit, 1)
    assert.match(wrong.stderr(), /ENCRYPTION_KEY is not the key that this data folder was made with/)
    assert.match(wrong.stderr(), /Start with the first key, or with an empty data folder/)
    await using again = start(KEY)
    assert.ok((await again.listening) !== undefined, again.stderr())
  })

  test('with a key file that others can read', { skip: process.platform === 'win32' }, async () => {
    await using home = await makeHome()
    await home.configure({})
    await using first = runGatehouse(home.folder, ['start'])
    assert.ok((await first.listening) !== undefined, first.stderr())
    await first.stop()
    await chmod(join(home.folder, 'keys', 'admin.key'), 0o644)
    await using second = runGatehouse(home.folder, ['start'])
    assert.equal(await second.exit, 1)
    assert.match(second.stderr(), /admin\.key is readable by others: run chmod 600/)
  })

  test('but with nothing configured it does, on loopback only, and says so', async () => {
    await using home = await makeHome()
    await home.configure({})
    await using gatehouse = runGatehouse(home.folder, ['start'])
    const url = await gatehouse.listening
    assert.match(url ?? gatehouse.stderr(), /^http:\/\/127\.0\.0\.1:\d+$/)
    await gatehouse.stop()
    assert.match(gatehouse.stdout(), /No auth is configured: every program on this machine may call/)
  })
})

suite('T4: no configuration is open by accident', () => {
  test('a configuration is refused, or asks for a token, unless "none" is written out or nothing is said on loopback', async () => {
    let served = 0
    await fc.assert(
      fc.asyncProperty(anyConfiguration, async (given) => {
        const answers = await unauthenticatedCalls(given)
        served += answers.length
        for (const { own, status } of answers) {
          assert.ok(status === 401 || mayBeOpen(given, own), `${status} for a workspace with ${JSON.stringify(own)}`)
        }
      }),
      {
        numRuns: 150,
        examples: [[{ ...nothing, env: { JWT_AUDIENCE: 'mcp' } }], [{ ...nothing, flags: { authType: 'jwt' } }]],
      },
    )
    assert.ok(served > 30, `only ${served} calls were made: the fuzz refuses too much to say anything`)
  })
})

/** Starts what was given, if it starts, and calls a tool of each workspace without a token. */
async function unauthenticatedCalls(given: Given): Promise<{ own: unknown; status: number }[]> {
  const { host, config, flags, env, inFile, overApi } = given
  const workspaces = inFile.map((own, index) => ({
    name: `file-${index}`,
    ...(own === undefined ? {} : { auth: own }),
  }))
  let gateway: TestGateway
  try {
    const variables = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]))
    gateway = await startGateway({ config: { ...config, host, workspaces }, flags, env: variables })
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'config_invalid', String(error))
    return []
  }
  await using _stop = gateway
  const port = new URL(gateway.url).port
  const reachable = `http://${host === '::' || host === '::1' ? '[::1]' : '127.0.0.1'}:${port}`
  const answers: { own: unknown; status: number }[] = []
  const call = async (path: string, own: unknown) => {
    const name = gateway.running.gateway.hostRules().hosts.values().next().value ?? 'localhost'
    const { status } = await sendRaw(reachable, {
      method: 'POST',
      target: path,
      bare: true,
      headers: [`Host: ${name}`, 'Connection: close', 'Content-Type: application/json'],
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{}}}',
    })
    answers.push({ own, status })
  }
  for (const [index, own] of inFile.entries()) {
    const { slug, id } = gateway.running.gateway.manager.get(`file-${index}`)
    await call(`/${slug}-${id}`, own)
  }
  for (const own of overApi) {
    const body = JSON.stringify({ name: 'made', ...(own === undefined ? {} : { auth: own }) })
    const made = await sendRaw(reachable, {
      method: 'POST',
      target: '/api/workspaces',
      bare: true,
      headers: [
        `Host: ${gateway.running.gateway.hostRules().hosts.values().next().value ?? 'localhost'}`,
        'Connection: close',
        'Content-Type: application/json',
        `Authorization: Bearer ${gateway.adminKey}`,
      ],
      body,
    })
    if (made.status === 201) await call(new URL(JSON.parse(made.body).url).pathname, own)
    else assert.ok([400, 422].includes(made.status), made.whole)
  }
  return answers
}

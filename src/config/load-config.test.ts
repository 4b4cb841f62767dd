import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite, test } from 'node:test'
import { isLoopback, isPublic, loadConfig, loadConnection } from '../config.ts'
import { ConfigFolder, refusalOf, SECRET } from './config.test-support.ts'

const folder = new ConfigFolder()
const load = folder.load.bind(folder)

suite('an option', () => {
  const places = [
    { name: 'a default', expected: 8080 },
    { name: 'the file over the default', file: { port: 1001 }, expected: 1001 },
    { name: 'the environment over the file', file: { port: 1001 }, env: { PORT: '1002' }, expected: 1002 },
    {
      name: 'a flag over the environment',
      file: { port: 1001 },
      env: { PORT: '1002' },
      flags: { port: '1003' },
      expected: 1003,
    },
    { name: 'the file over an empty variable', file: { port: 1001 }, env: { PORT: '' }, expected: 1001 },
  ]
  for (const { name, file = {}, env = {}, flags = {}, expected } of places) {
    test(`is taken from ${name}`, () => assert.equal(load(file, { env, flags }).port, expected))
  }

  test('has a default that is safe: loopback, no auth written down, nothing public', () => {
    const config = loadConfig({ env: {} })
    assert.equal(config.host, '127.0.0.1')
    assert.equal(config.auth, undefined)
    assert.equal(isPublic(config), false)
    assert.deepEqual([config.isDevelopment, config.isProduction], [false, false])
    assert.equal(config.dataDir, resolve('data'))
    assert.equal(config.keysDir, join(homedir(), '.config', 'gatehouse'))
  })

  test('HOST of the environment is no option: many systems set it to something else', () => {
    assert.equal(loadConfig({ env: { HOST: '0.0.0.0' } }).host, '127.0.0.1')
  })

  test('that holds a list may be a text with commas', () => {
    const auth = { authType: 'none' }
    assert.deepEqual(load({ auth }, { env: { ALLOWED_HOSTS: 'a.example, b.example' } }).allowedHosts, [
      'a.example',
      'b.example',
    ])
  })

  for (const port of [
    null,
    true,
    false,
    '',
    ' ',
    '80a',
    '0x50',
    '1e3',
    -1,
    65_536,
    80.5,
    [],
    {},
    '99999999999999999999',
  ]) {
    test(`refuses ${JSON.stringify(port)} as a port`, () =>
      assert.match(
        refusalOf(() => load({ port })),
        /port: /,
      ))
  }

  for (const port of ['80a', ' ', '-1']) {
    test(`refuses "${port}" as a port from the environment`, () =>
      assert.match(
        refusalOf(() => loadConfig({ env: { PORT: port } })),
        /port: expected number, digits only/,
      ))
  }

  const urls = [
    ['https://MCP.Example:443/', 'https://mcp.example'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://mcp.example/gateway//', 'https://mcp.example/gateway'],
  ] as const
  for (const [given, expected] of urls) {
    test(`publicUrl ${given} is ${expected}: as clients will write it`, () =>
      assert.equal(load({ publicUrl: given, auth: { authType: 'none' } }).publicUrl, expected))
  }

  for (const url of [
    'https://ada:CANARY@a.example',
    'https://a.example/?CANARY',
    'https://a.example/#CANARY',
    'ftp://a',
    'CANARY',
  ]) {
    test(`refuses ${url} as publicUrl`, () => {
      const message = refusalOf(() => load({ publicUrl: url, auth: { authType: 'none' } }))
      assert.match(message, /publicUrl: /)
      assert.doesNotMatch(message, /CANARY/)
    })
  }
})

suite('an unknown key', () => {
  for (const [name, content, pattern] of [
    ['of the file', { requireAuth: true }, /requireAuth/],
    ['of auth', { auth: { authType: 'none', enabled: false } }, /auth: .*enabled/],
    ['of a verifier', { auth: { authType: 'jwt', jwt: { secret: SECRET, audiences: 'a' } } }, /audiences/],
    ['of a workspace', { workspaces: [{ name: 'a', authentication: 'jwt' }] }, /workspaces\.0: .*authentication/],
    ['named __proto__', '__proto__: { port: 1 }', /__proto__/],
    ['that merges', '<<: { port: 1 }', /<</],
  ] as const) {
    test(`${name} stops the start and is named`, () =>
      assert.match(
        refusalOf(() => load(content)),
        pattern,
      ))
  }
})

suite('what must not start', () => {
  const jwt = { authType: 'jwt', jwt: { secret: SECRET } }
  const cases: readonly [name: string, content: object, env: Record<string, string>, pattern: RegExp][] = [
    ['a public address without auth', { host: '0.0.0.0', allowedHosts: ['a.example'] }, {}, /no auth is configured/],
    ['every IPv6 address without auth', { host: '::', allowedHosts: ['a.example'] }, {}, /no auth is configured/],
    ['a name without auth', { host: 'a.example', allowedHosts: ['a.example'] }, {}, /no auth is configured/],
    [
      'a mapped loopback address without auth',
      { host: '::ffff:127.0.0.1', allowedHosts: ['a'] },
      {},
      /no auth is configured/,
    ],
    ['a public URL without auth', { publicUrl: 'https://a.example' }, {}, /no auth is configured/],
    ['a proxy’s Host without auth', { allowedHosts: ['localhost', 'a.example'] }, {}, /no auth is configured/],
    [
      'a workspace’s auth alone on a public address',
      { publicUrl: 'https://a.example', workspaces: [{ name: 'a', auth: jwt }] },
      {},
      /no auth is configured/,
    ],
    ['a public address without a name', { host: '0.0.0.0', auth: jwt }, {}, /publicUrl: set it/],
    ['an empty list of Hosts', { allowedHosts: [] }, {}, /allowedHosts: an empty list/],
    ['an empty list of origins', { allowedOrigins: [] }, {}, /allowedOrigins: an empty list/],
    ['a list with an empty name', { allowedHosts: ['a', ''], auth: jwt }, {}, /allowedHosts\.1: /],
    ['every Host', { allowedHosts: ['*'], auth: jwt }, {}, /allowedHosts: \* is not allowed/],
    ['every origin', { allowedOrigins: ['*'] }, {}, /allowedOrigins: \* is not allowed/],
    ['sandboxed pages', { allowedOrigins: ['null'] }, {}, /allowedOrigins: null/],
    ['production without a key', {}, { NODE_ENV: 'production' }, /ENCRYPTION_KEY must be set/],
    [
      'a workspace twice',
      { workspaces: [{ name: 'a', slug: 'b' }, { name: 'b' }] },
      {},
      /workspaces: b is there twice/,
    ],
    ['two names for one slug', { workspaces: [{ name: 'My API' }, { name: 'my api' }] }, {}, /my-api is there twice/],
    ['no key to check with', { auth: { authType: 'jwt' } }, {}, /auth: /],
    ['a short secret', { auth: { authType: 'jwt', jwt: { secret: 'short' } } }, {}, /auth: .*5 characters/],
    ['two kinds of key', { auth: { authType: 'jwt', jwt: { secret: SECRET, publicKey: 'x' } } }, {}, /exactly one of/],
  ]
  for (const [name, content, env, pattern] of cases) {
    test(name, () =>
      assert.match(
        refusalOf(() => load(content, { env })),
        pattern,
      ),
    )
  }

  const fine: readonly [name: string, content: object, env: Record<string, string>][] = [
    ['a public address with auth and a name', { host: '0.0.0.0', publicUrl: 'https://a.example', auth: jwt }, {}],
    ['a public address where none is written out', { publicUrl: 'https://a.example', auth: { authType: 'none' } }, {}],
    ['loopback without auth', { host: '::1', publicUrl: 'http://localhost:8080' }, {}],
    ['production with a key', {}, { NODE_ENV: 'production', ENCRYPTION_KEY: SECRET }],
  ]
  for (const [name, content, env] of fine) test(`but ${name} does`, () => void load(content, { env }))

  test('is told with every problem, one a line', () => {
    const message = refusalOf(() => load({ host: '0.0.0.0', allowedOrigins: ['*'] }))
    assert.equal(message.split('\n').length, 4)
  })
})

test('authType dev starts in development on this machine only (A31)', () => {
  const auth = { authType: 'dev' }
  const env = { NODE_ENV: 'development' }
  assert.equal(load({ auth }, { env }).auth?.authType, 'dev')
  for (const NODE_ENV of ['production', '', 'staging']) {
    assert.match(
      refusalOf(() => load({ auth }, { env: { NODE_ENV, ENCRYPTION_KEY: SECRET } })),
      /only when NODE_ENV is test or development/,
    )
  }
  const reachable = { publicUrl: 'https://mcp.example' }
  assert.match(
    refusalOf(() => load({ auth, ...reachable }, { env })),
    /authType dev believes everybody/,
  )
  const workspaces = [{ name: 'a', auth }]
  assert.match(
    refusalOf(() => load({ auth: { authType: 'none' }, workspaces, ...reachable }, { env })),
    /authType dev believes everybody/,
  )
})

suite('authType oauth and both (A26, PRODUCT.md 12)', () => {
  for (const authType of ['oauth', 'both']) {
    test(`${authType} starts on this machine, and elsewhere behind https`, () => {
      assert.equal(load({ auth: { authType } }).auth?.authType, authType)
      assert.equal(load({ auth: { authType }, publicUrl: 'https://gate.example' }).auth?.authType, authType)
    })

    test(`${authType} does not start where codes would travel in the open`, () => {
      assert.match(
        refusalOf(() => load({ auth: { authType }, publicUrl: 'http://gate.example' })),
        /auth: authType oauth and both need a publicUrl that begins with https/,
      )
    })

    test(`${authType} starts behind a proxy with names that the operator has written, wherever it listens (C16)`, () => {
      const behind = { auth: { authType }, trustProxy: ['loopback'] }
      assert.match(
        refusalOf(() => load(behind)),
        /publicUrl: with authType oauth or both behind a proxy set it, or allowedHosts/,
      )
      for (const host of ['127.0.0.1', '0.0.0.0', '10.0.0.5']) {
        const config = load({ ...behind, host, allowedHosts: ['abc.ngrok.example'] })
        assert.equal(config.publicUrl, undefined)
      }
      assert.match(
        refusalOf(() => load({ auth: { authType }, host: '0.0.0.0', allowedHosts: ['abc.ngrok.example'] })),
        /auth: authType oauth and both need a publicUrl that begins with https/,
      )
    })
  }

  test('oauth takes no verifier beside it', () => {
    assert.match(
      refusalOf(() => load({ auth: { authType: 'oauth', jwt: { secret: SECRET, audience: 'a' } } })),
      /authType oauth takes neither jwt entries nor userinfo/,
    )
  })
})

suite('a verifier from flags and environment', () => {
  const inFile = { auth: { authType: 'none' } }

  test('replaces what the file says about callers', () => {
    const { auth } = load(inFile, { env: { JWT_SECRET: SECRET, JWT_AUDIENCE: 'mcp' } })
    assert.equal(auth?.authType, 'jwt')
    assert.deepEqual(
      auth?.jwt.map(({ secret, audience }) => [secret, audience]),
      [[SECRET, 'mcp']],
    )
  })

  test('is made of flags over environment, key by key', () => {
    const flags = { audience: 'flag', requiredScopes: ['a', 'b'] }
    const [verifier] =
      load({}, { flags, env: { JWT_SECRET: SECRET, JWT_AUDIENCE: 'env', JWT_ISSUER: 'env' } }).auth?.jwt ?? []
    assert.deepEqual([verifier?.audience, verifier?.issuer, verifier?.requiredScopes], ['flag', 'env', ['a', 'b']])
  })

  test('asks for a key when flags say what to check, and never leaves that out in silence', () => {
    for (const flags of [
      { requiredScopes: ['a'] },
      { issuer: 'a' },
      { audience: 'a' },
      { authType: 'jwt' },
      { allowAnyAudience: true },
    ]) {
      assert.match(
        refusalOf(() => load(inFile, { flags })),
        /no key to check tokens with/,
      )
    }
  })

  test('asks for one key, not two', () => {
    const env = { JWT_SECRET: SECRET, JWKS_URL: 'https://id.example/jwks' }
    assert.match(
      refusalOf(() => loadConfig({ env })),
      /exactly one of/,
    )
  })

  test('is none when that is written out, and then nothing else may be', () => {
    const flags = { authType: 'none' }
    assert.equal(load({}, { flags }).auth?.authType, 'none')
    assert.match(
      refusalOf(() => load({}, { flags: { ...flags, secret: SECRET } })),
      /none asks nobody/,
    )
    assert.match(
      refusalOf(() => load({}, { flags: { authType: 'open' } })),
      /none or jwt/,
    )
  })
})

test('a connection is read without judging the rest: its secrets may be elsewhere', () => {
  const file = folder.write({
    port: 9000,
    keysDir: { $env: 'KEYS' },
    encryptionKey: { $env: 'NOT_HERE' },
    publicUrl: 'https://a',
  })
  const connection = loadConnection({ file, env: { KEYS: '/keys' } })
  assert.deepEqual(connection, { host: '127.0.0.1', port: 9000, keysDir: '/keys' })
})

suite('isLoopback', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]']) {
    test(`${host} is this machine`, () => assert.equal(isLoopback(host), true))
  }
  const others = [
    '',
    '0.0.0.0',
    '::',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'evil-localhost',
    '1127.0.0.1',
    '127.0.0',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    'localhost:80',
    '127.0.0.1\n',
  ]
  for (const host of others) {
    test(`${JSON.stringify(host)} is not`, () => assert.equal(isLoopback(host), false))
  }
})

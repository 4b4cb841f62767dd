import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type Config, isPublic, loadConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { ConfigFolder, refusalOf, SECRET } from './config.test-support.ts'

const folder = new ConfigFolder()
const load = folder.load.bind(folder)

suite('a reference in the file', () => {
  test('{ $env: NAME } and { $file: path } are replaced, however deep, the path beside the file', () => {
    writeFileSync(join(folder.path, 'password'), 'from a file\n')
    const params = { user: { $env: 'API_USER' }, password: { $file: 'password' } }
    const { workspaces, auth } = load(
      { auth: { authType: 'jwt', jwt: [{ secret: { $env: 'KEY' } }] }, workspaces: [{ name: 'a', params }] },
      { env: { API_USER: 'ada', KEY: SECRET } },
    )
    assert.deepEqual(workspaces[0]?.params, { user: 'ada', password: 'from a file' })
    assert.equal(auth?.jwt[0]?.secret, SECRET)
  })

  test('that leads nowhere stops the start', () => {
    const { message } = new Error(refusalOf(() => load({ encryptionKey: { $env: 'NONE' } })))
    assert.match(message, /environment variable NONE is not set/)
    assert.match(
      refusalOf(() => load({ encryptionKey: { $env: 'NONE' } }, { env: { NONE: '' } })),
      /NONE is not set/,
    )
    assert.match(
      refusalOf(() => load({ encryptionKey: { $file: 'none' } })),
      /none cannot be read/,
    )
  })

  test('is a whole value: with another key beside it, it is none', () => {
    assert.throws(() => load({ encryptionKey: { $env: 'KEY', other: 1 } }, { env: { KEY: SECRET } }), GatewayError)
  })

  // biome-ignore lint/suspicious/noTemplateCurlyInString: that it is no template is the point.
  for (const text of ['${KEY}', '$KEY', '%KEY%', '$(cat /etc/passwd)', '`id`', '{{KEY}}', '$env:KEY', '!env KEY']) {
    test(`is not ${text}: that is a text and stays one`, () => {
      const { workspaces } = load({ workspaces: [{ name: 'a', params: { value: text } }] }, { env: { KEY: 'CANARY' } })
      assert.equal(workspaces[0]?.params['value'], text)
    })
  }

  test('is not filled in where flags and environment say it', () => {
    const env = { ENCRYPTION_KEY: '{ $env: OTHER }', OTHER: 'CANARY' }
    assert.equal(loadConfig({ env }).encryptionKey, '{ $env: OTHER }')
    const flags = { encryptionKey: { $env: 'OTHER' } }
    assert.doesNotMatch(
      refusalOf(() => loadConfig({ env: { OTHER: 'CANARY' }, flags })),
      /CANARY/,
    )
  })

  test('is not found in what it was replaced by', () => {
    writeFileSync(join(folder.path, 'nested'), '{ $env: OTHER }')
    const params = { value: { $file: 'nested' } }
    const { workspaces } = load({ workspaces: [{ name: 'a', params }] }, { env: { OTHER: 'CANARY' } })
    assert.equal(workspaces[0]?.params['value'], '{ $env: OTHER }')
  })
})

suite('a config file', () => {
  test('may be empty or hold only comments', () => {
    assert.equal(load('').port, 8080)
    assert.equal(load('# nothing\n').port, 8080)
  })

  const broken = [
    ['a quote that is not closed', 'encryptionKey: "CANARY\n', /not YAML \(line \d\)/],
    ['an indent that is wrong', 'auth:\n  a: CANARY\n b: 1\n', /not YAML \(line \d\)/],
    ['a key twice', 'port: 1\nport: CANARY\n', /not YAML \(line \d\)/],
    ['two documents', 'port: 1\n---\nencryptionKey: CANARY\n', /not YAML/],
    ['an alias that is none', 'encryptionKey: *CANARY\n', /not YAML/],
    ['a list', '- CANARY\n', /must hold keys and values/],
    ['a text', 'CANARY\n', /must hold keys and values/],
    ['a value of the wrong type', `encryptionKey: [CANARY]\n`, /encryptionKey: /],
    ['a wrong choice', 'logLevel: CANARY\n', /logLevel: /],
    ['a secret that is a number', 'encryptionKey: 111122223333\n', /^(?!.*1111)[\s\S]*encryptionKey: /],
    ['a bomb of aliases', bombOf('CANARY'), /not YAML/],
  ] as const
  for (const [name, text, pattern] of broken) {
    test(`with ${name} is refused without a word of it`, () => {
      const message = refusalOf(() => load(text))
      assert.match(message, pattern)
      assert.doesNotMatch(message, /CANARY/)
    })
  }

  test('with an unknown tag warns nobody with the line it stands on', async () => {
    const warnings: string[] = []
    const listen = (warning: Error) => warnings.push(warning.message)
    process.on('warning', listen)
    load(`encryptionKey: !secret ${SECRET}\n`)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listen)
    assert.deepEqual(warnings, [])
  })

  test('that is not there says its name', () => {
    assert.match(
      refusalOf(() => loadConfig({ file: '/nowhere/a.yaml', env: {} })),
      /\/nowhere\/a\.yaml cannot be read/,
    )
  })

  test('names sources by URL, or by a path beside it', () => {
    const sources = ['https://a.example/openapi.json', 'specs/a.yaml', '/absolute/a.json']
    const { workspaces } = load({ workspaces: sources.map((source, index) => ({ name: `w${index}`, source })) })
    assert.deepEqual(
      workspaces.map(({ source }) => source),
      [sources[0], join(folder.path, 'specs/a.yaml'), sources[2]],
    )
  })
})

test('any configuration is refused, or is not public without auth, and no refusal shows a secret', () => {
  const host = fc.constantFrom('127.0.0.1', 'localhost', '::1', '0.0.0.0', '::', 'a.example', '10.0.0.1', '', '127.1')
  const secret = fc.constantFrom(SECRET, 'CANARY', `CANARY${SECRET}`)
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom<unknown>(null, '*', [], ['*'], ['']))
  const mostly = (usual: fc.Arbitrary<unknown>) =>
    fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: odd, weight: 1 })
  const auth = mostly(
    fc.oneof(
      fc.constantFrom<unknown>({ authType: 'none' }, { authType: 'jwt' }, { authType: 'jwt', jwt: [] }),
      fc.record({ authType: fc.constantFrom('jwt', 'none'), jwt: fc.record({ secret }) }),
    ),
  )
  const url = fc.constantFrom('https://a.example', 'http://localhost:1', 'http://[::1]', 'https://CANARY@a.example')
  const workspace = fc.record({ name: fc.constantFrom('a', 'b', 'c'), auth }, { requiredKeys: ['name'] })
  const content = fc.record(
    {
      host: mostly(host),
      publicUrl: mostly(url),
      allowedHosts: mostly(fc.array(host, { minLength: 1, maxLength: 2 })),
      allowedOrigins: mostly(fc.array(url, { minLength: 1, maxLength: 2 })),
      encryptionKey: mostly(secret),
      auth,
      workspaces: mostly(fc.array(workspace, { maxLength: 2 })),
      port: mostly(fc.nat(65_535)),
    },
    { requiredKeys: [] },
  )
  const env = fc.record(
    { PUBLIC_URL: url, ALLOWED_HOSTS: host, JWT_SECRET: secret, NODE_ENV: fc.constantFrom('production', 'test') },
    { requiredKeys: [] },
  )
  let accepted = 0
  fc.assert(
    fc.property(content, env, (given, environment) => {
      let config: Config
      try {
        config = load(given, { env: environment })
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'config_invalid', String(error))
        assert.doesNotMatch(error.message, /CANARY/)
        return
      }
      accepted += 1
      assert.ok(config.auth !== undefined || !isPublic(config))
      assert.ok(config.auth?.authType !== 'jwt' || config.auth.jwt.length > 0)
    }),
    { numRuns: 500 },
  )
  assert.ok(accepted > 50, `only ${accepted} were accepted: the test says little`)
})

/** Nine levels of nine aliases each: a thousand million texts if it were written out. */
function bombOf(text: string): string {
  const levels = [`a0: &a0 ["${text}"]`]
  for (let level = 1; level < 10; level += 1) {
    levels.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`)
  }
  return levels.join('\n')
}

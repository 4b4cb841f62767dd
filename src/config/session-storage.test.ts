import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { sessionStorageSettings } from '../oauth/session-storage-settings.ts'
import { problemsOf } from '../workspaces/settings.ts'
import { ConfigFolder, SECRET } from './config.test-support.ts'
import { withSessionStorage } from './session-storage.ts'

const redis = (settings: unknown) => ({ sessionStorage: { type: 'redis', redis: settings } })

suite('REDIS_* (C11)', () => {
  const cases = [
    {
      name: 'reach the Redis of the environment',
      env: { REDIS_HOST: 'cache.example', REDIS_PORT: '6380', REDIS_PASSWORD: 'secret', REDIS_TLS: 'true' },
      inFile: undefined,
      expected: { host: 'cache.example', port: 6380, password: 'secret', tls: true },
    },
    {
      name: 'beat the file, and leave what they do not name',
      env: { REDIS_HOST: 'cache.example', REDIS_TLS: 'false' },
      inFile: { host: 'other', port: 1, db: 3, keyPrefix: 'a:' },
      expected: { host: 'cache.example', db: 3, keyPrefix: 'a:' },
    },
    {
      name: 'name the whole address with REDIS_URL',
      env: { REDIS_URL: 'rediss://cache.example/2', REDIS_HOST: 'not this', REDIS_PORT: '9' },
      inFile: { host: 'other', port: 1, db: 3 },
      expected: { url: 'rediss://cache.example/2', db: 3 },
    },
    {
      name: 'say nothing when they are empty',
      env: { REDIS_HOST: '', REDIS_URL: '' },
      inFile: { db: 3 },
      expected: { db: 3 },
    },
  ] as const
  for (const { name, env, inFile, expected } of cases) {
    test(name, () => assert.deepEqual(withSessionStorage(redis(inFile), env), redis(expected)))
  }

  test('are refused when they cannot be read', () => {
    assert.throws(() => withSessionStorage(redis({}), { REDIS_PORT: 'x' }), /REDIS_PORT must be a number/)
    assert.throws(() => withSessionStorage(redis({}), { REDIS_TLS: 'yes' }), /REDIS_TLS takes true or false/)
  })

  test('say nothing without the type redis: they may be for another program', () => {
    const env = { REDIS_HOST: 'cache.example', REDIS_PORT: 'x' }
    for (const oauth of [undefined, {}, { sessionStorage: { type: 'memory' } }, 'nonsense']) {
      assert.equal(withSessionStorage(oauth, env)?.toString(), oauth?.toString())
    }
  })
})

suite('oauth.sessionStorage', () => {
  test('is the store unless it says something else, and a file where only its folder is given (seed 003)', () => {
    assert.equal(sessionStorageSettings.parse({}).type, 'store')
    assert.deepEqual(withSessionStorage({ sessionStorePath: './s' }, {}), {
      sessionStorePath: './s',
      sessionStorage: { type: 'file' },
    })
  })

  const wrong = [
    { name: 'a file for another type', settings: { filePath: 'x' }, words: /filePath is for type: file/ },
    { name: 'a Redis for another type', settings: { type: 'file', redis: {} }, words: /redis is for type: redis/ },
    { name: 'two addresses', settings: redis({ url: 'redis://h', host: 'h' }).sessionStorage, words: /not both/ },
    { name: 'another kind of URL', settings: redis({ url: 'http://h' }).sessionStorage, words: /redis:\/\// },
    { name: 'an unknown type', settings: { type: 'disk' }, words: /type/ },
    { name: 'an unknown key', settings: { path: 'x' }, words: /path/ },
  ]
  for (const { name, settings, words } of wrong) {
    test(`refuses ${name}`, () => {
      const parsed = sessionStorageSettings.safeParse(settings)
      assert.ok(!parsed.success)
      assert.match(problemsOf(parsed.error).join(), words)
    })
  }

  test('is read with the rest of the configuration', () => {
    const folder = new ConfigFolder()
    const config = folder.load(
      { oauth: { sessionStorage: { type: 'redis', redis: { password: SECRET } } } },
      { env: { REDIS_HOST: 'h' } },
    )
    assert.deepEqual(config.oauth.sessionStorage.redis, { host: 'h', password: SECRET, keyPrefix: 'gatehouse:' })
  })
})

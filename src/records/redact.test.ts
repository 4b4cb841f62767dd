import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { isSecretName, redactArguments, redactText } from './redact.ts'

const CANARY = 'hunter2 canary'
const secretName = fc.constantFrom(
  ...['password', 'Passwd', 'userPassword', 'PASSWORD_CONFIRM', 'clientSecret', 'secret', 'access_token', 'idToken'],
  ...['apiKey', 'api-key', 'API_KEY', 'X-Api-Key', 'Authorization', 'credentials', 'Cookie', 'sessionId', 'privateKey'],
  ...[
    'private_key',
    'pin',
    'cardPin',
    'otp',
    'otpCode',
    'ssn',
    'card',
    'cardNumber',
    'cvv',
    'jwt',
    'ｐassword',
    'HTTPPassword',
  ],
)

suite('redactArguments', () => {
  test('keeps what is harmless, as JSON', () => {
    const args = { id: 7, shipping: 'express', name: 'Ann', tags: ['a', true, null], nested: { author: 'x' } }
    assert.equal(redactArguments(args), JSON.stringify(args))
    assert.equal(redactArguments({}), '{}')
    assert.equal(redactArguments([]), '[]')
    assert.equal(redactArguments(undefined), '"[undefined]"')
  })

  test('lets no value under a secret name through, wherever it stands', () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))
    const secret = fc.oneof(
      fc.constant(CANARY),
      fc.constant([CANARY]),
      fc.constant({ value: CANARY, deeper: { a: [CANARY] } }),
    )
    const secretObject = fc
      .tuple(secretName, secret, fc.dictionary(fc.string(), leaf))
      .map(([name, value, rest]) => ({ ...rest, [name]: value }))
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8 },
        secretObject,
        leaf,
        fc.array(tie('tree')),
        fc.dictionary(fc.string(), tie('tree')),
        fc.tuple(tie('tree'), secretObject).map(([inner, outer]) => ({ ...outer, inner })),
      ),
    }))
    fc.assert(
      fc.property(tree, (args) => {
        const text = redactArguments(args) ?? ''
        assert.ok(!text.includes('canary'), text)
        assert.ok(text.length <= 2000)
        JSON.parse(text)
      }),
      { numRuns: 500 },
    )
  })

  test('finds the secret whose name stands beside it', () => {
    const text = redactArguments({
      headers: [
        { name: 'Authorization', value: CANARY },
        { key: 'apiKey', value: CANARY },
      ],
    })
    assert.ok(!text?.includes('canary'))
    assert.equal(redactArguments({ name: 'Ann', value: 'v' }), '{"name":"Ann","value":"v"}')
  })

  test('stays within 2,000 characters and stays JSON whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 9, maxKeys: 40, withBigInt: true, withTypedArray: true }), (args) => {
        const text = redactArguments(args) ?? ''
        assert.ok(text.length <= 2000)
        JSON.parse(text)
      }),
    )
    const controls = '\u0001'.repeat(500)
    const long = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${controls}${n}`, [controls, controls]]))
    for (const args of [long, [long, long], { a: { b: { c: { d: { e: { f: long } } } } } }]) {
      const text = redactArguments(args) ?? ''
      assert.ok(text.length <= 2000, String(text.length))
      JSON.parse(text)
    }
  })

  test('cuts long strings, long lists and depth, and says so', () => {
    const parsed = JSON.parse(redactArguments({ a: 'word '.repeat(100), b: Array(50).fill(1) }) ?? '')
    assert.equal(parsed.a.length, 200)
    assert.deepEqual(parsed.b.slice(19), [1, '[30 more]'])
    assert.match(redactArguments({ a: { a: { a: { a: { a: { a: { a: 1 } } } } } } }) ?? '', /\[deeper\]/)
  })

  test('never throws', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    assert.match(redactArguments(cyclic) ?? '', /\[deeper\]/)
    const throwing = Object.defineProperty({}, 'a', { enumerable: true, get: () => assert.fail('no') })
    assert.equal(redactArguments(throwing), '"[unreadable]"')
  })

  test('gives names only, or nothing, when it is told to', () => {
    assert.equal(redactArguments({ id: CANARY, password: CANARY }, 'names'), '["id","password"]')
    assert.equal(redactArguments([CANARY], 'names'), '[]')
    assert.equal(redactArguments({ id: CANARY }, 'none'), undefined)
  })
})

suite('isSecretName', () => {
  for (const name of [
    'pin',
    'cardPin',
    'otp',
    'X-Auth-Token',
    'AUTH',
    'set-cookie',
    'sessionID',
    'stripeKey',
    'DBPassword',
  ]) {
    test(`takes ${name} for a secret`, () => assert.equal(isSecretName(name), true))
  }
  for (const name of ['shipping', 'pinned', 'discard', 'author', 'keyword', 'compass', 'id', 'name', 'monkey', '']) {
    test(`takes ${name || 'the empty name'} for harmless`, () => assert.equal(isSecretName(name), false))
  }
})

suite('redactText', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'
  const cases = [
    { name: 'a JWT', text: `see ${jwt} there`, secret: 'eyJ' },
    { name: 'a bearer', text: 'Authorization: Bearer abc.def-123', secret: 'abc.def' },
    { name: 'basic credentials', text: 'basic dXNlcjpwYXNzMQ==', secret: 'dXNlcjp' },
    { name: 'a Stripe key', text: 'use sk_live_4eC39HqLyjWDarjtT1', secret: '4eC39' },
    { name: 'an API key of ours', text: 'mcp_sk_abcdefghijk', secret: 'abcdef' },
    { name: 'a GitHub token', text: 'ghp_16C7e42F292c6912E7710c838347Ae178B4a', secret: '16C7e' },
    { name: 'a password in a text', text: 'failed with password=hunter2 today', secret: 'hunter2' },
    { name: 'a short password in a text', text: 'pwd=abc', secret: 'abc' },
    { name: 'a token in JSON in a text', text: '{"refresh_token": "hunter2"}', secret: 'hunter2' },
    { name: 'a key in an address', text: 'https://x.example/a?api_key=hunter2&b=1', secret: 'hunter2' },
    { name: 'a password in an address', text: 'https://ann:hunter2@x.example/', secret: 'hunter2' },
    { name: 'a private key', text: '-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END', secret: 'MIIE' },
    { name: 'a random run', text: 'x qL8vT2mZr5Kc9Xw3Bn7Hd4Jf6Gs1Pa0Y x', secret: 'qL8v' },
    { name: 'a secret that is cut off', text: `${'a '.repeat(96)}${jwt}`, secret: 'eyJ' },
  ]
  for (const { name, text, secret } of cases) {
    test(`takes out ${name}`, () => {
      const redacted = redactText(text)
      assert.ok(!redacted.includes(secret), redacted)
      assert.match(redacted, /redacted|…$/)
    })
  }

  test('leaves words, ids and addresses alone', () => {
    for (const text of [
      'The access token is not valid for this server.',
      'The token expired, see the basic settings.',
      'https://api.example/v1/items?limit=10',
      '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
      'a_long_operation_name_that_is_no_secret_at_all',
      'task_sketch_list',
    ]) {
      assert.equal(redactText(text), text)
    }
  })

  test('works through hostile text in no time', () => {
    for (const piece of [
      'eyJ',
      '://:',
      'token ',
      'bearer ',
      'a.',
      'sk_',
      '-----BEGIN ',
      'password=',
      'Aa1',
      'token"\'',
    ]) {
      const started = process.cpuUsage().user
      redactText(piece.repeat(300_000), 2000)
      const spentMs = (process.cpuUsage().user - started) / 1000
      assert.ok(spentMs < 200, `${piece}: ${spentMs} ms`)
    }
  })
})

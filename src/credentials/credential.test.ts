import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { combine, keyAt, withCookieKeys, withQueryKeys } from './credential.ts'

const { query } = keyAt({ in: 'query', name: 'api_key' }, 'our&s')
const { cookies } = keyAt({ in: 'cookie', name: 'sid' }, 'ours')

suite('a key in the query', () => {
  const cases = [
    { name: 'stands at the end', path: '/a', sent: '/a?api_key=our%26s' },
    { name: 'stands behind the arguments', path: '/a?b=1&c=2', sent: '/a?b=1&c=2&api_key=our%26s' },
    { name: 'replaces an argument of its name', path: '/a?api_key=mine&b=1', sent: '/a?b=1&api_key=our%26s' },
    { name: 'replaces one in another case', path: '/a?API_Key=mine', sent: '/a?api_key=our%26s' },
    { name: 'replaces one in another spelling', path: '/a?%61pi%5Fkey=mine', sent: '/a?api_key=our%26s' },
    { name: 'replaces one without a value', path: '/a?api_key', sent: '/a?api_key=our%26s' },
    { name: 'replaces a list', path: '/a?api_key[]=mine&api_key%5B0%5D=mine', sent: '/a?api_key=our%26s' },
    {
      name: 'leaves other names',
      path: '/a?api_key2=1&x[api_key]=1&%ff=1',
      sent: '/a?api_key2=1&x[api_key]=1&%ff=1&api_key=our%26s',
    },
  ]
  for (const { name, path, sent } of cases) {
    test(`${name} (D17)`, () => {
      assert.equal(withQueryKeys(path, query), sent)
    })
  }

  test('is read by servers as it was set, and no other beside it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.array(fc.tuple(fc.string(), fc.string())),
        (value, name, args) => {
          const path = `/a?${new URLSearchParams([...args, [name, 'mine']])}`
          const sent = withQueryKeys(path, keyAt({ in: 'query', name }, value).query)
          assert.match(sent, /^\/[\x21\x22\x24-\x7e]*$/)
          assert.deepEqual(new URL(sent, 'http://a').searchParams.getAll(name), [value])
        },
      ),
    )
  })

  test('with half a character is refused, without saying it', () => {
    assert.throws(() => keyAt({ in: 'query', name: 'k' }, 'canary\ud800'), {
      code: 'unsafe_value',
      message: /^The key for the query parameter k has a broken character in it\.$/,
    })
  })
})

suite('a key in a cookie', () => {
  test('stands behind the other cookies, and replaces one of its name (D17)', () => {
    assert.deepEqual(withCookieKeys({ A: '1' }, cookies), { A: '1', Cookie: 'sid=ours' })
    assert.deepEqual(withCookieKeys({ cookie: 'a=1; sid=mine;sid = mine; SID=2' }, cookies), {
      Cookie: 'a=1; SID=2; sid=ours',
    })
  })

  for (const value of ['a;b', 'a; sid=2', 'a\r\nHost: x', 'a b', 'a,b', 'a"b', 'a\\b', 'ä', 'a\u0000']) {
    test(`never has a value that ends it: ${JSON.stringify(value)} (T22)`, () => {
      assert.throws(
        () => keyAt({ in: 'cookie', name: 'sid' }, value),
        (error: Error) => {
          assert.ok(!error.message.includes(value))
          return 'code' in error && error.code === 'unsafe_value'
        },
      )
    })
  }

  test('may be quoted, and may be base64', () => {
    for (const value of ['"abc"', 'YWJj+/==', 'a.b-c_d~'])
      assert.equal(keyAt({ in: 'cookie', name: 'a' }, value).cookies[0]?.value, value)
  })
})

test('of several in one place the last one counts', () => {
  const both = combine(
    keyAt({ in: 'query', name: 'api_key' }, 'first'),
    keyAt({ in: 'query', name: 'api_key' }, 'second'),
  )
  assert.deepEqual(
    both.query.map(({ value }) => value),
    ['second'],
  )
})

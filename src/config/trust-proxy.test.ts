import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isPublic, loadConfig } from '../config.ts'
import { ConfigFolder, refusalOf } from './config.test-support.ts'

const auth = { authType: 'none' }
const usual = ['loopback', 'private']

suite('trustProxy', () => {
  const folder = new ConfigFolder()
  const cases = [
    { name: 'by default nobody', given: undefined, trusted: [] },
    { name: 'false: nobody', given: false, trusted: [] },
    { name: 'true: this machine and private networks', given: true, trusted: usual },
    { name: 'the same as a text', given: 'true', trusted: usual },
    { name: 'false as a text', given: 'false', trusted: [] },
    { name: 'a list in a text', given: 'loopback, 10.1.0.0/16', trusted: ['loopback', '10.1.0.0/16'] },
    { name: 'a list', given: ['192.0.2.1', '2001:db8::/32'], trusted: ['192.0.2.1', '2001:db8::/32'] },
  ]
  for (const { name, given, trusted } of cases) {
    test(`trusts ${name} (C16)`, () => {
      const content = given === undefined ? { auth } : { auth, trustProxy: given }
      assert.deepEqual(folder.load(content).trustProxy, trusted)
    })
  }

  test('is TRUST_PROXY in the environment, which is empty or beats the file (L2)', () => {
    const load = (TRUST_PROXY: string) => folder.load({ auth, trustProxy: ['192.0.2.1'] }, { env: { TRUST_PROXY } })
    assert.deepEqual(load('true').trustProxy, usual)
    assert.deepEqual(load('false').trustProxy, [])
    assert.deepEqual(load('').trustProxy, ['192.0.2.1'])
  })

  test('is not set by NODE_ENV (C16)', () => {
    const env = { NODE_ENV: 'production', ENCRYPTION_KEY: 'x'.repeat(40) }
    assert.deepEqual(loadConfig({ env }).trustProxy, [])
  })

  test('means that others can reach this gateway', () => {
    assert.equal(isPublic(folder.load({ auth, trustProxy: 'loopback' })), true)
    assert.match(
      refusalOf(() => folder.load({ trustProxy: 'loopback' })),
      /no auth is configured/,
    )
  })

  const refused = [
    { given: '0.0.0.0/0', says: /everybody/ },
    { given: ['::/0'], says: /everybody/ },
    { given: '1', says: /A number of hops cannot be checked/ },
    { given: 1, says: /trustProxy/ },
    { given: 'nginx', says: /trustProxy: "nginx" is no address/ },
  ]
  for (const { given, says } of refused) {
    test(`cannot be ${JSON.stringify(given)}`, () =>
      assert.match(
        refusalOf(() => folder.load({ auth, trustProxy: given })),
        says,
      ))
  }
})

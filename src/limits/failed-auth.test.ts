import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createFailedAuthLimit, networkOf } from './failed-auth.ts'

suite('the network of an address', () => {
  const cases = [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ] as const
  for (const [address, network] of cases) test(`of ${address}`, () => assert.equal(networkOf(address), network))
})

suite('the limit of refused credentials', () => {
  test('takes all of one IPv6 network for one', () => {
    const limit = createFailedAuthLimit({ max: 3, windowMs: 60_000 })
    for (let host = 0; host < 3; host += 1) limit.failed(`2001:db8::${host}`, 60_000)
    assert.throws(() => limit.check('2001:db8::ffff', 60_000), { code: 'rate_limited' })
    limit.check('2001:db8:0:1::1', 60_000)
  })

  test('does not forget a guesser in a flood of addresses', () => {
    const limit = createFailedAuthLimit({ max: 20, windowMs: 60_000 })
    for (let count = 0; count < 25; count += 1) limit.failed('192.0.2.1', 60_000)
    for (let network = 0; network < 200_000; network += 1) limit.failed(`10.${network}`, 60_000)
    assert.throws(() => limit.check('192.0.2.1', 60_000), { code: 'rate_limited' })
  })
})

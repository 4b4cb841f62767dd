import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { at, rpc, send, textAt } from './http.ts'
import { decoded, handTurned, type IssuingGateway, startIssuing, statusOf } from './issuing.ts'

const HOUR = 3_600_000
const set = z.object({ keys: z.array(z.record(z.string(), z.string())) })

async function published(house: IssuingGateway): Promise<readonly string[]> {
  const { body } = await send('GET', `${house.gateway.url}/.well-known/jwks.json`)
  return set.parse(body).keys.map((key) => {
    // Nothing private, whatever it is called (RFC 7518 §6.2.2).
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    return key['kid'] ?? ''
  })
}

const rotate = async (house: IssuingGateway) => {
  const answer = await house.admin('POST', '/api/signing-keys/rotate')
  assert.equal(answer.status, 201)
  return textAt(answer.body, 'kid')
}

suite('a new signing key', () => {
  test('signs from now on, while tokens of the old one stay good until they end (B12)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url } = await house.make('Shop')
    const issue = (expires: string) => house.issue('tokens', { description: 'x', expires, workspaces: ['shop'] })
    const old = await issue('1h')
    const kidOf = (value: string) => textAt(decoded(value).header, 'kid')
    clock.advance(1)
    const second = await rotate(house)
    assert.deepEqual(await published(house), [kidOf(old.value), second])
    const made = await issue('30d')
    assert.equal(kidOf(made.value), second)
    clock.advance(HOUR - 2)
    assert.deepEqual([await statusOf(url, old.value), await statusOf(url, made.value)], [200, 200])
    await house.gateway.restart()
    assert.deepEqual(await published(house), [kidOf(old.value), second])
    assert.deepEqual([await statusOf(url, old.value), await statusOf(url, made.value)], [200, 200])
    // An hour after a key has signed for the last time no person's access token of it lives either: nobody notes those.
    clock.advance(2)
    assert.equal(await statusOf(url, old.value), 401)
    const third = await rotate(house)
    // The last token of the first key has ended, so that key is no longer published.
    assert.deepEqual(await published(house), [second, third])
    assert.equal(await statusOf(url, made.value), 200)
    const keys = (await house.admin('GET', '/api/signing-keys')).body
    assert.deepEqual([at(keys, 0, 'retiredAt'), at(keys, 1, 'retiredAt')], [new Date(clock.now()).toISOString(), null])
  })

  test('leaves the one before published for a token that never ends, until that is revoked (B12)', async () => {
    const clock = handTurned()
    await using house = await startIssuing({ now: clock.now })
    const { url } = await house.make('Shop')
    const endless = await house.issue('tokens', { description: 'x', expires: 'never', workspaces: ['shop'] })
    const [first = ''] = await published(house)
    clock.advance(1000)
    const second = await rotate(house)
    clock.advance(50 * 365 * 24 * HOUR)
    const third = await rotate(house)
    assert.deepEqual(await published(house), [first, second, third])
    assert.equal(await statusOf(url, endless.value), 200)
    await house.issued('POST', `/api/tokens/${endless.id}/revoke`)
    clock.advance(HOUR)
    const fourth = await rotate(house)
    assert.deepEqual(await published(house), [third, fourth])
    assert.equal(await statusOf(url, endless.value), 401)
    clock.advance(HOUR)
    await house.gateway.restart()
    assert.deepEqual(await published(house), [fourth])
    const refused = await rpc(url, 'tools/list', { token: endless.value })
    assert.equal(at(refused.body, 'error_description'), 'JWT verification failed: unknown key id (kid)')
  })

  test('is one for many tokens that are asked for at once, and survives rotations beside them', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    const issue = () => house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    const first = await Promise.all(Array.from({ length: 8 }, issue))
    assert.equal((await published(house)).length, 1)
    const work = Array.from({ length: 12 }, (_, index) => (index % 3 === 0 ? rotate(house) : issue()))
    const made = (await Promise.all(work)).filter((one) => typeof one !== 'string')
    for (const { value } of [...first, ...made]) assert.equal(await statusOf(url, value), 200)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { OauthChange } from './oauth-items.ts'
import { exampleItem, oauthItemsContract } from './oauth-items-contract.ts'
import { openMemoryItems } from './oauth-items-memory.ts'

oauthItemsContract('memory', async () => {
  const items = openMemoryItems()
  return { items, close: () => items.close(), reopen: undefined, [Symbol.asyncDispose]: () => items.close() }
})

suite('memory is bounded:', () => {
  const put = (kind: string, id: string, endsAt?: number): OauthChange => ({
    do: 'put',
    item: exampleItem(id, { kind, endsAt, uid: id }),
  })

  test('too many of one kind push out what has ended, then the oldest of that kind, and no other kind', async () => {
    const items = openMemoryItems({ itemsMax: 8 })
    await items.apply([put('RefreshToken', 'mine')], { now: 0 })
    await items.apply([put('Interaction', 'first'), put('Interaction', 'ended', 5)], { now: 0 })
    for (let n = 0; n < 7; n += 1) await items.apply([put('Interaction', `n${n}`)], { now: 10 })
    assert.equal(await items.find({ kind: 'Interaction', id: 'ended' }), undefined)
    assert.ok(await items.find({ kind: 'Interaction', id: 'first' }))
    for (let n = 7; n < 100; n += 1) await items.apply([put('Interaction', `n${n}`)], { now: 10 })
    assert.equal(await items.find({ kind: 'Interaction', id: 'first' }), undefined)
    assert.equal(await items.findBy('uid', 'Interaction', 'first'), undefined)
    assert.ok(await items.find({ kind: 'Interaction', id: 'n99' }))
    assert.ok(await items.find({ kind: 'RefreshToken', id: 'mine' }))
  })
})

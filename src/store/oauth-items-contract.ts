import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import type { OauthChange, OauthItem, OauthItems } from './oauth-items.ts'

/** What the contract needs of an engine. */
export interface ItemsUnderTest extends AsyncDisposable {
  readonly items: OauthItems
  /** Closes the engine and what it stands on. */
  close(): Promise<void>
  /** Closes the engine and opens it again on what it kept. Undefined: it keeps nothing. */
  readonly reopen: (() => Promise<OauthItems>) | undefined
}

const NOW = 1_800_000_000_000
const LATER = NOW + 3_600_000

/** An item that has only what every item has. */
export function exampleItem(id: string, changes: Partial<OauthItem> = {}): OauthItem {
  return {
    kind: 'RefreshToken',
    id,
    sealed: `v1.key.${id}`,
    uid: undefined,
    userCode: undefined,
    grant: undefined,
    owner: undefined,
    client: undefined,
    consumedAt: undefined,
    endsAt: LATER,
    ...changes,
  }
}

function put(id: string, changes: Partial<OauthItem> = {}): OauthChange {
  return { do: 'put', item: exampleItem(id, changes) }
}

function consume(id: string, changes: { at?: number; endsAt?: number; kind?: string } = {}): OauthChange {
  return { do: 'consume', kind: 'RefreshToken', id, at: NOW, ...changes }
}

/** Holds an engine to what `oauth-items.ts` promises. */
export function oauthItemsContract(name: string, open: () => Promise<ItemsUnderTest>): void {
  suite(`${name} keeps the contract of items:`, () => {
    keepingContract(open)
    namesContract(open)
    listingContract(open)
    conditionsContract(open)
    endsContract(open)

    test('a closed engine closes twice, and refuses everything as unavailable', async () => {
      await using under = await open()
      await under.close()
      await under.close()
      await under.items.close()
      await assert.rejects(under.items.find({ kind: 'Session', id: 'a' }), hasCode('unavailable'))
      await assert.rejects(under.items.apply([put('a')], { now: NOW }), hasCode('unavailable'))
    })
  })
}

function keepingContract(open: () => Promise<ItemsUnderTest>): void {
  test('an item comes back field by field, also after a restart', async () => {
    await using under = await open()
    const names = { uid: 'u', userCode: 'c', grant: 'g', owner: 'o', client: 'k' }
    const full = exampleItem('full', { ...names, kind: 'Session', consumedAt: NOW - 1, sealed: 'v1.ü "\\\n' })
    const bare = exampleItem('bare', { endsAt: undefined })
    await under.items.apply([put('full', full), put('bare', bare)], { now: NOW })
    for (const open of [async () => under.items, under.reopen]) {
      const items = await open?.()
      if (items === undefined) continue
      assert.deepEqual(await items.find({ kind: 'Session', id: 'full' }), full)
      assert.deepEqual(await items.find({ kind: 'RefreshToken', id: 'bare' }), bare)
      assert.equal(await items.find({ kind: 'RefreshToken', id: 'full' }), undefined)
    }
  })

  test('a later item takes the place of the one before, with its names and its end', async () => {
    await using under = await open()
    const before = { uid: 'u1', userCode: 'c1', grant: 'g1', owner: 'o1', client: 'k1', consumedAt: NOW }
    await under.items.apply([put('a', before)], { now: NOW })
    const after = exampleItem('a', { uid: 'u2', sealed: 'v1.key.new', endsAt: undefined })
    await under.items.apply([{ do: 'put', item: after }], { now: NOW })
    await under.items.apply([{ do: 'revokeGrant', grant: 'g1' }], { now: NOW })
    assert.deepEqual(await under.items.find(after), after)
    assert.equal(await under.items.findBy('uid', 'RefreshToken', 'u1'), undefined)
    assert.equal(await under.items.findBy('userCode', 'RefreshToken', 'c1'), undefined)
    assert.deepEqual(await under.items.findBy('uid', 'RefreshToken', 'u2'), after)
    const owned = { kind: 'RefreshToken', by: 'owner', name: 'o1', limit: 9 } as const
    assert.deepEqual(await under.items.list(owned), [])
  })

  test('a deleted item is gone with its names; deleting it again changes nothing', async () => {
    await using under = await open()
    await under.items.apply([put('a', { uid: 'u', owner: 'o' }), put('b')], { now: NOW })
    const gone: OauthChange = { do: 'delete', kind: 'RefreshToken', id: 'a' }
    await under.items.apply([gone], { now: NOW })
    assert.deepEqual(await under.items.apply([gone], { now: NOW }), { ok: true })
    assert.equal(await under.items.find(exampleItem('a')), undefined)
    assert.equal(await under.items.findBy('uid', 'RefreshToken', 'u'), undefined)
    assert.deepEqual(await under.items.list({ kind: 'RefreshToken', by: 'owner', name: 'o', limit: 9 }), [])
    assert.deepEqual(await under.items.find(exampleItem('b')), exampleItem('b'))
  })
}

function namesContract(open: () => Promise<ItemsUnderTest>): void {
  test('of two items with one name the newest is found, and names are of one kind', async () => {
    await using under = await open()
    const old = exampleItem('old', { kind: 'Session', uid: 'u' })
    const young = exampleItem('young', { kind: 'Session', uid: 'u' })
    await under.items.apply([{ do: 'put', item: old }], { now: NOW })
    await under.items.apply([{ do: 'put', item: young }], { now: NOW + 1 })
    await under.items.apply([put('other', { userCode: 'u' })], { now: NOW + 2 })
    assert.deepEqual(await under.items.findBy('uid', 'Session', 'u'), young)
    assert.equal(await under.items.findBy('uid', 'Interaction', 'u'), undefined)
    assert.equal((await under.items.findBy('userCode', 'RefreshToken', 'u'))?.id, 'other')
  })

  test('a revoked grant takes everything with it that hangs on it, and nothing else', async () => {
    await using under = await open()
    const changes = ['a', 'b', 'c'].map((id) => put(id, { grant: id === 'c' ? 'h' : 'g', owner: 'o' }))
    await under.items.apply([...changes, put('code', { kind: 'AuthorizationCode', grant: 'g' })], { now: NOW })
    await under.items.apply([{ do: 'revokeGrant', grant: 'g' }], { now: NOW })
    assert.equal(await under.items.find(exampleItem('a')), undefined)
    assert.equal(await under.items.find({ kind: 'AuthorizationCode', id: 'code' }), undefined)
    const left = await under.items.list({ kind: 'RefreshToken', by: 'owner', name: 'o', limit: 9 })
    assert.deepEqual(left, [exampleItem('c', { grant: 'h', owner: 'o' })])
  })

  test('items are listed by owner and by client, up to a limit', async () => {
    await using under = await open()
    const mine = ['a', 'b', 'c'].map((id) => put(id, { kind: 'Grant', owner: 'ada', client: `of ${id}` }))
    await under.items.apply([...mine, put('d', { kind: 'Grant', owner: 'bob', client: 'of a' })], { now: NOW })
    const idsOf = async (by: 'owner' | 'client', name: string, limit = 9) =>
      (await under.items.list({ kind: 'Grant', by, name, limit })).map(({ id }) => id).sort()
    assert.deepEqual(await idsOf('owner', 'ada'), ['a', 'b', 'c'])
    assert.deepEqual(await idsOf('client', 'of a'), ['a', 'd'])
    assert.equal((await idsOf('owner', 'ada', 2)).length, 2)
    assert.deepEqual(await under.items.list({ kind: 'Session', by: 'owner', name: 'ada', limit: 9 }), [])
  })
}

function listingContract(open: () => Promise<ItemsUnderTest>): void {
  test('a list that is longer than its limit begins with what lives longest', async () => {
    await using under = await open()
    const ends = { middle: LATER, last: undefined, first: LATER - 1, late: LATER + 1 }
    const items = Object.entries(ends).map(([id, endsAt]) => put(id, { kind: 'Grant', owner: 'ada', endsAt }))
    await under.items.apply(items, { now: NOW })
    const listed = await under.items.list({ kind: 'Grant', by: 'owner', name: 'ada', limit: 3 })
    assert.deepEqual(
      listed.map(({ id }) => id),
      ['last', 'late', 'middle'],
    )
  })
}

function conditionsContract(open: () => Promise<ItemsUnderTest>): void {
  test('an item is consumed once, and a batch whose condition does not hold changes nothing', async () => {
    await using under = await open()
    await under.items.apply([put('a', { grant: 'g' })], { now: NOW })
    assert.deepEqual(await under.items.apply([consume('a', { at: 7 }), put('next')], { now: NOW }), { ok: true })
    const again = consume('a', { at: 8 })
    const batch = [put('lost'), { do: 'revokeGrant', grant: 'g' } as const, again]
    assert.deepEqual(await under.items.apply(batch, { now: NOW }), { ok: false, unmet: again })
    assert.equal(await under.items.find(exampleItem('lost')), undefined)
    assert.equal((await under.items.find(exampleItem('a')))?.consumedAt, 7)
    assert.ok(await under.items.find(exampleItem('next')))
  })

  test('what is not there cannot be consumed', async () => {
    await using under = await open()
    const nothing = consume('nothing')
    assert.deepEqual(await under.items.apply([nothing], { now: NOW }), { ok: false, unmet: nothing })
  })

  test('a consumed item keeps what it was, and its end can be another', async () => {
    await using under = await open()
    const item = exampleItem('a', { uid: 'u', grant: 'g', owner: 'o', client: 'k' })
    await under.items.apply([{ do: 'put', item }], { now: NOW })
    await under.items.apply([consume('a', { endsAt: NOW + 5_000 })], { now: NOW })
    assert.deepEqual(await under.items.find(item), { ...item, consumedAt: NOW, endsAt: NOW + 5_000 })
  })

  test('what has to be new is refused while there is one that has not ended', async () => {
    await using under = await open()
    const first: OauthChange = { do: 'putNew', item: exampleItem('a', { endsAt: NOW + 60_000 }) }
    assert.deepEqual(await under.items.apply([first], { now: NOW }), { ok: true })
    assert.deepEqual(await under.items.apply([put('b'), first], { now: NOW }), { ok: false, unmet: first })
    assert.equal(await under.items.find(exampleItem('b')), undefined)
    assert.deepEqual(await under.items.apply([first], { now: NOW + 60_000 }), { ok: true })
  })

  test('of many batches at once that consume one item exactly one is kept', async () => {
    await using under = await open()
    await under.items.apply([put('a')], { now: NOW })
    const race = Array.from({ length: 100 }, (_, n) =>
      under.items.apply([consume('a', { at: n }), put(`of ${n}`)], { now: NOW }),
    )
    const kept = (await Promise.all(race)).flatMap(({ ok }, n) => (ok ? [n] : []))
    assert.equal(kept.length, 1)
    assert.equal((await under.items.find(exampleItem('a')))?.consumedAt, kept[0])
    for (let n = 0; n < 100; n += 1) {
      assert.equal((await under.items.find(exampleItem(`of ${n}`))) !== undefined, n === kept[0])
    }
  })
}

function endsContract(open: () => Promise<ItemsUnderTest>): void {
  test('what has not ended is counted, kind by kind', async () => {
    await using under = await open()
    const clients = ['a', 'b'].map((id) => put(id, { kind: 'Client', endsAt: undefined }))
    const short = put('c', { kind: 'Client', endsAt: NOW + 60_000 })
    await under.items.apply([...clients, short, short, put('d')], { now: NOW })
    assert.equal(await under.items.count('Client', { now: NOW }), 3)
    assert.equal(await under.items.count('Client', { now: NOW + 60_000 }), 2)
    await under.items.apply([{ do: 'delete', kind: 'Client', id: 'a' }], { now: NOW })
    assert.equal(await under.items.count('Client', { now: NOW + 60_000 }), 1)
    assert.equal(await under.items.count('Session', { now: NOW }), 0)
  })

  test('what has ended is deleted, a few at a time, and nothing else is', async () => {
    await using under = await open()
    const ended = ['a', 'b', 'c'].map((id) => put(id, { endsAt: NOW + 1 }))
    const kept = [put('young', { endsAt: NOW + 50_000 }), put('endless', { endsAt: undefined })]
    await under.items.apply([...ended, ...kept], { now: NOW })
    let deleted = 0
    for (let round = 0; round < 4; round += 1) {
      const count = await under.items.expire({ endedBy: NOW + 1_000, limit: 2 })
      assert.ok(count <= 2)
      deleted += count
    }
    // An engine that deletes by itself may have been faster.
    assert.ok(deleted === 3 || under.items.notes !== undefined)
    assert.ok(await under.items.find(exampleItem('young')))
    assert.ok(await under.items.find(exampleItem('endless')))
  })
}

export function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { byApi, createSetup, MemoryRows, settingsOf } from './manage.test-support.ts'
import { slugOf } from './workspace-manager.ts'

const UPSTREAM = {
  baseUrl: 'https://api.example/v1',
  auth: { type: 'basic', username: 'ada', password: 'secret' },
  headers: { 'X-A': 'b' },
} as const

function failsWith(code: string) {
  return (error: unknown) => error instanceof GatewayError && error.code === code
}

suite('the manager', () => {
  test('serves what was kept after a restart, and tells of what it cannot serve', async () => {
    const { manager, rows } = createSetup()
    const good = await manager.create(settingsOf({ name: 'good' }), byApi)
    rows.kept.set('b', { ...good, id: 'b', slug: 'b', name: 'broken' })
    const later = createSetup({}, rows)
    await later.manager.start()
    assert.deepEqual(later.published, [['good']])
    assert.deepEqual(later.broken, ['lost', 'b'])
    // It can be looked at, mended and deleted all the same.
    assert.equal(later.manager.get('b').name, 'broken')
    assert.equal(later.manager.opened('b'), undefined)
    await later.manager.change('b', { name: 'mended' })
    assert.deepEqual(later.published.at(-1), ['good', 'mended'])
  })

  test('does not serve what is not ours to serve', async () => {
    const { manager, rows } = createSetup()
    await manager.create(settingsOf({ name: 'mine' }), byApi)
    await manager.create(settingsOf({ name: 'no more' }), byApi)
    const later = createSetup({ isServed: ({ name }) => name === 'mine' }, rows)
    await later.manager.start()
    assert.deepEqual(later.published, [['mine']])
    assert.throws(() => later.manager.get('no-more'), failsWith('not_found'))
  })

  test('finds a workspace by id, slug and both together, and nothing else', async () => {
    const { manager } = createSetup()
    const made = await manager.create(settingsOf({}), byApi)
    const { id, slug } = made
    for (const reference of [id, slug, `${slug}-${id}`]) assert.equal(manager.get(reference), made)
    for (const reference of ['', `${slug}-`, `${id}-${slug}`, slug.toUpperCase(), 'My API', '__proto__']) {
      assert.throws(() => manager.get(reference), failsWith('not_found'), reference)
    }
  })

  test('gives every workspace an id that cannot be guessed', async () => {
    const { manager } = createSetup()
    for (let count = 0; count < 50; count += 1) await manager.create(settingsOf({}), byApi)
    const ids = manager.list().map(({ id }) => id)
    for (const id of ids) assert.match(id, /^[a-z2-7]{16}$/)
    assert.equal(new Set(ids).size, 50)
  })

  test('makes a slug from the name, with a number where it is taken', async () => {
    const { manager } = createSetup()
    for (const name of ['My API', 'my api!', 'MY-API']) await manager.create(settingsOf({ name }), byApi)
    assert.deepEqual(
      manager.list().map(({ slug }) => slug),
      ['my-api', 'my-api-2', 'my-api-3'],
    )
  })

  test('refuses a slug that is taken', async () => {
    const { manager, rows } = createSetup()
    await manager.create(settingsOf({ slug: 'shop' }), byApi)
    await assert.rejects(manager.create(settingsOf({ slug: 'shop' }), byApi), failsWith('conflict'))
    assert.equal(rows.kept.size, 1)
  })

  test('lets changes of one account wait for no other account’s', async () => {
    const slow = Promise.withResolvers<void>()
    const { manager } = createSetup({
      open: async (workspace) => {
        if (workspace.name === 'slow') await slow.promise
        return { workspace }
      },
    })
    const first = manager.of('acme').create(settingsOf({ name: 'slow' }), byApi)
    const behind = manager.of('acme').create(settingsOf({ name: 'behind' }), byApi)
    await manager.of('other').create(settingsOf({ name: 'quick' }), byApi)
    assert.deepEqual(manager.of('acme').list(), [])
    slow.resolve()
    await Promise.all([first, behind])
    assert.deepEqual(
      manager
        .of('acme')
        .list()
        .map(({ name }) => name),
      ['slow', 'behind'],
    )
  })

  test('of two that are made at once with one slug makes one', async () => {
    const { manager, rows } = createSetup()
    const both = ['one', 'two'].map((name) => manager.create(settingsOf({ name, slug: 'shop' }), byApi))
    const outcomes = (await Promise.allSettled(both)).map(({ status }) => status)
    assert.deepEqual(outcomes, ['fulfilled', 'rejected'])
    assert.equal(rows.kept.size, 1)
  })
})

suite('a change', () => {
  test('keeps what it does not mention, and id, slug and day of making always', async () => {
    const { manager, rows, clock } = createSetup()
    const auth = { authType: 'none' } as const
    const before = await manager.create(
      settingsOf({ auth, params: { user: 'ada', password: 'old', extra: '1' }, upstream: UPSTREAM }),
      byApi,
    )
    clock.now = 2_000
    const after = await manager.change(before.slug, { params: { password: 'new', extra: null, more: '2' } })
    assert.deepEqual(after, { ...before, params: { user: 'ada', password: 'new', more: '2' }, updatedAt: 2_000 })
    assert.deepEqual(rows.kept.get(before.id), after)
    assert.deepEqual(manager.opened(before.id)?.workspace, after)
    assert.deepEqual((await manager.change(before.id, { name: 'Other', tools: 'all' })).slug, before.slug)
  })

  test('of the upstream keeps what it does not mention, the credential too; null removes the base URL', async () => {
    const { manager } = createSetup()
    const { id, upstream } = await manager.create(settingsOf({ upstream: UPSTREAM }), byApi)
    const slower = await manager.change(id, { upstream: { timeoutMs: 60_000 } })
    assert.deepEqual(slower.upstream, { ...upstream, timeoutMs: 60_000 })
    const moved = await manager.change(id, { upstream: { baseUrl: null, headers: {} } })
    assert.deepEqual(moved.upstream, { ...upstream, timeoutMs: 60_000, baseUrl: undefined, headers: {} })
  })

  test('sets auth back to the gateway’s own with null, and leaves it without', async () => {
    const { manager } = createSetup()
    const { id, inbound } = await manager.create(settingsOf({ auth: { authType: 'none' } }), byApi)
    assert.deepEqual((await manager.change(id, { name: 'x' })).inbound, inbound)
    assert.equal((await manager.change(id, { auth: null })).inbound, undefined)
  })

  test('that cannot be compiled alters nothing', async () => {
    const { manager, rows, published } = createSetup()
    const before = await manager.create(settingsOf({}), byApi)
    const served = published.length
    await assert.rejects(manager.change(before.id, { name: 'broken' }), failsWith('config_invalid'))
    await assert.rejects(manager.import(before.id, { document: 'broken' }), failsWith('document_invalid'))
    await assert.rejects(manager.create(settingsOf({ name: 'broken' }), byApi), failsWith('config_invalid'))
    assert.deepEqual([...rows.kept.values()], [before])
    assert.deepEqual(manager.list(), [before])
    assert.equal(manager.opened(before.id)?.workspace, before)
    assert.equal(published.length, served)
  })

  test('that cannot be written alters nothing, and the next one works', async () => {
    const { manager, rows, published } = createSetup()
    const before = await manager.create(settingsOf({}), byApi)
    const served = published.length
    const changes = [
      () => manager.change(before.id, { name: 'new' }),
      () => manager.delete(before.id),
      () => manager.create(settingsOf({}), byApi),
      () => manager.import(before.id, { document: 'new' }),
    ]
    for (const change of changes) {
      rows.failure = new Error('The disk is full.')
      await assert.rejects(change, /disk is full/)
      assert.deepEqual(manager.list(), [before])
      assert.equal(manager.opened(before.id)?.workspace, before)
      assert.equal(published.length, served)
    }
    assert.equal((await manager.change(before.id, { name: 'new' })).name, 'new')
  })

  test('is not served before it is written', async () => {
    const { manager, rows, published } = createSetup()
    const { id } = await manager.create(settingsOf({ name: 'old' }), byApi)
    const gate = Promise.withResolvers<void>()
    rows.gate = gate.promise
    const change = manager.change(id, { name: 'new' })
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(published.at(-1), ['old'])
    gate.resolve()
    await change
    assert.deepEqual(published.at(-1), ['new'])
  })

  test('waits for the one before it: of many at once none is lost', async () => {
    const { manager, rows } = createSetup()
    const { id } = await manager.create(settingsOf({}), byApi)
    const names = Array.from({ length: 20 }, (_, index) => `param_${index}`)
    const changes = names.map((name) => manager.change(id, { params: { [name]: '1' } }))
    await Promise.all([...changes, manager.change(id, { name: 'broken' }).catch(() => undefined)])
    assert.deepEqual(Object.keys(manager.get(id).params), names)
    assert.deepEqual(rows.kept.get(id), manager.get(id))
  })

  test('of a workspace that is deleted meanwhile does not bring it back', async () => {
    const { manager, rows, documents } = createSetup()
    const { id } = await manager.create(settingsOf({}), byApi)
    documents.set('https://a/openapi.json', 'text')
    const outcomes = await Promise.allSettled([
      manager.import(id, { url: 'https://a/openapi.json' }),
      manager.delete(id),
      manager.change(id, { name: 'back' }),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected'],
    )
    assert.equal(rows.kept.size, 0)
    assert.deepEqual(manager.list(), [])
  })
})

suite('an import', () => {
  const url = 'https://a/openapi.json'

  test('by URL can be done again without one, by text cannot', async () => {
    const { manager, documents, clock } = createSetup()
    documents.set(url, 'first')
    const { id, document } = await manager.create(settingsOf({ source: { url } }), byApi)
    assert.deepEqual(document, { url, text: 'first', importedAt: 1_000 })
    documents.set(url, 'second')
    clock.now = 2_000
    assert.deepEqual((await manager.import(id, undefined)).document, { url, text: 'second', importedAt: 2_000 })
    assert.equal((await manager.import(id, { document: 'third' })).document?.url, undefined)
    await assert.rejects(manager.import(id, undefined), failsWith('invalid_request'))
  })

  test('reaches as far as the workspace may', async () => {
    const reaches: string[] = []
    const { manager } = createSetup({
      fetchDocument: async (_url, reach) => {
        reaches.push(reach)
        return 'text'
      },
    })
    const { id } = await manager.create(settingsOf({ source: { url } }), { keptBy: 'api', reach: 'person' })
    await manager.import(id, undefined)
    assert.deepEqual(reaches, ['person', 'person'])
  })

  test('that cannot be fetched makes no workspace', async () => {
    const { manager, rows } = createSetup()
    await assert.rejects(manager.create(settingsOf({ source: { url } }), byApi), failsWith('upstream_unreachable'))
    assert.equal(rows.kept.size, 0)
  })
})

suite('slugOf', () => {
  for (const [name, slug] of [
    ['My API', 'my-api'],
    ['  Größe & Café  ', 'gro-e-cafe'],
    ['日本', 'workspace'],
    ['--', 'workspace'],
    ['a'.repeat(100), 'a'.repeat(36)],
    [`${'a'.repeat(35)} b`, 'a'.repeat(35)],
    ['../../etc', 'etc'],
  ] as const) {
    test(`makes ${slug} of ${name}`, () => assert.equal(slugOf(name), slug))
  }

  test('makes a slug that settings accept, of any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        assert.equal(settingsOf({ slug: slugOf(name) }).slug, slugOf(name))
      }),
    )
  })
})

test('rows of the test are no mock: what they keep is what a new manager reads', async () => {
  const rows = new MemoryRows()
  const made = await createSetup({}, rows).manager.create(settingsOf({}), byApi)
  assert.deepEqual((await rows.list()).workspaces, [made])
})

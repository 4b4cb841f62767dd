import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { type FileWorkspacesOptions, keepFileWorkspaces, slugsInFile, type WorkspaceInFile } from './file-workspaces.ts'
import { byApi, createSetup, type MemoryRows, type Setup, settingsOf } from './manage.test-support.ts'

const URL_OF_SPEC = 'https://api.example/openapi.json'

function inFile(given: object, source?: string): WorkspaceInFile {
  return { ...settingsOf(given), source }
}

/** A start of the gateway with these workspaces in its file. */
async function startWith(workspaces: readonly WorkspaceInFile[], rows?: MemoryRows): Promise<Setup> {
  const inTheFile = slugsInFile(workspaces)
  const setup = createSetup({ isServed: ({ keptBy, slug }) => keptBy === 'api' || inTheFile.has(slug) }, rows)
  await setup.manager.start()
  return setup
}

/** Waiting as the test wants it: each wait ends when the test says so, with whether to go on. */
function waiting(): {
  options: FileWorkspacesOptions
  warnings: string[]
  infos: string[]
  waits: number[]
  next: (go: boolean) => Promise<void>
} {
  const warnings: string[] = []
  const infos: string[] = []
  const waits: number[] = []
  let release = Promise.withResolvers<boolean>()
  return {
    warnings,
    infos,
    waits,
    options: {
      warn: (message) => warnings.push(message),
      info: (message) => infos.push(message),
      wait: (milliseconds) => {
        waits.push(milliseconds)
        release = Promise.withResolvers<boolean>()
        return release.promise
      },
    },
    next: async (go) => {
      release.resolve(go)
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

function specFile(context: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-file-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'openapi.json')
  writeFileSync(path, text)
  return path
}

suite('workspaces of the config file', () => {
  test('keep id and slug from start to start, while every setting follows the file', async (context) => {
    const path = specFile(context, 'first')
    const first = [inFile({ slug: 'shop', params: { a: '1', b: '2' }, auth: { authType: 'none' } }, path)]
    const { manager, rows } = await startWith(first)
    await keepFileWorkspaces(manager, first, waiting().options)
    const before = manager.get('shop')
    assert.equal(before.keptBy, 'file')
    assert.equal(before.document?.text, 'first')

    writeFileSync(path, 'second')
    const second = [inFile({ slug: 'shop', name: 'The shop', params: { b: '3' }, tools: 'all' }, path)]
    const later = await startWith(second, rows)
    await keepFileWorkspaces(later.manager, second, waiting().options)
    const after = later.manager.get('shop')
    assert.deepEqual([after.id, after.slug, after.createdAt], [before.id, before.slug, before.createdAt])
    assert.deepEqual([after.name, after.params, after.tools], ['The shop', { b: '3' }, 'all'])
    assert.equal(after.inbound, undefined)
    assert.equal(after.document?.text, 'second')
    assert.equal(rows.kept.size, 1)
  })

  test('without a slug are known by their name', async () => {
    const workspaces = [inFile({ name: 'My API' })]
    const { manager, rows } = await startWith(workspaces)
    await keepFileWorkspaces(manager, workspaces, waiting().options)
    const later = await startWith(workspaces, rows)
    await keepFileWorkspaces(later.manager, workspaces, waiting().options)
    assert.deepEqual(
      later.manager.list().map(({ id, slug }) => [id, slug]),
      [[manager.get('my-api').id, 'my-api']],
    )
  })

  test('that the file names no more are not served, and come back with their id', async () => {
    const workspaces = [inFile({ slug: 'shop' })]
    const { manager, rows } = await startWith(workspaces)
    await keepFileWorkspaces(manager, workspaces, waiting().options)
    const without = await startWith([], rows)
    assert.deepEqual(without.manager.list(), [])
    const again = await startWith(workspaces, rows)
    assert.equal(again.manager.get('shop').id, manager.get('shop').id)
  })

  test('do not take over one that the API made', async () => {
    const workspaces = [inFile({ slug: 'shop' })]
    const { manager } = await startWith(workspaces)
    const made = await manager.create(settingsOf({ slug: 'shop', name: 'by API' }), byApi)
    await assert.rejects(
      keepFileWorkspaces(manager, workspaces, waiting().options),
      (error) => error instanceof GatewayError && error.code === 'conflict' && error.message.includes('shop'),
    )
    assert.deepEqual(manager.list(), [made])
  })

  test('that cannot be served stop the start', async () => {
    const workspaces = [inFile({ name: 'broken' })]
    const { manager } = await startWith(workspaces)
    await assert.rejects(keepFileWorkspaces(manager, workspaces, waiting().options), /cannot be served/)
  })

  test('whose document is wrong or whose file is not there stop the start', async (context) => {
    const { manager } = await startWith([inFile({})])
    const broken = [inFile({}, specFile(context, 'broken'))]
    await assert.rejects(keepFileWorkspaces(manager, broken, waiting().options), /is no document/)
    const missing = [inFile({}, '/nowhere/openapi.json')]
    await assert.rejects(
      keepFileWorkspaces(manager, missing, waiting().options),
      /\/nowhere\/openapi.json cannot be read/,
    )
  })
})

suite('an API description that cannot be reached', () => {
  test('does not stop the start: it is tried again, ever more slowly, and served once it comes', async () => {
    const workspaces = [inFile({ slug: 'shop' }, URL_OF_SPEC)]
    const { manager, documents } = await startWith(workspaces)
    const { options, warnings, infos, waits, next } = waiting()
    await keepFileWorkspaces(manager, workspaces, options)
    assert.match(warnings.join(), /shop.*has no tools yet; fetching goes on/)
    assert.equal(manager.get('shop').document, undefined)
    for (let failed = 0; failed < 8; failed += 1) await next(true)
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    documents.set(URL_OF_SPEC, 'text')
    await next(true)
    assert.equal(manager.opened('shop')?.workspace.document?.text, 'text')
    assert.equal(waits.length, 9)
    assert.equal(warnings.length, 1)
    assert.match(infos.join(), /^Workspace shop: its API description was fetched and serves\.$/)
  })

  test('leaves the one of the last start in place', async () => {
    const workspaces = [inFile({ slug: 'shop' }, URL_OF_SPEC)]
    const first = await startWith(workspaces)
    first.documents.set(URL_OF_SPEC, 'old')
    await keepFileWorkspaces(first.manager, workspaces, waiting().options)
    const later = await startWith(workspaces, first.rows)
    const { options, warnings, next } = waiting()
    await keepFileWorkspaces(later.manager, workspaces, options)
    assert.equal(later.manager.opened('shop')?.workspace.document?.text, 'old')
    assert.match(warnings.join(), /The last one serves; fetching goes on/)
    await next(false)
  })

  test('is not fetched any more when the gateway stops', async () => {
    const workspaces = [inFile({ slug: 'shop' }, URL_OF_SPEC)]
    const { manager, documents } = await startWith(workspaces)
    const { options, waits, next } = waiting()
    await keepFileWorkspaces(manager, workspaces, options)
    documents.set(URL_OF_SPEC, 'text')
    await next(false)
    assert.equal(manager.get('shop').document, undefined)
    assert.equal(waits.length, 1)
  })

  test('and turns out to be wrong is told and not tried again', async () => {
    const workspaces = [inFile({ slug: 'shop' }, URL_OF_SPEC)]
    const { manager, documents } = await startWith(workspaces)
    const { options, warnings, waits, next } = waiting()
    await keepFileWorkspaces(manager, workspaces, options)
    documents.set(URL_OF_SPEC, 'broken')
    await next(true)
    assert.match(warnings.at(-1) ?? '', /shop: This is no document/)
    assert.equal(waits.length, 1)
  })
})

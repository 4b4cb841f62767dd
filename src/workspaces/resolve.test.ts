import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { WorkspaceDirectory } from './resolve.ts'

const SHOP = { path: '/shop-aaaaaaaaaaaaaaaa' }
const BANK = { path: '/bank-bbbbbbbbbbbbbbbb' }
const ALIASES = ['/mcp', '/sse', '/message', '/messages', '/mcp/message'] as const

function directoryOf(...entries: readonly { path: string }[]): WorkspaceDirectory<{ path: string }> {
  const directory = new WorkspaceDirectory<{ path: string }>()
  directory.replace(entries)
  return directory
}

suite('a directory of workspaces', () => {
  test('finds each by its path and by every alias below it', () => {
    const directory = directoryOf(SHOP, BANK)
    for (const entry of [SHOP, BANK]) {
      for (const alias of ['', ...ALIASES]) {
        assert.equal(directory.find(entry.path + alias), entry)
        assert.equal(directory.find(`${entry.path}${alias}/`), entry)
      }
    }
  })

  test('takes a bare alias for the only workspace there is', () => {
    for (const alias of ALIASES) {
      assert.equal(directoryOf(SHOP).find(alias), SHOP)
      assert.equal(directoryOf(SHOP).find(`${alias}/`), SHOP)
    }
  })

  test('takes a bare alias for none when there are none or two', () => {
    for (const alias of ALIASES) {
      assert.equal(directoryOf().find(alias), undefined)
      assert.equal(directoryOf(SHOP, BANK).find(alias), undefined)
    }
  })

  const refused = [
    '',
    '/',
    '//',
    '/shop',
    '/aaaaaaaaaaaaaaaa',
    '/shop-',
    '/shop-aaaaaaaaaaaaaaa',
    '/shop-aaaaaaaaaaaaaaaaa',
    '/SHOP-aaaaaaaaaaaaaaaa',
    '/shop-bbbbbbbbbbbbbbbb',
    '/shop-aaaaaaaaaaaaaaaa//',
    '/shop-aaaaaaaaaaaaaaaa/other',
    '/shop-aaaaaaaaaaaaaaaa/mcp/other',
    '/shop-aaaaaaaaaaaaaaaa/mcp//',
    '/shop-aaaaaaaaaaaaaaaa/../bank-bbbbbbbbbbbbbbbb',
    '/shop-aaaaaaaaaaaaaaaa%2fmcp',
    '/shop%2Daaaaaaaaaaaaaaaa',
    '//shop-aaaaaaaaaaaaaaaa',
    '/x/shop-aaaaaaaaaaaaaaaa',
    '/other/mcp',
    '/mcp/shop-aaaaaaaaaaaaaaaa',
    '/mcpx',
    'shop-aaaaaaaaaaaaaaaa',
    'http://evil.example/shop-aaaaaaaaaaaaaaaa',
    '/__proto__',
    '*',
  ] as const
  for (const path of refused) {
    test(`knows nothing at "${path}", alone or among others`, () => {
      for (const directory of [directoryOf(SHOP), directoryOf(SHOP, BANK)]) {
        assert.equal(directory.find(path), undefined)
        assert.throws(
          () => directory.get(path),
          (error) =>
            error instanceof GatewayError &&
            error.code === 'not_found' &&
            error.message === 'There is no workspace at this address.',
        )
      }
    })
  }

  test('finds nothing by a path that does not begin with the workspace’s own', () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const found = directoryOf(SHOP, BANK).find(path)
        assert.ok(found === undefined || path.startsWith(found.path))
      }),
    )
  })

  test('shows the new set at once, and nothing of the old one', () => {
    const directory = directoryOf(SHOP)
    directory.replace([BANK])
    assert.equal(directory.find(SHOP.path), undefined)
    assert.equal(directory.find('/mcp'), BANK)
    assert.deepEqual(directory.entries, [BANK])
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type Home, makeHome, runScript, scriptOf } from './program.ts'
import { type Shop, startShop, useFiveTools } from './shop.ts'

// The Inspector's install script only fetches its web interface's parts; its command line works without.
const listed = z.object({ tools: z.array(z.object({ name: z.string() })) })

test('the Inspector CLI 2.12', { concurrency: 2 }, async (t) => {
  await using shop = await startShop()
  await using home = await makeHome()
  const both = (['legacy', 'modern'] as const).map((era) =>
    t.test(`${era}: lists and calls the five tools`, async () => {
      const run = (...args: readonly string[]) => inspect(shop, home, ['--protocol-era', era, ...args])
      await useFiveTools(shop, {
        list: async () => listed.parse(await run('--method', 'tools/list')).tools.map(({ name }) => name),
        call: (name, args) => {
          const values = Object.entries(args).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`])
          return run('--method', 'tools/call', '--tool-name', name, ...values)
        },
      })
    }),
  )
  await Promise.all(both)

  await t.test('takes the 401 for a refused token as a call to sign in', async () => {
    const script = await scriptOf('@modelcontextprotocol/inspector', 'mcp-inspector')
    const args = targetOf(shop.endpoint, `${shop.headers.Authorization}x`)
    const { code, stderr, report } = await runScript(script, [...args, '--method', 'tools/list'], home)
    assert.equal(code, 3, report)
    assert.match(stderr, /"code":"auth_required"/, report)
  })
})

/** What one run of the CLI printed, as JSON. */
async function inspect(shop: Shop, home: Home, args: readonly string[]): Promise<unknown> {
  const script = await scriptOf('@modelcontextprotocol/inspector', 'mcp-inspector')
  const finished = await runScript(script, [...targetOf(shop.endpoint, shop.headers.Authorization), ...args], home)
  assert.equal(finished.code, 0, finished.report)
  return JSON.parse(finished.stdout)
}

function targetOf(endpoint: string, authorization: string): readonly string[] {
  return ['--cli', endpoint, '--transport', 'http', '--header', `Authorization: ${authorization}`]
}

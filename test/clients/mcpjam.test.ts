import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MCP_CHECK_IDS, MCPConformanceTest } from '@mcpjam/sdk'
import { startShop } from './shop.ts'

/** What does not apply to a gateway in front of an HTTP API: MCPJam itself must say so, in these words. */
const NOT_OFFERED = {
  'logging-set-level': 'Server does not advertise the optional logging capability',
  'completion-complete': 'Server does not advertise the optional completions capability',
} as const

/** Passed because the list is empty, not because there is something to list: an HTTP API has neither. */
const EMPTY = ['prompts-list', 'resources-list']

test('MCPJam’s conformance checks pass with a token, but for two that do not apply', async () => {
  await using shop = await startShop()
  const result = await new MCPConformanceTest({ serverUrl: shop.endpoint, accessToken: shop.token }).run()
  const report = JSON.stringify(result, undefined, 2)

  assert.deepEqual(result.checks.map(({ id }) => id).sort(), [...MCP_CHECK_IDS].sort(), report)
  const notPassed = result.checks.filter(({ status }) => status !== 'passed')
  assert.deepEqual(Object.fromEntries(notPassed.map(({ id, error }) => [id, error?.message])), NOT_OFFERED, report)
  assert.ok(
    notPassed.every(({ status }) => status === 'skipped'),
    report,
  )
  for (const { id, details } of result.checks.filter((check) => EMPTY.includes(check.id))) {
    assert.match(JSON.stringify(details), /Count":0/, `${id} found something: ${report}`)
  }
})

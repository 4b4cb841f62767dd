import { test } from 'node:test'
import { startEverythingServer } from '../../src/testing/everything-server/everything-server.ts'
import { startProtected } from '../../src/testing/start-protected.ts'
import { assertConformance } from './assert-conformance.ts'
import { startTokenProxy } from './token-proxy.ts'

test('an MCP server behind gatehouse protect passes all that it passes by itself', async (t) => {
  await using server = await startEverythingServer()
  await using protecting = await startProtected(server.url)
  await using proxy = await startTokenProxy(protecting.endpoint, await protecting.callers.token())
  await assertConformance(t, proxy.url)
})

import { test } from 'node:test'
import { startEverythingServer } from '../../src/testing/everything-server/everything-server.ts'
import { assertConformance } from './assert-conformance.ts'

// Without a gateway: what fails behind one is then the gateway's fault, not the fixture's.
test('the everything-server passes the official conformance suite by itself', async (t) => {
  await using server = await startEverythingServer()
  await assertConformance(t, server.url)
})
